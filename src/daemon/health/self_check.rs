//! Is the daemon itself well? What the heartbeat, the watchdog, the status line and `status` go by.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::counters::{Health, Part, States};
use crate::domain::duration_text::Human;
use crate::domain::timestamp::Timestamp;

/// A check that was later than its interval is remembered against us for this long.
const OVERDUE_FOR: Duration = Duration::from_secs(60);

/// The database has to take a write within this time.
const WRITE_WITHIN: Duration = Duration::from_secs(60);

/// A mail may wait this long.
const MAIL_WAITS_AT_MOST: Duration = Duration::from_secs(15 * 60);

/// A mail that was refused for good is remembered against us for this long.
const REFUSED_FOR: Duration = Duration::from_secs(60 * 60);

/// A part that says nothing for this long is stuck, also where no watchdog asks.
const SILENT_AT_MOST: Duration = Duration::from_secs(60);

/// That files of ours were taken away is remembered against us for this long, also where all was mended at once: what
/// did it may come back.
const FILES_REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// `status` shows a trouble with files until this long after it is over.
const FILES_SHOWN_FOR: Duration = Duration::from_secs(60 * 60);

/// What is worth knowing of the daemon and is no trouble, a sentence each.
pub fn notes(health: &Health) -> Vec<String> {
    let shown = FILES_REMEMBERED_FOR..FILES_SHOWN_FOR;
    let files = health
        .files()
        .filter(|(_, over)| over.is_some_and(|over| shown.contains(&over)))
        .map(|(text, _)| text);
    files
        .into_iter()
        .chain(health.list_troubles())
        .chain(health.config_changed())
        .collect()
}

/// What is wrong with the daemon, a sentence each; nothing: it is healthy, the heartbeat may ping.
///
/// All of it is measured by the clock that neither steps nor stands still: that the time was set, or that the machine
/// slept, is no trouble.
pub fn troubles(health: &Health) -> Vec<String> {
    let mut troubles = Vec::new();
    if !on_time(health) {
        troubles.push(format!(
            "checks are later than their interval ({} slots missed since the start)",
            health.missed.load(Relaxed)
        ));
    }
    let unwritten = health.unwritten_for();
    if health.write_failing.load(Relaxed) {
        troubles.push("the database takes no writes".to_owned());
    } else if unwritten > WRITE_WITHIN {
        troubles.push(format!(
            "the database has taken no write for {}",
            Human(unwritten)
        ));
    }
    if let Some((text, over)) = health.files()
        && over.is_none_or(|over| over < FILES_REMEMBERED_FOR)
    {
        troubles.push(text);
    }
    let (waits, refused) = health.mail_ages();
    if let Some(waits) = waits.filter(|waits| *waits > MAIL_WAITS_AT_MOST) {
        troubles.push(format!("a mail has been waiting for {}", Human(waits)));
    }
    if refused.is_some_and(|ago| ago < REFUSED_FOR) {
        troubles.push(match health.mail_troubles().refused {
            Some((to, why)) => format!(
                "a mail to {to} was refused for good within the last hour ({why}); \
                 `sitewatch email retry` tries it again"
            ),
            None => "a mail was refused for good within the last hour".to_owned(),
        });
    }
    if health.mail_troubles().is_shut {
        troubles.push("nobody can be told: every way out is paused".to_owned());
    }
    for part in Part::ALL {
        let silent = health.silent_for(part);
        if silent > SILENT_AT_MOST {
            troubles.push(format!(
                "the {} has made no progress for {}",
                part.as_str(),
                Human(silent)
            ));
        }
    }
    troubles
}

/// Why no mail leaves, while none does, for a person. It is not among the troubles: a heartbeat goes on until a mail
/// has really waited too long.
pub fn pause(health: &Health, now: Timestamp) -> Option<String> {
    let pause = health.mail_pause()?;
    Some(format!(
        "MAIL IS STUCK for {}: {}; tried again {}, at a reload and by `sitewatch email retry`",
        Human(now.since(pause.since)),
        pause.why,
        if pause.rests(now) {
            format!("in {}", Human(pause.until.since(now)))
        } else {
            "now".to_owned()
        }
    ))
}

