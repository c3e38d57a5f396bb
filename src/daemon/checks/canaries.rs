//! Asks the canaries: is our own line alive?

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::clock;
use crate::daemon::health::standstill::{Standstill, Stood};
use crate::domain::settings::Canaries;
use crate::policy::verdict::own_network::Canary;
use crate::probe::{Prober, Redirects};
#[cfg(feature = "http3")]
use url::Url;

/// One round of questions takes at most this long: a failed check waits for at most two of them,
/// below the 30 s that it may wait.
const ROUND: Duration = Duration::from_secs(10);

/// What was heard this short ago is true now: a thousand sites behind one dead router ask once.
const FRESH: Duration = Duration::from_secs(5);

/// The canaries of one configuration. Whoever asks while they are being asked waits for that answer.
#[derive(Debug)]
pub struct Aviary {
    canaries: Canaries,
    prober: Arc<Prober>,
    heard: Mutex<Option<(Instant, Canary)>>,
    #[cfg(feature = "http3")]
    udp: Mutex<Udp>,
}

/// What is known of UDP.
#[cfg(feature = "http3")]
#[derive(Debug, Default)]
struct Udp {
    /// Whether it was blocked when the canaries were last asked.
    heard: Option<(Instant, bool)>,
    /// The canaries that have answered by QUIC, whether or not they say so.
    answered: Vec<Url>,
    /// When they were last asked without need.
    learned: Option<Instant>,
}

impl Aviary {
    /// Canaries that nobody has asked yet.
    pub fn new(canaries: Canaries, prober: Arc<Prober>) -> Self {
        Self {
            canaries,
            prober,
            heard: Mutex::new(None),
            #[cfg(feature = "http3")]
            udp: Mutex::default(),
        }
    }

    /// Whether there are any.
    pub const fn is_empty(&self) -> bool {
        matches!(self.canaries, Canaries::None)
    }

    /// The canaries' answer, from now or from the last seconds; `None` if the process stood still meanwhile, since then
    /// their silence proves nothing.
    pub async fn ask(&self, standstill: &Standstill) -> Option<Canary> {
        if self.is_empty() {
            return Some(Canary::None);
        }
        let mut heard = self.heard.lock().await;
        let began = clock::tick();
        if let Some((at, word)) = *heard
            && began.duration_since(at) < FRESH
        {
            return Some(word);
        }
        let beat = standstill.beat();
        let answered = tokio::time::timeout(ROUND, self.any_answers()).await;
        let word = match (&self.canaries, answered) {
            (Canaries::None, _) => Canary::None,
            (_, Ok(true)) => Canary::Sings,
            (Canaries::Urls(_), Ok(false) | Err(_)) => Canary::Silent,
            (Canaries::MailServer { .. }, Ok(false) | Err(_)) => Canary::MailServerSilent,
        };
        tracing::debug!(?word, "asked the canaries");
        if word != Canary::Sings && standstill.since(beat) != Stood::No {
            return None;
        }
        *heard = Some((began, word));
        Some(word)
    }

    async fn any_answers(&self) -> bool {
        match &self.canaries {
            Canaries::None => false,
            Canaries::MailServer { host, port } => {
                TcpStream::connect((host.as_str(), *port)).await.is_ok()
            }
            Canaries::Urls(urls) => {
                let mut asked = JoinSet::new();
                for url in urls {
                    let (url, prober) = (url.clone(), Arc::clone(&self.prober));
                    // Any answer will do, so the first one is enough and its status does not matter. But a server
                    // that answers in the name of another is a captive portal, which proves no working line.
                    asked.spawn(
                        async move { prober.ask(&url, Redirects::Answer, ROUND).await.is_ok() },
                    );
                }
                while let Some(answer) = asked.join_next().await {
                    if matches!(answer, Ok(true)) {
                        return true;
                    }
                }
                false
            }
        }
    }
}

/// A canary answers by QUIC within this, or not at all: a third attempt of the client is on its way by then.
#[cfg(feature = "http3")]
const QUIC_ROUND: Duration = Duration::from_secs(4);

/// Which canaries answer by QUIC is found out this often while HTTP/3 works: one that does without saying so is worth
/// knowing.
#[cfg(feature = "http3")]
const LEARNS_EVERY: Duration = Duration::from_secs(3600);

#[cfg(feature = "http3")]
impl Aviary {
    /// Whether UDP does not get through from here: canaries that serve HTTP/3 answer by TCP, and none by QUIC.
    pub async fn udp_is_blocked(&self) -> bool {
        let mut udp = self.udp.lock().await;
        let began = clock::tick();
        if let Some((at, is_blocked)) = udp.heard
            && began.duration_since(at) < FRESH
        {
            return is_blocked;
        }
        let mut asked = JoinSet::new();
        for url in self.https() {
            let prober = Arc::clone(&self.prober);
            asked.spawn(async move {
                let by_tcp = prober.offered_http3(&url, ROUND).await;
                let place = by_tcp.as_ref().ok().and_then(Option::as_ref);
                let by_quic = prober.answers_by_quic(&url, place, QUIC_ROUND).await;
                (url, by_quic, by_tcp)
            });
        }
        let (mut answers, mut is_silent) = (false, false);
        while let Some(asked) = asked.join_next().await {
            let Ok((url, by_quic, by_tcp)) = asked else {
                continue;
            };
            answers |= by_quic;
            let has_answered = udp.answered.contains(&url);
            is_silent |= !by_quic && by_tcp.is_ok_and(|place| place.is_some() || has_answered);
            if by_quic && !has_answered {
                udp.answered.push(url);
            }
        }
        let is_blocked = is_silent && !answers;
        tracing::debug!(is_blocked, "asked the canaries by QUIC");
        udp.heard = Some((began, is_blocked));
        is_blocked
    }

    /// HTTP/3 works just now: finds out, once in a while, which canaries answer by QUIC.
    pub async fn learn_quic(&self) {
        let Ok(mut udp) = self.udp.try_lock() else {
            return;
        };
        let now = clock::tick();
        if udp.learned.is_some_and(|at| now - at < LEARNS_EVERY) {
            return;
        }
        udp.learned = Some(now);
        for url in self.https() {
            if !udp.answered.contains(&url)
                && self.prober.answers_by_quic(&url, None, QUIC_ROUND).await
            {
                udp.answered.push(url);
            }
        }
    }

    fn https(&self) -> Vec<Url> {
        let urls = match &self.canaries {
            Canaries::Urls(urls) => urls.as_slice(),
            Canaries::None | Canaries::MailServer { .. } => &[],
        };
        let https = urls.iter().filter(|url| url.scheme() == "https");
        https.cloned().collect()
    }
}
