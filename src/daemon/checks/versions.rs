//! The versions of HTTP that a site offers beside HTTP/1.1, each checked by itself.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::addresses::Eyes;
use crate::clock;
use crate::domain::check::{Check, Failure, FailureKind, HttpVersion, Verdict, VersionCheck};
use crate::domain::http_choice::HttpChoice;
use crate::domain::observed::Observed;
use crate::domain::probe::End;
use crate::domain::subject::{OfferedVersions, Subject};
use crate::policy::http::alt_svc::{self, Place};
use crate::policy::verdict::versions::{not_judged, version_check};
#[cfg(feature = "http3")]
use crate::{domain::alternative::Alternative, policy::http::private_address::is_private};

/// What the ordinary check saw of the site's offers.
#[derive(Debug)]
pub(super) struct Offer {
    /// The version that it spoke itself.
    spoke: HttpVersion,
    /// The final answer's URL, and the address that it came from; `None` if HTTP/3 is out of the question.
    site: Option<(Url, Option<SocketAddr>)>,
    /// Where that answer says that there is HTTP/3.
    place: Option<Place>,
    /// Whether TLS stood or an answer came, without which there is no other version to be had.
    has_spoken: bool,
}

impl Offer {
    /// What was seen.
    pub(super) fn of(offered: &OfferedVersions, observed: &Observed) -> Self {
        let spoke = observed.spoke();
        let answer = match observed {
            Observed::Http(probe) if offered.has_http3 => match &probe.end {
                End::Answered(answer) => Some(answer),
                End::Refused { .. } | End::Failed { .. } => None,
            },
            Observed::Http(_) | Observed::Socket(_) | Observed::Pings(_) | Observed::Answers(_) => {
                None
            }
        };
        let site = answer.and_then(|answer| {
            let url = Url::parse(&answer.hop.url).ok()?;
            (url.scheme() == "https").then_some((url, answer.hop.remote_addr))
        });
        let place = answer.filter(|_| site.is_some()).and_then(|answer| {
            let fields = answer.headers.iter();
            let fields = fields.filter(|(name, _)| name == "alt-svc");
            alt_svc::http3(fields.map(|(_, value)| value.as_slice()))
        });
        Self {
            spoke: spoke.unwrap_or(HttpVersion::Http11),
            site,
            place,
            has_spoken: match observed {
                Observed::Http(probe) => probe.certificate.is_some() || spoke.is_some(),
                Observed::Socket(_) | Observed::Pings(_) | Observed::Answers(_) => false,
            },
        }
    }

    /// What the ordinary check found, as one of the versions.
    pub(super) fn ordinary(&self, check: &Check) -> VersionCheck {
        version_check(self.spoke, check)
    }
}

/// What is said of HTTP/3 where the canaries say that UDP is blocked.
const UDP_BLOCKED: &str =
    "UDP does not get through from here: a site that serves HTTP/3 answers by TCP and not by QUIC";

/// Turns a silence over UDP that may be our own into `unknown`.
pub(super) async fn doubt_udp(tools: Eyes<'_>, check: &mut Check) {
    let is_silence = |failure: &Failure| failure.kind == FailureKind::ConnectTimeout;
    let silence = match &check.verdict {
        Verdict::Down(failure) if is_silence(failure) => failure,
        Verdict::Up | Verdict::Degraded(_) => return learn_quic(tools),
        Verdict::Down(_) | Verdict::Unknown(_) => return,
    };
    if udp_is_blocked(tools).await {
        check.verdict = Verdict::Unknown(Failure {
            kind: FailureKind::Local,
            detail: format!("{UDP_BLOCKED} ({}: {})", silence.kind, silence.detail).into(),
        });
    }
}

#[cfg(feature = "http3")]
async fn udp_is_blocked(tools: Eyes<'_>) -> bool {
    match tools.canaries {
        Some(canaries) => canaries.udp_is_blocked().await,
        None => false,
    }
}

#[cfg(feature = "http3")]
fn learn_quic(tools: Eyes<'_>) {
    if let Some(canaries) = tools.canaries.map(std::sync::Arc::clone) {
        tokio::spawn(async move { canaries.learn_quic().await });
    }
}

