//! What one check requests, and over which way.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::alternative::Alternative;
use super::connect_to::{BadAddress, ConnectTo, Direct};
use super::http_choice::HttpChoice;
use super::name_server::NameServer;
use super::redaction::Masks;
use super::secret::Secret;

/// The request of one monitor, its credentials and its limits. Built by the configuration only.
///
/// All but the URL is the same for most monitors of a long list, and shared by them: reading goes
/// through to the [`Manner`], changing it copies it first.
#[derive(Debug, Clone)]
pub struct Target {
    /// A valid URL. Parsed it would take three times the room, and it is needed for a moment only. Shared with the
    /// chains that end there.
    url: Arc<str>,
    /// How it is requested.
    pub manner: Arc<Manner>,
}

impl Target {
    /// A target that shares its manner with nobody yet.
    pub fn new(url: &Url, manner: Manner) -> Self {
        Self::sharing(url, Arc::new(manner))
    }

    /// A target that is requested as others are.
    pub fn sharing(url: &Url, manner: Arc<Manner>) -> Self {
        Self {
            url: url.as_str().into(),
            manner,
        }
    }

    /// Where the first request goes, userinfo and secrets in clear.
    pub fn url(&self) -> Url {
        Url::parse(&self.url).expect("the text of a URL is a URL")
    }

    /// The text of [`Self::url`].
    pub fn url_text(&self) -> &Arc<str> {
        &self.url
    }
}

impl Deref for Target {
    type Target = Manner;

    fn deref(&self) -> &Manner {
        &self.manner
    }
}

impl DerefMut for Target {
    fn deref_mut(&mut self) -> &mut Manner {
        Arc::make_mut(&mut self.manner)
    }
}

/// How a URL is requested: everything of a [`Target`] but the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// The method of the first request.
    pub method: Method,
    /// User-set headers, in order; names are valid tokens, values valid field values.
    /// `User-Agent` and `Accept` are the defaults unless they stand here.
    pub headers: Vec<(String, Secret)>,
    /// The body of the first request.
    pub body: Option<Arc<[u8]>>,
    /// Who we say we are.
    pub credentials: Credentials,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// How many redirects are followed at most; 0 to 50.
    pub max_redirects: u16,
    /// Whether https may lead to http.
    pub allow_downgrade: bool,
    /// Whether a public address may lead to a private one.
    pub allow_private_redirect: bool,
    /// Whether a cookie jar lives for the length of one check.
    pub cookies: bool,
    /// The deadline of the whole check, from the first DNS query to the last byte.
    pub timeout: Duration,
    /// At most this much of the body is read, in bytes.
    pub max_body: u64,
    /// Whether the body's content is needed (an assertion reads it), or only its length.
    pub wants_body: bool,
    /// Which addresses may be used.
    pub ip_version: IpVersion,
    /// An extra trust anchor, PEM; the file was readable and held a certificate when it was loaded.
    pub ca_pem: Option<Arc<[u8]>>,
    /// A client certificate chain and its key, PEM both.
    pub client_certificate: Option<ClientCertificate>,
    /// Where what was read from files came from; none for the many that name no file.
    pub files: Option<Box<Files>>,
    /// Whether certificate faults are failures.
    pub verify_tls: bool,
    /// The way out.
    pub proxy: Proxy,
    /// Which versions of HTTP are spoken.
    pub http: HttpChoice,
    /// The values that must not be recorded or shown.
    pub masks: Masks,
}

impl Default for Manner {
    /// How a monitor is requested whose configuration says nothing of it; a certificate is checked, nothing is sent
    /// that nobody asked for.
    fn default() -> Self {
        Self {
            method: Method::Get,
            headers: Vec::new(),
            body: None,
            credentials: Credentials::None,
            follow_redirects: true,
            max_redirects: 10,
            allow_downgrade: false,
            allow_private_redirect: false,
            cookies: true,
            timeout: Duration::from_secs(10),
            max_body: 1 << 20,
            wants_body: false,
            ip_version: IpVersion::Any,
            ca_pem: None,
            client_certificate: None,
            files: None,
            verify_tls: true,
            proxy: Proxy::None,
            http: HttpChoice::One,
            masks: Masks::default(),
        }
    }
}

/// An HTTP request method, RFC 9110 section 9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// Transfer a representation.
    Get,
    /// As GET, without the body.
    Head,
    /// Process the request's content.
    Post,
    /// Any other token, upper-case as written.
    Other(String),
}

impl Method {
    /// The method's token.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Other(token) => token,
        }
    }
}

/// What proves who we are to the first origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing; userinfo of the URL becomes [`Self::Basic`] when the configuration is read.
    None,
    /// RFC 7617.
    Basic {
        /// The user's name.
        username: String,
        /// Whether the name is not shown either: it came by `${NAME}` or as userinfo.
        is_hidden: bool,
        /// The password.
        password: Secret,
    },
    /// RFC 6750.
    Bearer(Secret),
}

/// A certificate with which we identify ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain, leaf first, PEM.
    pub chain_pem: Arc<[u8]>,
    /// The private key, PEM.
    pub key_pem: Secret,
}

/// The files of a request: their names are shown, so that a check can be repeated by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// That of the body.
    pub body: Option<PathBuf>,
    /// That of the extra trust anchor.
    pub ca: Option<PathBuf>,
    /// Those of the client certificate and of its key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}

/// Which address families are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// Both, as happy eyeballs does (RFC 8305).
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// The way to a site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Proxy {
    /// Directly.
    None,
    /// Directly, but to another place, or to each address.
    Direct(Box<Direct>),
    /// What `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` said when the configuration was read.
    Environment {
        /// For http URLs.
        http: Option<Url>,
        /// For https URLs.
        https: Option<Url>,
        /// Hosts, domains (with or without a leading dot), networks, `*`.
        no_proxy: String,
    },
    /// Through this http:// proxy, credentials in its userinfo.
    Through(Url),
}

impl Proxy {
    /// What of a way without a proxy is not the usual.
    pub fn direct(&self) -> Option<&Direct> {
        match self {
            Self::Direct(direct) => Some(direct),
            Self::None | Self::Environment { .. } | Self::Through(_) => None,
        }
    }

    /// Where to connect instead.
    pub fn connect_to(&self) -> Option<&ConnectTo> {
        self.direct()?.connect_to.as_ref()
    }

    /// Where HTTP/3 is spoken instead of at the URL's own host and port, and for which origin alone.
    pub fn alternative(&self) -> Option<&Alternative> {
        self.direct()?.alternative.as_ref()
    }

    /// Whether each address is checked by itself.
    pub fn each(&self) -> Option<BadAddress> {
        self.direct()?.each
    }
}

/// How names become addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Name servers asked in turn; none: the system's.
    pub servers: Vec<NameServer>,
    /// The whole lookup, all servers and tries.
    pub timeout: Duration,
    /// The resolver configuration of the system (`/etc/resolv.conf`); another file in tests.
    pub resolv_conf: PathBuf,
    /// The system's static table of names (`/etc/hosts`); another file in tests.
    pub hosts: PathBuf,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(5),
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
            hosts: PathBuf::from("/etc/hosts"),
        }
    }
}
