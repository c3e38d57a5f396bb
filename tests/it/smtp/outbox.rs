//! The outbox against the scripted server: nothing lost, nothing doubled but the unavoidable repeat.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use sitewatch::clock;
use sitewatch::config::{self, Config, Environment};
use sitewatch::daemon::notifier::flush_once::{Emptied, empty};
use sitewatch::domain::check::{Chain, Check, Failure, FailureKind, Timings, Verdict};
use sitewatch::domain::incident::{Cause, IncidentKey};
use sitewatch::domain::monitor::{MonitorId, MonitorName};
use sitewatch::domain::notification::{About, Letter, News, Notice};
use sitewatch::domain::settings::SmtpTls;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::mail::mailer::Mailer;
use sitewatch::policy::outbox::queued::{Holds, Tries};
use sitewatch::policy::outbox::retry::{Outcome, Settled};
use sitewatch::store::outbox::{attempts, queries};
use sitewatch::store::writer::Store;

use super::server::{Act, At, Script, Server};
use super::steps::{PATIENT, address, settings};

pub struct Post {
    _directory: tempfile::TempDir,
    pub store: Store,
    config: Config,
    pub server: Server,
    mailer: Arc<Mailer>,
    begun: Timestamp,
}

impl Post {
    pub async fn new(faults: Vec<(At, Option<&'static str>, usize, Act)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("monitors.toml");
        let text = "[daemon]\ndatabase = \"test.db\"\n\
                    [email]\nhost = \"localhost\"\ntls = \"none\"\nfrom = \"alerts@example.com\"\nto = [\"ops@example.com\"]\n";
        std::fs::write(&file, text).unwrap();
        let environment = Environment {
            directory: directory.path().to_owned(),
            ..Environment::default()
        };
        let config = config::load(&file, &environment).unwrap();
        let begun = clock::now();
        let store = Store::open(&config.daemon.database, begun).unwrap();
        let server = Server::start(Script {
            faults,
            ..Script::default()
        })
        .await;
        let mailer = Arc::new(Mailer::new(&settings(&server, SmtpTls::None, PATIENT)).unwrap());
        Self {
            _directory: directory,
            store,
            config,
            server,
            mailer,
            begun,
        }
    }

    pub fn queue(&mut self, letters: &[Letter]) {
        let batch = self.store.batch().unwrap();
        for letter in letters {
            queries::enqueue(batch.outbox(), letter, self.begun).unwrap();
        }
        batch.commit().unwrap();
    }

    pub async fn send(&mut self) -> Emptied {
        let mailer = Arc::clone(&self.mailer);
        self.send_by(&mailer).await
    }

    pub async fn send_by(&mut self, mailer: &Mailer) -> Emptied {
        let sent = empty(&mut self.store, &self.config, Some(mailer), "mon1");
        sent.await.unwrap()
    }

    pub fn states(&self) -> Vec<String> {
        let mut select = self
            .store
            .outbox()
            .prepare("SELECT kind || ' ' || mailbox || ' ' || state FROM outbox ORDER BY id")
            .unwrap();
        let rows = select.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub fn came(&self) -> Vec<String> {
        let shown = |name: &str, message: &super::server::Message| {
            message.field(name).unwrap_or("-").to_owned()
        };
        self.server
            .came()
            .iter()
            .map(|message| format!("{} {}", message.to, shown("Subject", message)))
            .collect()
    }
}

fn check(at: Timestamp, verdict: Verdict, status: u16) -> Check {
    Check {
        at,
        verdict,
        status: Some(status),
        chain: Arc::new(Chain {
            redirects: Vec::new(),
            final_url: "http://shop.test/".into(),
            remote_addr: None,
        }),
        redirect_times: Box::default(),
        timings: Timings::default(),
        http_version: None,
        body_bytes: 0,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

fn cause() -> Cause {
    Cause {
        failure: Failure {
            kind: FailureKind::Status,
            detail: "503, not 200-299".into(),
        },
        status: Some(503),
    }
}

pub fn letter(post: &Post, monitor: i64, up: bool, to: &[&str]) -> Letter {
    let opened_at = post.begun.minus(Duration::from_secs(120));
    let incident = IncidentKey {
        monitor: MonitorId(monitor),
        opened_at,
    };
    let news = if up {
        News::Up {
            incident,
            cause: cause(),
            closed_at: post.begun,
            check: Box::new(check(post.begun, Verdict::Up, 200)),
            checks_failed: 3,
            flapping_since: None,
        }
    } else {
        News::Down {
            incident,
            cause: cause(),
            up_since: None,
            check: Box::new(check(opened_at, Verdict::Down(cause().failure), 503)),
            checks_failed: 3,
            last_good: None,
            held: None,
            locations: Vec::new(),
        }
    };
    Letter {
        notice: Notice {
            about: Some(About {
                monitor: MonitorId(monitor),
                name: MonitorName::parse(&format!("site {monitor}")).unwrap(),
                url: "http://shop.test/".into(),
            }),
            news,
            decided_at: post.begun,
        },
        message_id: format!("{monitor}-{}@example.com", if up { "up" } else { "down" }),
        to: to.iter().map(|to| address(to).into()).collect(),
    }
}

pub const OPS: &str = "ops@example.com";
pub const BOSS: &str = "boss@example.com";

#[tokio::test]
async fn one_refused_recipient_keeps_nobody_else_from_the_mail() {
    let mut post = Post::new(vec![(
        At::Rcpt,
        Some(BOSS),
        1,
        Act::Say("550 5.1.1 no such user"),
    )])
    .await;
    post.queue(&[letter(&post, 1, false, &[OPS, BOSS])]);
    let emptied = post.send().await;
    assert_eq!((emptied.sent, emptied.left), (1, 1), "{:?}", emptied.lines);
    assert_eq!(post.came(), ["ops@example.com [DOWN 503] site 1"]);
    assert_eq!(
        post.states(),
        ["down ops@example.com sent", "down boss@example.com failed"]
    );
    // A person mended the address: the failed one goes, the other is not sent again.
    post.send().await;
    assert_eq!(
        post.came(),
        [
            "ops@example.com [DOWN 503] site 1",
            "boss@example.com [DOWN 503] site 1"
        ]
    );
}

#[tokio::test]
async fn greylisting_costs_time_and_nothing_else() {
    let mut post = Post::new(vec![(At::Rcpt, None, 2, Act::Say("450 4.2.0 come back"))]).await;
    post.queue(&[letter(&post, 1, false, &[OPS])]);
    for _ in 0..2 {
        assert_eq!(post.send().await.sent, 0);
        assert_eq!(post.states(), ["down ops@example.com waiting"]);
    }
    assert_eq!(post.send().await.sent, 1);
    assert_eq!(post.came().len(), 1);
}

#[tokio::test]
async fn an_unknown_outcome_is_repeated_twice_with_the_same_id() {
    let mut post = Post::new(vec![(At::End, None, 99, Act::Cut)]).await;
    post.queue(&[letter(&post, 1, false, &[OPS])]);
    for _ in 0..3 {
        assert_eq!(post.send().await.sent, 0);
    }
    assert_eq!(post.states(), ["down ops@example.com failed"]);
    let came = post.server.came();
    assert_eq!(came.len(), 3);
    for message in came {
        assert_eq!(message.field("Message-ID"), Some("<1-down@example.com>"));
    }
}

#[tokio::test]
async fn an_up_follows_a_down_that_may_have_arrived() {
    let mut post = Post::new(vec![(At::End, None, 1, Act::Cut)]).await;
    post.queue(&[letter(&post, 1, false, &[OPS])]);
    post.send().await;
    post.queue(&[letter(&post, 1, true, &[OPS])]);
    post.send().await;
    assert_eq!(
        post.came(),
        [
            "ops@example.com [DOWN 503] site 1",
            "ops@example.com [DOWN 503] site 1",
            "ops@example.com [UP after 2m] site 1",
        ]
    );
    let came = post.server.came();
    assert_eq!(came[2].field("In-Reply-To"), Some("<1-down@example.com>"));
    assert_eq!(came[2].field("References"), Some("<1-down@example.com>"));
    assert_eq!(came[2].field("X-Sitewatch-State"), Some("up"));
}

#[tokio::test]
async fn an_outage_that_is_over_is_told_once() {
    let mut post = Post::new(vec![(At::Greeting, None, 1, Act::Say("421 not now"))]).await;
    post.queue(&[letter(&post, 1, false, &[OPS])]);
    assert_eq!(post.send().await.sent, 0);
    post.queue(&[letter(&post, 1, true, &[OPS])]);
    assert_eq!(post.send().await.sent, 1);
    assert_eq!(post.came(), ["ops@example.com [WAS DOWN 2m] site 1"]);
    assert_eq!(
        post.states(),
        [
            "down ops@example.com sent",
            "up ops@example.com sent",
            "was_down ops@example.com sent"
        ]
    );
    let incident = format!("1-{}", post.begun.minus(Duration::from_secs(120)).as_ms());
    let came = post.server.came();
    assert_eq!(
        came[0].field("X-Sitewatch-Incident"),
        Some(incident.as_str())
    );
    assert_eq!(came[0].field("In-Reply-To"), None);
}

#[tokio::test]
async fn forty_sites_at_once_are_one_digest_and_later_mails_refer_to_it() {
    let mut post = Post::new(vec![(At::End, None, 1, Act::Cut)]).await;
    let letters: Vec<Letter> = (1..=40)
        .map(|site| letter(&post, site, false, &[OPS]))
        .collect();
    post.queue(&letters);
    post.send().await;
    post.send().await;
    let came = post.server.came();
    assert_eq!(came.len(), 2, "one digest, and its repeat");
    let id = came[0].field("Message-ID").unwrap().to_owned();
    for message in &came {
        assert_eq!(message.field("Message-ID"), Some(id.as_str()));
        let incidents = message
            .data
            .lines()
            .filter(|line| line.starts_with("X-Sitewatch-Incident: "));
        assert_eq!(incidents.count(), 40);
        assert!(message.field("Subject").unwrap().starts_with("[40 DOWN: "));
    }
    post.queue(&[letter(&post, 7, true, &[OPS])]);
    post.send().await;
    let came = post.server.came();
    assert_eq!(came[2].field("In-Reply-To"), Some(id.as_str()));
    // So does the digest of their recoveries, and to the single mail of one that was told alone.
    post.queue(&[letter(&post, 99, false, &[OPS])]);
    post.send().await;
    let recovered: Vec<Letter> = [20, 21, 22, 99]
        .into_iter()
        .map(|site| letter(&post, site, true, &[OPS]))
        .collect();
    post.queue(&recovered);
    post.send().await;
    let came = post.server.came();
    let last = came.last().unwrap();
    assert!(last.field("Subject").unwrap().starts_with("[4 UP: "));
    let both = format!("{id} <99-down@example.com>");
    let unfolded = last.data.replace("\r\n ", " ");
    for name in ["In-Reply-To", "References"] {
        let field = format!("\r\n{name}: {both}\r\n");
        assert!(unfolded.contains(&field), "{unfolded}");
    }
    assert!(post.states().iter().all(|state| state.ends_with(" sent")));
}

#[tokio::test]
async fn a_wrong_configuration_stops_all_mail_and_loses_none() {
    let mut post = Post::new(vec![(
        At::Mail,
        None,
        1,
        Act::Say("530 5.7.0 authenticate first"),
    )])
    .await;
    post.queue(&[letter(&post, 1, false, &[OPS, BOSS])]);
    let emptied = post.send().await;
    assert_eq!(
        (emptied.sent, emptied.lines.len()),
        (0, 1),
        "one try, then a pause"
    );
    assert_eq!(post.send().await.sent, 2);
}

#[tokio::test]
async fn a_process_that_dies_while_sending_repeats_at_most_twice() {
    let mut post = Post::new(Vec::new()).await;
    post.queue(&[letter(&post, 1, false, &[OPS])]);
    for _ in 0..3 {
        // Noted, taken by the server, and dead before that could be written.
        let lane = queries::lanes(post.store.outbox()).unwrap().remove(0);
        let batch = post.store.batch().unwrap();
        attempts::begin(batch.outbox(), lane.waiting[0].id, post.begun).unwrap();
        batch.commit().unwrap();
        let batch = post.store.batch().unwrap();
        let found = attempts::recover(batch.outbox(), clock::now()).unwrap();
        batch.commit().unwrap();
        assert_eq!(found.len(), 1);
    }
    assert_eq!(post.states(), ["down ops@example.com failed"]);
    assert!(queries::lanes(post.store.outbox()).unwrap().is_empty());
    // Once recovered it is not counted again.
    let batch = post.store.batch().unwrap();
    let found = attempts::recover(batch.outbox(), clock::now()).unwrap();
    batch.commit().unwrap();
    assert!(found.is_empty());
    // A person who insists gets it, with the same Message-ID.
    assert_eq!(post.send().await.sent, 1);
    let came = post.server.came();
    assert_eq!(came[0].field("Message-ID"), Some("<1-down@example.com>"));
}

#[tokio::test]
async fn an_attempt_is_noted_before_the_message_goes_and_not_sooner() {
    let server = Server::start(Script {
        faults: vec![(At::Rcpt, None, 1, Act::Say("450 4.2.0 come back"))],
        ..Script::default()
    })
    .await;
    let mailer = Mailer::new(&settings(&server, SmtpTls::None, PATIENT)).unwrap();
    let noted = Cell::new(0);
    let note = || async {
        noted.set(noted.get() + 1);
        Ok(())
    };
    let to = address(OPS);
    let mail = super::steps::mail();
    let refused = mailer.send(&mail, &to, note()).await;
    assert!(matches!(refused, Outcome::Temporary { .. }), "{refused:?}");
    assert_eq!(noted.get(), 0, "nothing that could arrive went out");
    let full = async { Err("no space left on the device".to_owned()) };
    let unwritten = mailer.send(&mail, &to, full).await;
    assert_eq!(
        unwritten,
        Outcome::Temporary {
            holds: Holds::Recipient,
            error: "not sent, since that could not be written down: no space left on the device"
                .into()
        }
    );
    assert_eq!(server.came().len(), 0);
    let taken = mailer.send(&mail, &to, note()).await;
    assert!(matches!(taken, Outcome::Accepted(_)), "{taken:?}");
    assert_eq!((noted.get(), server.came().len()), (1, 1));
}

#[tokio::test]
async fn a_failed_down_is_not_revived_after_its_recovery_was_told() {
    let mut post = Post::new(vec![(
        At::Rcpt,
        None,
        1,
        Act::Say("550 5.1.1 no such user"),
    )])
    .await;
    post.queue(&[letter(&post, 1, false, &[OPS])]);
    // The daemon's way: one try each, nothing revived.
    let lane = queries::lanes(post.store.outbox()).unwrap().remove(0);
    let batch = post.store.batch().unwrap();
    let refused = Settled::Failed {
        error: "550 5.1.1 no such user".into(),
    };
    queries::settle(batch.outbox(), lane.waiting[0].id, &refused, post.begun).unwrap();
    batch.commit().unwrap();
    post.queue(&[letter(&post, 1, true, &[OPS])]);
    let lane = queries::lanes(post.store.outbox()).unwrap().remove(0);
    let batch = post.store.batch().unwrap();
    queries::settle(
        batch.outbox(),
        lane.waiting[0].id,
        &Settled::Sent,
        post.begun,
    )
    .unwrap();
    batch.commit().unwrap();
    let emptied = post.send().await;
    assert_eq!((emptied.sent, emptied.left), (0, 0));
    assert_eq!(
        post.states(),
        ["down ops@example.com dropped", "up ops@example.com sent"]
    );
}

#[tokio::test]
async fn a_pause_is_remembered_until_the_server_speaks_of_mails_again() {
    let mut post = Post::new(vec![(
        At::Mail,
        None,
        2,
        Act::Say("530 5.7.0 authenticate first"),
    )])
    .await;
    post.queue(&[letter(&post, 1, false, &[OPS])]);
    post.send().await;
    let first = attempts::pause(post.store.outbox()).unwrap().unwrap();
    assert!(first.why.contains("authenticate first"), "{first:?}");
    post.send().await;
    let second = attempts::pause(post.store.outbox()).unwrap().unwrap();
    assert_eq!(first.since, second.since);
    assert!(second.tried_at >= first.tried_at && second.rests(second.tried_at));
    assert_eq!(post.send().await.sent, 1);
    assert_eq!(attempts::pause(post.store.outbox()).unwrap(), None);
}

#[tokio::test]
async fn what_was_put_off_is_due_at_a_start() {
    let mut post = Post::new(Vec::new()).await;
    post.queue(&[letter(&post, 1, false, &[OPS, BOSS])]);
    let lanes = queries::lanes(post.store.outbox()).unwrap();
    let batch = post.store.batch().unwrap();
    for (lane, holds) in lanes.iter().zip([Holds::Recipient, Holds::Refused]) {
        let later = Settled::Later {
            at: post.begun.plus(Duration::from_secs(900)),
            holds,
            unknown: false,
            error: "later".into(),
        };
        queries::settle(batch.outbox(), lane.waiting[0].id, &later, post.begun).unwrap();
    }
    let start = post.begun.plus(Duration::from_secs(10));
    attempts::due_at_start(batch.outbox(), start).unwrap();
    batch.commit().unwrap();
    let due: Vec<u64> = queries::lanes(post.store.outbox())
        .unwrap()
        .iter()
        .map(|lane| match lane.waiting[0].tries {
            Tries::Failed { next_at, .. } => next_at.since(post.begun).as_secs(),
            Tries::None => 0,
        })
        .collect();
    // Where the server refused us it is asked at most once a minute, however often the daemon starts.
    assert_eq!(due, [10, 60]);
}
