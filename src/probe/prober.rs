//! Follows one check from its first DNS query to the last byte of its last answer.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{LOCATION, RETRY_AFTER, SET_COOKIE};
use tokio::time::{Instant, Sleep, sleep_until};
use url::{Host, Url};

use super::body::{self, Body};
use super::classify::{self, Fault};
#[cfg(feature = "http3")]
use super::connection::quic_bytes_max;
use super::connection::{Reply, wire_bytes_max};
use super::exchange::{Exchange, Outcome, Route, add, borrowed, exchange};
use super::facts::facts;
use super::kept::{Kept, raw_head, version_of};
use super::name_server;
use super::ping;
use super::request::assemble;
use super::search::Search;
use super::shared::{Protocol, Shared};
use super::socket;
use crate::clock;
use crate::domain::check::{Certificate, FailureKind, HttpVersion, Micros, Timings};
use crate::domain::duration_text::Exact;
use crate::domain::evidence::{Keep, RawHead};
use crate::domain::http_choice::HttpChoice;
use crate::domain::observed::Observed;
use crate::domain::probe::{Answer, End, Hop, Probe, RootEnd};
use crate::domain::subject::Subject;
use crate::domain::target::{DnsSettings, Target};
use crate::domain::timestamp::Timestamp;
use crate::domain::{redaction, safe_text};
use crate::policy::http::cookies::Jar;
use crate::policy::http::private_address::is_private;
use crate::policy::http::proxy::proxy_for;
use crate::policy::http::redirect::{self, Next, Request, Seen};
use crate::policy::http::retry_after;
use crate::tls;

/// A Location is recorded up to this many characters.
const LOCATION_CHARS_MAX: usize = 8 * 1024;

/// A header with more fields than this is work of its own (cookies above all): other checks have their turn before and
/// after.
const FIELDS_AT_ONCE_MAX: usize = 64;

/// Why no prober can be had.
#[derive(Debug, thiserror::Error)]
pub enum ProbeSetupError {
    /// TLS could not be set up.
    #[error("set up TLS: {0}")]
    Tls(String),
}

/// Everything checks share: trust anchors, name servers. One for the whole process.
#[derive(Debug, Clone)]
pub struct Prober(pub(super) Arc<Shared>);

impl Prober {
    /// Reads the system's trust anchors.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(dns: &DnsSettings) -> Result<Self, ProbeSetupError> {
        Shared::new(dns)
            .map(|shared| Self(Arc::new(shared)))
            .map_err(ProbeSetupError::Tls)
    }

    /// Runs one check within the subject's timeout. Never fails: whatever goes wrong is what it saw.
    pub async fn observe(
        &self,
        subject: &Subject,
        started: Timestamp,
        search: &impl Search,
    ) -> Observed {
        self.observe_and_keep(subject, started, search, Keep::Nothing)
            .await
    }

    /// As [`Self::observe`], with what is kept of the answers.
    pub async fn observe_and_keep(
        &self,
        subject: &Subject,
        started: Timestamp,
        search: &impl Search,
        keep: Keep,
    ) -> Observed {
        match subject {
            Subject::Http(http) => {
                let kept = Kept::of(keep, &http.expectation);
                Observed::Http(self.run_and_keep(&http.target, started, kept).await)
            }
            Subject::Tcp(tcp) => {
                let visit = socket::visit(&self.0, tcp, None, started, search);
                Observed::Socket(Box::new(Box::pin(visit).await))
            }
            Subject::Tls(tls) => {
                let visit = socket::visit(&self.0, &tls.tcp, Some(&tls.tls), started, search);
                Observed::Socket(Box::new(Box::pin(visit).await))
            }
            Subject::Icmp(icmp) => {
                let visit = ping::visit(&self.0, icmp, started);
                Observed::Pings(Box::new(Box::pin(visit).await))
            }
            Subject::Dns(dns) => {
                let visit = name_server::visit(&self.0, dns, started);
                Observed::Answers(Box::new(Box::pin(visit).await))
            }
        }
    }

    /// Runs one check in HTTP within the target's timeout. Never fails: whatever goes wrong is what it saw.
    pub async fn run(&self, target: &Target, started: Timestamp) -> Probe {
        self.run_and_keep(target, started, Kept::NOTHING).await
    }

    async fn run_and_keep(&self, target: &Target, started: Timestamp, kept: Kept<'_>) -> Probe {
        let begun = clock::tick();
        let deadline = begun + target.timeout;
        let mut journey = Journey {
            shared: &self.0,
            target,
            started,
            begun,
            deadline,
            alarm: pin!(sleep_until(deadline)),
            timings: Timings::default(),
            redirects: Vec::new(),
            heads: Vec::new(),
            kept,
            certificate: None,
            root: None,
            agreed: None,
            remarks: Vec::new(),
            jar: Jar::default(),
            seen: Seen::default(),
            waited: Duration::ZERO,
        };
        let end = journey.walk().await;
        let took = begun.elapsed().saturating_sub(journey.waited);
        journey.timings.total = Micros::of(took);
        Probe {
            started,
            timings: journey.timings,
            redirects: journey.redirects,
            heads: journey.heads,
            end,
            certificate: journey.certificate,
            root: journey.root,
            agreed: journey.agreed,
            remarks: journey.remarks,
        }
    }
}