#[cfg(not(feature = "http3"))]
async fn udp_is_blocked(_: Eyes<'_>) -> bool {
    false
}

#[cfg(not(feature = "http3"))]
const fn learn_quic(_: Eyes<'_>) {}

/// What is needed to check the other versions.
pub(super) struct Others<'a> {
    pub(super) tools: Eyes<'a>,
    pub(super) subject: &'a Subject,
    pub(super) offered: OfferedVersions,
    pub(super) deadline: Instant,
}

/// An HTTPS record is waited for so long: few sites have one, and a name server may be silent about it.
#[cfg(feature = "http3")]
const RECORD_WAIT: Duration = Duration::from_secs(2);

/// One version, and the message of a panic while its answer was judged; nothing if it is not offered.
type Seen = Result<Option<(VersionCheck, Option<String>)>, String>;

impl Others<'_> {
    /// Checks them beside each other. All that are offered come back, the ordinary one first.
    pub(super) async fn look(
        &self,
        ordinary: VersionCheck,
        offer: Offer,
    ) -> Result<(Vec<VersionCheck>, Option<String>), String> {
        let mut all = vec![ordinary];
        if !offer.has_spoken {
            return Ok((all, None));
        }
        let (two, three) = tokio::try_join!(self.two(), self.three(&offer))?;
        let mut panics = None;
        for (one, panic) in [two, three].into_iter().flatten() {
            all.push(one);
            panics = panics.or(panic);
        }
        Ok((all, panics))
    }

    /// The time that a check has; `None` if so little is left that a site would be blamed for it.
    fn time(&self) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(clock::tick());
        (left >= self.offered.timeout / 2).then(|| left.min(self.offered.timeout))
    }

    /// HTTP/2, which a server agrees to within the TLS handshake.
    async fn two(&self) -> Seen {
        let Some(time) = self.time() else {
            return Ok(None);
        };
        let subject = self.subject.by_version(HttpChoice::Two, None, time);
        let observing = self
            .tools
            .prober
            .observe(&subject, clock::now(), self.tools.judges);
        let observed = Box::pin(observing).await;
        if observed.spoke() != Some(HttpVersion::Http2) {
            return Ok(None);
        }
        let (check, panic) = self.tools.judges.judge(&subject, observed).await?;
        Ok(Some((version_check(HttpVersion::Http2, &check), panic)))
    }

    /// HTTP/3, which a site offers in an answer or in DNS.
    #[cfg(feature = "http3")]
    async fn three(&self, offer: &Offer) -> Seen {
        let Some((url, peer)) = &offer.site else {
            return Ok(None);
        };
        let prober = self.tools.prober;
        let place = match &offer.place {
            Some(place) => Some(place.clone()),
            None => {
                let deadline = self.deadline.min(clock::tick() + RECORD_WAIT);
                Box::pin(prober.http3_place(url, deadline)).await
            }
        };
        let is_public = |peer: SocketAddr| !is_private(peer.ip());
        let alternative = place.and_then(|place| Alternative::of(url, *peer, place, is_public));
        if alternative.is_none() {
            return Ok(None);
        }
        let Some(time) = self.time() else {
            let why = "no time was left to check it";
            return Ok(Some((not_judged(HttpVersion::Http3, why), None)));
        };
        let judges = self.tools.judges;
        let subject = self
            .subject
            .by_version(HttpChoice::Three, alternative, time);
        let observed = Box::pin(prober.observe(&subject, clock::now(), judges)).await;
        let (mut check, panic) = judges.judge(&subject, observed).await?;
        Box::pin(doubt_udp(self.tools, &mut check)).await;
        Ok(Some((version_check(HttpVersion::Http3, &check), panic)))
    }

    /// HTTP/3, which a site offers in an answer.
    #[cfg(not(feature = "http3"))]
    async fn three(&self, offer: &Offer) -> Seen {
        let why = "this program was built without the feature `http3`";
        let is_offered = offer.site.is_some() && offer.place.is_some();
        Ok(is_offered.then(|| (not_judged(HttpVersion::Http3, why), None)))
    }
}
