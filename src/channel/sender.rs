//! One request of a channel: connected, written, answered, all within one deadline. reqwest sends it, on a thread of
//! its own: what a service makes an answer cost delays nobody else.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use tokio::time::timeout_at;
use url::Url;

use super::fault::{self, NoAddress, Shown};
use crate::blocking;
use crate::clock;
use crate::domain::channel::Channel;
use crate::domain::duration_text::Human;
use crate::domain::secret::Secret;
use crate::domain::target::Proxy;
use crate::domain::timestamp::Timestamp;
use crate::tls;
use crate::view::channel::{ANSWER_BYTES_MAX, Request};

/// What an answer may take of the processor: a good one takes some milliseconds, TLS included. Interim answers (1xx)
/// without end would take all of it.
const COST_MAX: Duration = Duration::from_secs(1);

/// The talk ends by itself in time; so much later it is given up.
const GRACE: Duration = Duration::from_secs(2);

/// As checks say who they are.
const USER_AGENT: &str = concat!("sitewatch/", env!("CARGO_PKG_VERSION"));

/// The way to a channel's service. Connections are not kept: messages are rare, and servers close what rests.
#[derive(Debug)]
pub struct Sender {
    kind: tls::Kind,
    proxy: Proxy,
    verify_tls: bool,
    timeout: Duration,
}

/// An answer as it came.
#[derive(Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, or its first [`ANSWER_BYTES_MAX`] bytes.
    pub body: Vec<u8>,
}

/// What came of a request. Words are one line without secrets.
#[derive(Debug)]
pub enum Sent {
    /// The service answered.
    Answered(Answered),
    /// No byte of it has left.
    Not(String),
    /// It was on its way, and nobody knows whether it arrived.
    Unknown(String),
}

impl Sender {
    /// Prepares the way to a channel's service; nothing is connected yet.
    ///
    /// # Errors
    /// When the extra trust anchor holds no certificate, or TLS cannot be set up.
    pub fn new(channel: &Channel, basis: &tls::Basis) -> Result<Self, String> {
        let kind = tls::Kind::new(basis, channel.ca_pem.as_deref(), None, &[b"http/1.1"])?;
        Ok(Self {
            kind,
            proxy: channel.proxy.clone(),
            verify_tls: channel.verify_tls,
            timeout: channel.timeout,
        })
    }

    /// Sends a request and reads the answer, without following redirects. `noted` is awaited before anything is
    /// connected and answers the time of the attempt: where it fails, nothing is sent.
    pub async fn send(
        &self,
        request: &Request,
        noted: impl Future<Output = Result<Timestamp, String>>,
    ) -> Sent {
        let (prepared, shown) = match self.prepare(request) {
            Ok(prepared) => prepared,
            Err(why) => return Sent::Not(why),
        };
        let fields = match noted.await {
            Ok(now) => request.stamped(now),
            Err(error) => {
                return Sent::Not(format!(
                    "not sent, since that could not be written down: {error}"
                ));
            }
        };
        let fields = fields.iter().map(|(name, value)| (*name, value));
        let prepared = match header_map(fields) {
            Ok(fields) => prepared.headers(fields),
            Err(why) => return Sent::Not(why),
        };
        let talk = Talk {
            timeout: self.timeout,
            connect_timeout: self.connect_timeout(),
            shown,
        };
        let talking = blocking::talk_apart(COST_MAX, move || talk.hold(prepared));
        match timeout_at(clock::tick() + self.timeout + GRACE, talking).await {
            Ok(Ok(Some(sent))) => sent,
            Ok(Ok(None)) => Sent::Unknown(format!(
                "the answer takes more than {} of the processor",
                Human(COST_MAX)
            )),
            Ok(Err(error)) => Sent::Not(format!("no thread for it: {error}")),
            Err(_) => Sent::Unknown(format!("no answer within {}", Human(self.timeout))),
        }
    }

    /// Connecting ends before the whole does: then it is known that nothing has left.
    fn connect_timeout(&self) -> Duration {
        self.timeout * 2 / 3
    }