/// One check on its way.
struct Journey<'a> {
    shared: &'a Shared,
    target: &'a Target,
    started: Timestamp,
    begun: Instant,
    deadline: Instant,
    /// Rings at the deadline.
    alarm: Pin<&'a mut Sleep>,
    timings: Timings,
    redirects: Vec<Hop>,
    heads: Vec<RawHead>,
    kept: Kept<'a>,
    certificate: Option<Arc<Certificate>>,
    root: Option<Arc<RootEnd>>,
    agreed: Option<HttpVersion>,
    remarks: Vec<String>,
    jar: Jar,
    seen: Seen,
    /// For room for the body: not the site's time.
    waited: Duration,
}

/// Where a step led.
enum Step {
    Onward(Request),
    Arrived(End),
}

impl<'a> Journey<'a> {
    async fn walk(&mut self) -> End {
        let mut request = Request::first(self.target);
        // Whether the last redirect came from a public address.
        let mut from_public = false;
        loop {
            match self.step(&request, &mut from_public).await {
                Step::Onward(next) => request = next,
                Step::Arrived(end) => return end,
            }
        }
    }

    async fn step(&mut self, request: &Request, from_public: &mut bool) -> Step {
        let target = self.target;
        let cookies = if target.cookies {
            let now = self.now();
            self.jar.header(&request.url, now)
        } else {
            Vec::new()
        };
        let by_quic = self.speaks_quic(request);
        let connect_to = self.connect_to(request, by_quic);
        // The answer that offered HTTP/3 counts as a redirect's does.
        let place = target.proxy.alternative().filter(|_| by_quic);
        let after_public = *from_public || place.is_some_and(|place| place.public_only);
        let connect_to = connect_to.as_ref();
        if let Some(end) = self.refused_before(request, &cookies, connect_to, after_public) {
            return Step::Arrived(end);
        }
        let proxy = proxy_for(&target.proxy, &request.url);
        let tls = match self.tls(request, by_quic) {
            Ok(tls) => tls,
            Err(detail) => {
                return Step::Arrived(self.failed(request, (FailureKind::Local, detail), None));
            }
        };
        let route = Route {
            url: &request.url,
            proxy,
            connect_to,
            by_quic,
            tls: tls.as_deref(),
            ip_version: target.ip_version,
            verify_tls: target.verify_tls,
            public_only: after_public && !target.allow_private_redirect && proxy.is_none(),
            bytes_max: bytes_max(target.max_body, by_quic),
            deadline: self.deadline,
        };
        let proxy_that_answers = proxy.filter(|_| tls.is_none());
        let assembled = || assemble(target, request, &cookies, proxy_that_answers);
        let alarm = self.alarm.as_mut();
        let mut exchange = exchange(&self.shared.resolver, route, assembled, alarm).await;
        exchange.add_phases(&mut self.timings);
        self.note(&route, &exchange);
        self.agreed = exchange.trace.agreed;
        let remote = exchange.remote_addr(&route);
        let outcome = std::mem::replace(&mut exchange.outcome, Outcome::Timeout);
        let answer = match outcome {
            Outcome::Answer(answer) => answer,
            Outcome::Broken(broken) => {
                let fault = classify::of_request(&broken, &exchange, &route);
                return Step::Arrived(self.failed(request, fault, remote));
            }
            Outcome::Timeout => {
                let timeout = Exact(target.timeout).to_string();
                let fault = classify::of_timeout(&exchange, &route, &timeout);
                return Step::Arrived(self.failed(request, fault, remote));
            }
        };
        *from_public = match proxy {
            None => remote.is_some_and(|address| !is_private(address.ip())),
            Some(_) => redirect::private_literal(&request.url).is_none(),
        };
        let is_long = answer.head.headers.len() > FIELDS_AT_ONCE_MAX;
        if is_long {
            tokio::task::yield_now().await;
        }
        let step = self.judge_header(request, answer, &exchange, remote).await;
        if is_long {
            tokio::task::yield_now().await;
        }
        if matches!(step, Step::Onward(_)) {
            self.seen.note(request, &cookies);
        }
        step
    }

    /// Whether a request goes by HTTP/3: where it is asked for all https hops do, else those to the origin that offers
    /// it.
    fn speaks_quic(&self, request: &Request) -> bool {
        let target = self.target;
        target.http == HttpChoice::Three
            && request.url.scheme() == "https"
            && target
                .proxy
                .alternative()
                .is_none_or(|place| place.is_for(&request.url))
    }