/// What keeps single mails, or all of them for a moment, a sentence each. None of it is a trouble of the daemon until
/// a mail has really waited too long.
pub fn rests(health: &Health, now: Timestamp) -> Vec<String> {
    let troubles = health.mail_troubles();
    let when = |until: Timestamp| {
        if until > now {
            format!("in {}", Human(until.since(now)))
        } else {
            "now".to_owned()
        }
    };
    let mut sentences = Vec::new();
    if let Some(rest) = &troubles.rest {
        sentences.push(format!(
            "mail waits for {}: {}; tried again {}",
            Human(now.since(rest.since)),
            rest.why,
            when(rest.until)
        ));
    }
    for channel in &troubles.channels {
        let name = &channel.name;
        if let Some(pause) = &channel.pause {
            sentences.push(format!(
                "THE CHANNEL {name} IS STUCK for {}: {}; tried again {}, at a reload and by \
                 `sitewatch email retry`",
                Human(now.since(pause.since)),
                pause.why,
                when(pause.until)
            ));
        } else if let Some(rest) = &channel.rest {
            sentences.push(format!(
                "the channel {name} waits for {}: {}; tried again {}",
                Human(now.since(rest.since)),
                rest.why,
                when(rest.until)
            ));
        }
    }
    sentences.extend(troubles.resting.iter().map(|resting| {
        format!(
            "mail to {} rests for {}: {}; tried again {} and by `sitewatch email retry`",
            resting.to,
            Human(now.since(resting.since)),
            resting.why,
            when(resting.until)
        )
    }));
    sentences
}

/// That we are offline, while we are, for a person. It is no trouble of ours.
pub fn blind(health: &Health, now: Timestamp) -> Option<String> {
    let since_ms = health.blind_since_ms.load(Relaxed);
    (since_ms > 0).then(|| {
        format!(
            "OFFLINE for {}: sites fail and no canary answers; nothing is alerted until one does",
            Human(now.since(Timestamp::from_ms(since_ms)))
        )
    })
}

/// That the pings of the heartbeat are not heard, for a person. Who does not hear them tells people anyway.
pub fn heartbeat(health: &Health) -> Option<String> {
    let why = health.heartbeat_trouble()?;
    Some(format!("HEARTBEAT NOT HEARD: {why}"))
}

/// Whether no check was later than its interval within the last minute.
pub fn on_time(health: &Health) -> bool {
    health.overdue_for().is_none_or(|ago| ago >= OVERDUE_FOR)
}

/// The parts that said nothing for longer than this.
pub fn stuck(health: &Health, longer_than: Duration) -> Vec<Part> {
    Part::ALL
        .into_iter()
        .filter(|part| health.silent_for(*part) > longer_than)
        .collect()
}