    fn prepare(&self, request: &Request) -> Result<(reqwest::RequestBuilder, Shown), String> {
        let url = Url::parse(request.url.reveal())
            .map_err(|_| "the channel's address is no URL".to_owned())?;
        let host = url.host_str().unwrap_or_default();
        // The recorder behind it remembers one connection.
        let handshake = self.kind.handshake(host, self.verify_tls);
        let shown = Shown {
            recorder: handshake.recorder,
            host: host.to_owned(),
        };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured((*handshake.config).clone())
            .dns_resolver(std::sync::Arc::new(Names))
            .redirect(Policy::none())
            .retry(reqwest::retry::never().max_retries_per_request(0))
            .referer(false)
            .user_agent(USER_AGENT)
            .connect_timeout(self.connect_timeout())
            .pool_max_idle_per_host(0)
            .http1_only()
            .http1_title_case_headers()
            .no_proxy();
        for proxy in proxies(&self.proxy)? {
            builder = builder.proxy(proxy);
        }
        let client = builder
            .build()
            .map_err(|error| fault::words(&error, &shown, self.timeout))?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| "the channel's method is none".to_owned())?;
        let fields = request.headers.iter();
        let headers = header_map(fields.map(|(name, value)| (name.as_str(), value)))?;
        let request = client
            .request(method, url)
            .headers(headers)
            .body(request.body.clone());
        Ok((request, shown))
    }
}

/// One request on its way.
struct Talk {
    timeout: Duration,
    connect_timeout: Duration,
    shown: Shown,
}

impl Talk {
    async fn hold(self, request: reqwest::RequestBuilder) -> Sent {
        let deadline = clock::tick() + self.timeout;
        let answer = match timeout_at(deadline, request.send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.is_connect() || error.is_builder() => {
                return Sent::Not(fault::words(&error, &self.shown, self.connect_timeout));
            }
            Ok(Err(error)) => {
                let words = fault::words(&error, &self.shown, self.timeout);
                return Sent::Unknown(format!("no answer after it was sent: {words}"));
            }
            Err(_) => {
                let within = Human(self.timeout);
                return Sent::Unknown(format!("no answer within {within}"));
            }
        };
        self.read(answer, deadline).await
    }

    /// Reads the body; where that breaks, only a status that says no is an answer.
    async fn read(&self, mut answer: reqwest::Response, deadline: tokio::time::Instant) -> Sent {
        let status = answer.status();
        let headers = answer.headers().clone();
        let mut body = Vec::new();
        let whole = loop {
            match timeout_at(deadline, answer.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    let room = ANSWER_BYTES_MAX - body.len();
                    body.extend_from_slice(&piece[..piece.len().min(room)]);
                    if body.len() == ANSWER_BYTES_MAX {
                        break Ok(());
                    }
                }
                Ok(Ok(None)) => break Ok(()),
                Ok(Err(_)) => break Err("the answer was cut".to_owned()),
                Err(_) => {
                    break Err(format!("no whole answer within {}", Human(self.timeout)));
                }
            }
        };
        match whole {
            Err(why) if status.is_success() => Sent::Unknown(why),
            Ok(()) | Err(_) => Sent::Answered(Answered {
                status: status.as_u16(),
                headers,
                body,
            }),
        }
    }
}

fn header_map<'a>(
    fields: impl Iterator<Item = (&'a str, &'a Secret)>,
) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let field = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .zip(HeaderValue::from_str(value.reveal()).ok());
        let Some((name, mut value)) = field else {
            return Err(format!("the header field `{name}` cannot be sent"));
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn proxies(proxy: &Proxy) -> Result<Vec<reqwest::Proxy>, String> {
    let unusable = |_| "the proxy's address cannot be used".to_owned();
    match proxy {
        Proxy::None | Proxy::Direct(_) => Ok(Vec::new()),
        Proxy::Through(url) => Ok(vec![reqwest::Proxy::all(url.as_str()).map_err(unusable)?]),
        Proxy::Environment {
            http,
            https,
            no_proxy,
        } => {
            let but = || reqwest::NoProxy::from_string(no_proxy);
            let mut proxies = Vec::new();
            if let Some(url) = http {
                let proxy = reqwest::Proxy::http(url.as_str()).map_err(unusable)?;
                proxies.push(proxy.no_proxy(but()));
            }
            if let Some(url) = https {
                let proxy = reqwest::Proxy::https(url.as_str()).map_err(unusable)?;
                proxies.push(proxy.no_proxy(but()));
            }
            Ok(proxies)
        }
    }
}

/// Names as mail resolves them: by the system.
#[derive(Debug)]
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = match found {
                Ok(found) => found.collect(),
                Err(_) => Vec::new(),
            };
            if found.is_empty() {
                return Err(NoAddress(name.as_str().to_owned()).into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}