    /// Where a request is connected to, if not to the host and port of its URL.
    fn connect_to(&self, request: &Request, by_quic: bool) -> Option<(Host<String>, u16)> {
        let proxy = &self.target.proxy;
        let place = proxy.alternative().filter(|_| by_quic);
        let own = proxy.connect_to().and_then(|to| {
            let port = to.port_for(&self.target.url(), &request.url)?;
            Some((to.host.clone(), port))
        });
        let Some(place) = place else {
            return own;
        };
        let is_at_home = request.url.port_or_known_default() == Some(place.port);
        match (own, &place.host) {
            (Some((host, port)), _) if is_at_home => Some((host, port)),
            (Some((host, _)), _) => Some((host, place.port)),
            (None, Some(host)) => Some((host.clone(), place.port)),
            (None, None) => Some((request.url.host()?.to_owned(), place.port)),
        }
    }

    /// Rules that stop a chain before the request is made.
    fn refused_before(
        &mut self,
        request: &Request,
        cookies: &[u8],
        connect_to: Option<&(Host<String>, u16)>,
        from_public: bool,
    ) -> Option<End> {
        if self.seen.holds(request, cookies) {
            let url = self.shown_url(request);
            return Some(End::Refused {
                kind: FailureKind::RedirectLoop,
                detail: format!(
                    "{} {} was requested again with the same cookies",
                    request.method.as_str(),
                    safe_text::middle(&redaction::shown(&url), 200)
                ),
            });
        }
        if from_public
            && !self.target.allow_private_redirect
            && let Some(address) = match connect_to {
                None => redirect::private_literal(&request.url),
                Some((to, _)) => redirect::private_address_of(&borrowed(to)),
            }
        {
            return Some(End::Refused {
                kind: FailureKind::RedirectBlocked,
                detail: super::dns::blocked(request.url.host_str().unwrap_or_default(), address),
            });
        }
        None
    }

    /// TLS for a request, if it needs any.
    fn tls(&self, request: &Request, by_quic: bool) -> Result<Option<Arc<tls::Kind>>, String> {
        if request.url.scheme() != "https" {
            return Ok(None);
        }
        let own = self.target.client_certificate.as_ref();
        let identity = own.filter(|_| request.keeps_credentials);
        let protocol = match (self.target.http, by_quic) {
            #[cfg(feature = "http3")]
            (HttpChoice::Three, true) => Protocol::Http3,
            (HttpChoice::Two, _) => Protocol::Http2,
            (HttpChoice::One | HttpChoice::Offered(_) | HttpChoice::Three, _) => Protocol::Http,
        };
        let ca_pem = self.target.ca_pem.as_ref();
        let kind = self.shared.tls(protocol, ca_pem, identity)?;
        Ok(Some(kind))
    }

    /// Keeps the certificate and what is worth a remark.
    fn note(&mut self, route: &Route<'_>, exchange: &Exchange) {
        let facts = facts(&self.shared.known, exchange, route, &self.target.masks);
        if exchange.has_certificate() {
            (self.certificate, self.root) = (facts.certificate, facts.root);
        }
        self.remarks.extend(facts.let_pass);
        if let Some(remark) = exchange.remark(route) {
            self.remarks.push(self.masked(remark));
        }
    }

    async fn judge_header(
        &mut self,
        request: &Request,
        answer: Box<Reply>,
        exchange: &Exchange,
        remote: Option<SocketAddr>,
    ) -> Step {
        let status = answer.head.status.as_u16();
        let headers = &answer.head.headers;
        if self.target.cookies {
            let set = headers.get_all(SET_COOKIE).iter();
            let now = self.now();
            self.jar
                .keep(&request.url, set.map(|value| value.as_bytes()), now);
        }
        let locations: Vec<&[u8]> = headers
            .get_all(LOCATION)
            .iter()
            .map(|value| value.as_bytes())
            .collect();
        let kept = match (self.kept.keep, &locations[..]) {
            (Keep::Nothing, _) | (_, []) => None,
            (Keep::Failing | Keep::Good, _) => Some(raw_head(&answer)),
        };
        let location = locations.first().map(|raw| {
            let raw = String::from_utf8_lossy(raw);
            self.masked(recorded(&raw))
        });
        let hop = Hop {
            url: self.shown_url(request),
            status,
            location,
            remote_addr: remote,
            took: exchange.header_at.saturating_duration_since(exchange.begun),
        };
        if status == 101 {
            let detail = "101 Switching Protocols, though no other protocol was asked for";
            return Step::Arrived(End::Failed {
                kind: FailureKind::Protocol,
                detail: detail.to_owned(),
                url: hop.url.clone(),
                remote_addr: remote,
                header: Some(Box::new(self.answer(
                    request,
                    &answer,
                    hop,
                    Body::default(),
                ))),
            });
        }
        match redirect::next(
            self.target,
            request,
            status,
            &locations,
            self.redirects.len(),
        ) {
            Next::Follow(next) => {
                self.keep_head(kept, &hop);
                self.redirects.push(hop);
                Step::Onward(next)
            }
            Next::Refuse { kind, detail } => {
                self.keep_head(kept, &hop);
                self.redirects.push(hop);
                let detail = self.masked(detail);
                Step::Arrived(End::Refused { kind, detail })
            }
            Next::Stay => Step::Arrived(self.read_answer(request, answer, hop, exchange).await),
        }
    }