/// The unit's status: `412 sites: 410 up, 2 down (shop 14m); 1 mail queued`.
pub fn line(states: &States, mails: Option<u64>, troubles: &[String], now: Timestamp) -> String {
    let total =
        states.pending + states.up + states.degraded + states.down + states.unknown + states.paused;
    let mut counts = Vec::new();
    for (count, word) in [
        (states.up, "up"),
        (states.degraded, "degraded"),
        (states.down, "down"),
        (states.unknown, "unknown"),
        (states.pending, "not checked yet"),
        (states.paused, "paused"),
    ] {
        if count == 0 {
            continue;
        }
        let mut text = format!("{count} {word}");
        if word == "down" && !states.down_first.is_empty() {
            let named = states
                .down_first
                .iter()
                .map(|(name, since)| format!("{name} {}", Human(now.since(*since))));
            text.push_str(&format!(" ({}", named.collect::<Vec<_>>().join(", ")));
            if states.down_first.len() < states.down as usize {
                text.push_str(", …");
            }
            text.push(')');
        }
        counts.push(text);
    }
    let mut line = match total {
        0 => "no sites are configured".to_owned(),
        1 => format!("1 site: {}", counts.join(", ")),
        _ => format!("{total} sites: {}", counts.join(", ")),
    };
    match mails {
        None => line.push_str("; no [email] and no [[channel]]: nobody is told"),
        Some(0) => {}
        Some(1) => line.push_str("; 1 mail queued"),
        Some(many) => line.push_str(&format!("; {many} mails queued")),
    }
    for trouble in troubles {
        line.push_str("; ");
        line.push_str(trouble);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::monitor::MonitorName;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(1_795_377_600_000 + seconds * 1000)
    }

    async fn live(health: &Health, seconds: u64) {
        for _ in 0..seconds {
            tokio::time::advance(Duration::from_secs(1)).await;
            health.standstill.beat();
            for part in Part::ALL {
                health.beat(part);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_of_health() {
        let health = Health::new(at(0));
        let count = || troubles(&health).len();
        live(&health, 60).await;
        assert_eq!(count(), 0);
        live(&health, 1).await;
        assert_eq!(count(), 1, "no write yet");
        health.note_written(at(61));
        live(&health, 60).await;
        assert_eq!(count(), 0, "a write a minute");
        live(&health, 1).await;
        assert_eq!(count(), 1, "a write a minute");
        health.note_written(at(122));
        health.write_failing.store(true, Relaxed);
        assert_eq!(count(), 1, "a failing write");
        health.write_failing.store(false, Relaxed);
        health.note_overdue();
        live(&health, 59).await;
        assert_eq!(count(), 1, "a late check");
        live(&health, 1).await;
        assert_eq!(count(), 0, "a late check");
        health.note_mail(Some(at(0)), None, at(15 * 60));
        health.note_written(at(122));
        assert_eq!(count(), 0, "a stuck mail");
        live(&health, 1).await;
        assert_eq!(count(), 1, "a stuck mail");
        health.note_mail(None, Some(at(0)), at(3599));
        assert_eq!(count(), 1, "a refused mail");
        live(&health, 1).await;
        assert_eq!(count(), 0, "a refused mail");
        for _ in 0..61 {
            tokio::time::advance(Duration::from_secs(1)).await;
            health.standstill.beat();
        }
        assert_eq!(count(), 4, "no write, and silent parts");
        assert_eq!(stuck(&health, Duration::from_secs(30)), Part::ALL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_standstill_and_a_clock_step_are_no_trouble() {
        let health = Health::new(at(0));
        health.note_written(at(0));
        live(&health, 10).await;
        health.note_mail(Some(at(0)), None, at(10));
        // An hour of nothing; then the first to look looks before anybody else did anything.
        tokio::time::advance(Duration::from_secs(3600)).await;
        health.standstill.beat();
        assert_eq!(troubles(&health), [] as [&str; 0]);
        // The time was set, in both directions.
        for now in [at(100_000_000), at(-100_000_000)] {
            health.note_mail(Some(at(0)), None, now);
            health.note_written(now);
            live(&health, 5).await;
            assert_eq!(troubles(&health), [] as [&str; 0]);
        }
        // What is really late stays a trouble.
        live(&health, 900).await;
        assert_eq!(troubles(&health).len(), 2);
    }

    #[test]
    fn an_unheard_heartbeat_is_said_and_is_no_trouble() {
        let health = Health::new(at(0));
        assert_eq!(heartbeat(&health), None);
        health.set_heartbeat_trouble(Some("https://hc.example.com/ answered 404".into()));
        assert_eq!(
            heartbeat(&health).as_deref(),
            Some("HEARTBEAT NOT HEARD: https://hc.example.com/ answered 404")
        );
        assert_eq!(troubles(&health), [] as [&str; 0]);
    }

    #[test]
    fn being_offline_is_said_and_is_no_trouble() {
        let health = Health::new(at(0));
        assert_eq!(blind(&health, at(10)), None);
        health.blind_since_ms.store(at(10).as_ms(), Relaxed);
        assert_eq!(
            blind(&health, at(40)).as_deref(),
            Some(
                "OFFLINE for 30s: sites fail and no canary answers; nothing is alerted until one does"
            )
        );
        assert_eq!(troubles(&health), [] as [&str; 0]);
    }

    #[test]
    fn the_status_line() {
        let shop = MonitorName::parse("shop").unwrap();
        let mut states = States {
            up: 410,
            down: 2,
            down_first: vec![(shop, at(0))],
            ..States::default()
        };
        assert_eq!(
            line(&states, Some(1), &[], at(840)),
            "412 sites: 410 up, 2 down (shop 14m, …); 1 mail queued"
        );
        states.down = 1;
        assert_eq!(
            line(
                &states,
                None,
                &["the database takes no writes".into()],
                at(840)
            ),
            "411 sites: 410 up, 1 down (shop 14m); no [email] and no [[channel]]: nobody is told; \
             the database takes no writes"
        );
        assert_eq!(
            line(&States::default(), Some(0), &[], at(0)),
            "no sites are configured"
        );
    }
}
