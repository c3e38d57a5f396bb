//! Who watches the watcher: an outbound ping for as long as the daemon is well, and a last word when
//! it stops being so.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use url::Url;

use super::counters::Health;
use super::self_check;
use super::standstill::Stood;
use crate::clock;
use crate::domain::redaction;
use crate::domain::settings::HeartbeatSettings;
use crate::probe::{Prober, Redirects};

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
    // Another configuration: what was not heard was perhaps mended by it.
    health.set_heartbeat_trouble(None);
    loop {
        health.standstill.beat();
        let troubles = self_check::troubles(health);
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
                let _ = ping(&settings.url, settings, prober, health).await;
            } else if last_words > 0
                && let Some(url) = &settings.fail_url
            {
                let heard = ping(url, settings, prober, health).await;
                last_words = if heard { 0 } else { last_words - 1 };
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One request; whether it was heard: answered by a status below 400.
async fn ping(
    url: &Url,
    settings: &HeartbeatSettings,
    prober: &Arc<Prober>,
    health: &Health,
) -> bool {
    let began = health.standstill.beat();
    let trouble = match prober.ask(url, Redirects::Follow, PING_WITHIN).await {
        // A redirect that leads nowhere is no answer.
        Ok(status @ (301..=303 | 307 | 308 | 400..)) => Some(format!("it answered {status}")),
        Ok(_) => None,
        Err(why) => Some(why),
    };
    if trouble.is_some() && health.standstill.since(began) != Stood::No {
        // Nobody listened to the answer; the next ping tells.
        return false;
    }
    let masked = |text: &str| settings.masks.apply(text).into_owned();
    let shown = masked(&redaction::shown(&redaction::without_userinfo(url)));
    note(&shown, trouble.as_deref().map(masked), health)
}

/// Keeps the result of a ping, and logs it if it has changed. A ping comes every minute, so a heartbeat that is never
/// heard must not fill the log. Returns whether the ping was heard.
fn note(url: &str, trouble: Option<String>, health: &Health) -> bool {
    let heard = trouble.is_none();
    let trouble = trouble.map(|why| format!("{url}: {why}"));
    let known = health.heartbeat_trouble();
    if trouble != known {
        match &trouble {
            Some(why) => tracing::warn!("the heartbeat is not heard: {why}"),
            None => tracing::info!(url, "the heartbeat is heard again"),
        }
        health.set_heartbeat_trouble(trouble);
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;

    #[test]
    fn what_is_not_heard_is_said_until_it_is_heard() {
        let health = Health::new(Timestamp::from_ms(0));
        let url = "https://hc.example.com/x";
        assert!(!note(url, Some("it answered 404".into()), &health));
        let said = "HEARTBEAT NOT HEARD: https://hc.example.com/x: it answered 404";
        assert_eq!(self_check::heartbeat(&health).as_deref(), Some(said));
        assert!(!note(url, Some("it answered 404".into()), &health));
        assert!(note(url, None, &health));
        assert_eq!(self_check::heartbeat(&health), None);
    }
}