    fn keep_head(&mut self, head: Option<RawHead>, hop: &Hop) {
        self.heads.extend(head.map(|head| RawHead {
            url: hop.url.clone(),
            ..head
        }));
    }

    async fn read_answer(
        &mut self,
        request: &Request,
        mut answer: Box<Reply>,
        mut hop: Hop,
        exchange: &Exchange,
    ) -> End {
        let target = self.target;
        let wanted = body::Wanted {
            max: target.max_body,
            all: target.wants_body,
            kept: self.kept.body_bytes(hop.status),
        };
        // RFC 9110 section 15.3.6: 205 has no content, whatever its header says.
        let (body, fault) = if hop.status == 205 || target.max_body == 0 {
            (Body::default(), None)
        } else {
            let timeout = Exact(target.timeout);
            let room = &self.shared.room;
            body::read(&mut answer, wanted, room, self.alarm.as_mut(), timeout).await
        };
        self.waited = body.waited;
        let ended = clock::tick() - self.waited;
        add(
            &mut self.timings.body,
            ended.saturating_duration_since(exchange.header_at),
        );
        hop.took = ended.saturating_duration_since(exchange.begun);
        if body.unclean_end {
            self.remarks.push(
                "the server ended TLS without its closing message, and no length was announced: \
                 the body may be cut"
                    .to_owned(),
            );
        }
        let url = hop.url.clone();
        let remote_addr = hop.remote_addr;
        let answer = self.answer(request, &answer, hop, body);
        match fault {
            None => End::Answered(answer),
            Some((kind, detail)) => End::Failed {
                kind,
                detail: self.masked(detail),
                url,
                remote_addr,
                header: Some(Box::new(answer)),
            },
        }
    }

    fn answer(&self, request: &Request, answer: &Reply, hop: Hop, body: Body) -> Answer {
        let headers = &answer.head.headers;
        let now = self.now();
        let has_credentials = !self.target.headers.is_empty()
            || self.target.credentials != crate::domain::target::Credentials::None
            || self.target.client_certificate.is_some();
        Answer {
            hop,
            http_version: version_of(answer),
            headers: headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
                .collect(),
            retry_after_s: headers
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| retry_after::parse(value, now)),
            body: body.bytes,
            place: body.place,
            body_bytes: body.length,
            body_cut: body.cut,
            credentials_dropped: has_credentials && !request.keeps_credentials,
        }
    }

    /// What the clock showed at the start, moved on as time went by.
    fn now(&self) -> Timestamp {
        self.started.plus(self.begun.elapsed())
    }

    fn failed(&self, request: &Request, fault: Fault, remote: Option<SocketAddr>) -> End {
        let (kind, detail) = fault;
        let detail = self.masked(detail);
        if kind == FailureKind::RedirectBlocked {
            return End::Refused { kind, detail };
        }
        End::Failed {
            kind,
            detail,
            url: self.shown_url(request),
            remote_addr: remote,
            header: None,
        }
    }

    fn shown_url(&self, request: &Request) -> String {
        self.masked(redaction::without_userinfo(&request.url))
    }

    fn masked(&self, text: String) -> String {
        if self.target.masks.is_empty() {
            return text;
        }
        self.target.masks.apply(&text).into_owned()
    }
}

/// All bytes that may come of a connection.
const fn bytes_max(max_body: u64, by_quic: bool) -> u64 {
    #[cfg(feature = "http3")]
    if by_quic {
        return quic_bytes_max(max_body);
    }
    let _ = by_quic;
    wire_bytes_max(max_body)
}

/// A Location as it is recorded: raw, but for userinfo and what no chain needs at length.
fn recorded(raw: &str) -> String {
    let starred = raw
        .contains('@')
        .then(|| Url::parse(raw).ok())
        .flatten()
        .filter(|url| !url.username().is_empty() || url.password().is_some())
        .map(|url| redaction::without_userinfo(&url));
    safe_text::middle(starred.as_deref().unwrap_or(raw), LOCATION_CHARS_MAX).into_owned()
}
