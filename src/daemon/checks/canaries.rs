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
}

impl Aviary {
    /// Canaries that nobody has asked yet.
    pub fn new(canaries: Canaries, prober: Arc<Prober>) -> Self {
        Self {
            canaries,
            prober,
            heard: Mutex::new(None),
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
