//! Who watches the watcher: an outbound ping for as long as the daemon is well, and a last word when
//! it stops being so.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use url::Url;

use super::fitness;
use super::health::Health;
use crate::clock;
use crate::domain::mask::{self, Masks};
use crate::domain::probe::End;
use crate::domain::settings::HeartbeatSettings;
use crate::domain::target::{Credentials, IpVersion, Manner, Method, Proxy, Target};
use crate::probe::Prober;

/// A ping that is not answered within this time failed; the next one comes anyway.
const PING_WITHIN: Duration = Duration::from_secs(10);

/// How often health is looked at: `fail_url` leaves within this time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A last word that nobody heard is repeated this often, one interval apart.
const LAST_WORDS_MAX: u32 = 5;

/// Runs for as long as the settings have a sender; without settings it only waits for some.
pub async fn run(
    mut settings: watch::Receiver<Option<(HeartbeatSettings, Arc<Prober>)>>,
    health: Arc<Health>,
) {
    loop {
        let current = settings.borrow_and_update().clone();
        let pulse = async {
            match current {
                Some((settings, prober)) => pulse(&settings, &prober, &health).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = pulse => {}
            changed = settings.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn pulse(settings: &HeartbeatSettings, prober: &Arc<Prober>, health: &Health) {
    let mut next_at = clock::tick();
    let mut was_well = false;
    let mut last_words = 0;
    loop {
        let troubles = fitness::troubles(health, clock::now());
        let well = troubles.is_empty();
        if well && !was_well {
            next_at = clock::tick();
        } else if was_well && !well {
            tracing::warn!(because = troubles.join("; "), "the heartbeat stops");
            last_words = if settings.fail_url.is_some() {
                LAST_WORDS_MAX
            } else {
                0
            };
            next_at = clock::tick();
        }
        was_well = well;
        if clock::tick() >= next_at {
            next_at = clock::tick() + settings.interval;
            if well {
                ping(&settings.url, prober).await;
            } else if last_words > 0
                && let Some(url) = &settings.fail_url
            {
                let heard = ping(url, prober).await;
                last_words = if heard { 0 } else { last_words - 1 };
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One request; whether it was answered at all.
async fn ping(url: &Url, prober: &Arc<Prober>) -> bool {
    let probe = prober.run(&target(url), clock::now()).await;
    match probe.end {
        End::Answered(answer) if answer.hop.status < 400 => true,
        End::Answered(answer) => {
            let status = answer.hop.status;
            tracing::warn!(url = %mask::without_userinfo(url), status, "the heartbeat is not welcome");
            true
        }
        End::Refused { detail, .. } | End::Failed { detail, .. } => {
            tracing::warn!(url = %mask::without_userinfo(url), detail, "the heartbeat was not heard");
            false
        }
    }
}

fn target(url: &Url) -> Target {
    Target::new(
        url,
        Manner {
            method: Method::Get,
            headers: Vec::new(),
            body: None,
            credentials: Credentials::None,
            follow_redirects: true,
            max_redirects: 5,
            allow_downgrade: false,
            allow_private_redirect: true,
            cookies: false,
            timeout: PING_WITHIN,
            max_body: 4096,
            wants_body: false,
            ip_version: IpVersion::Any,
            ca_pem: None,
            client_certificate: None,
            files: None,
            verify_tls: true,
            proxy: Proxy::None,
            masks: Masks::default(),
        },
    )
}
