//! The notifier's own loop in virtual time: when mails leave, wait for one another, come back, are given up.

use std::num::NonZeroU32;
use std::sync::Arc;

use sitewatch::clock::{self, Clock};
use sitewatch::config::Config;
use sitewatch::daemon::health::counters::Health;
use sitewatch::daemon::notifier::run::{self, Handle};
use sitewatch::daemon::recorder::engine::Recorder;
use sitewatch::daemon::recorder::message::{Entry, Reply};
use sitewatch::daemon::recorder::queue::{Door, queue};
use sitewatch::domain::channel::{Channel, ChannelName, Format, Service};
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::notification::{Letter, News, Notice};
use sitewatch::domain::secret::Secret;
use sitewatch::domain::settings::MailTransport;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::mail::mailer::Mailer;
use sitewatch::mail::memory::Memory;
use sitewatch::policy::alert::monitor::Order;
use sitewatch::policy::outbox::queued::Holds;
use sitewatch::policy::outbox::retry::Outcome;
use sitewatch::store::reader::Reader;
use sitewatch::store::writer::Store;
use tokio::time::{Duration, advance, sleep};

use crate::channels::channel;

use super::config::{config, monitor, recipient, seconds};
use super::scene::{START, Weather, look};

/// How often the recorder looks at its queue here.
const RECORDS_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Post {
    directory: tempfile::TempDir,
    pub(super) config: Arc<Config>,
    pub(super) clock: Clock,
    pub(super) door: Door,
    pub(super) memory: Memory,
    pub(super) notifier: Handle,
    pub(super) health: Arc<Health>,
    seen: u64,
}

impl Post {
    fn new(monitors: usize) -> Self {
        let names = (1..=monitors).map(|number| monitor(&format!("site-{number}")));
        let mut config = config(names.collect());
        config.alerts.reminder = None;
        for monitor in &mut config.monitors {
            Arc::make_mut(&mut Arc::make_mut(monitor).rules).to =
                vec![recipient("ops@example.com")];
        }
        Self::of(config)
    }

    pub(super) fn of(mut config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        config.daemon.database = directory.path().join("a.db");
        let outbox = MailTransport::Directory(directory.path().join("outbox"));
        config.email.as_mut().unwrap().transport = outbox;
        let config = Arc::new(config);
        let clock = Clock::Steady {
            from: START,
            at: clock::tick(),
        };
        let store = Store::open(&config.daemon.database, START).unwrap();
        let (mut recorder, _) = Recorder::open(store, Arc::clone(&config), START).unwrap();
        let memory = Memory::default();
        let from = config.email.as_ref().unwrap().from.clone();
        let mailer = Arc::new(Mailer::memory(memory.clone(), from));
        let (door, entries) = queue();
        let health = Arc::new(Health::new(START));
        let (notifier, _) = run::start_by(
            clock,
            Some(mailer),
            Arc::clone(&config),
            recorder.board(),
            door.clone(),
            Arc::clone(&health),
        );
        let wakes = notifier.clone();
        tokio::spawn(async move {
            loop {
                let outcome = recorder.work(entries.take(Duration::ZERO), clock.now());
                if outcome.mails {
                    wakes.wake();
                }
                sleep(RECORDS_EVERY).await;
            }
        });
        Self {
            directory,
            config,
            clock,
            door,
            memory,
            notifier,
            health,
            seen: 0,
        }
    }

    /// The sites with these numbers fail until they are down.
    pub(super) fn fail(&self, sites: std::ops::RangeInclusive<i64>) {
        for _ in 0..3 {
            for site in sites.clone() {
                self.check(site, Weather::Down(503));
            }
        }
    }

    pub(super) fn check(&self, site: i64, weather: Weather) {
        self.door.push(Entry::Checked {
            monitor: MonitorId(site),
            check: Box::new(look(weather, self.clock.now())),
        });
    }

    pub(super) fn order(&self, site: i64, order: Order) {
        self.door.push(Entry::Order {
            monitors: vec![MonitorId(site)],
            order,
            given: None,
            reply: Reply::none(),
        });
    }

    fn passed(&self) -> u64 {
        self.clock.now().since(START).as_secs()
    }

    /// Lets so many seconds pass; the seconds at which a delivery was tried.
    pub(super) async fn run(&mut self, count: u64) -> Vec<u64> {
        let mut tried = Vec::new();
        for _ in 0..count {
            sleep(seconds(1)).await;
            let asked = self.memory.asked();
            tried.extend((self.seen..asked).map(|_| self.passed()));
            self.seen = asked;
        }
        tried
    }

    /// The subjects of what came, in order.
    pub(super) fn came(&self) -> Vec<String> {
        let delivered = self.memory.delivered();
        let mails = delivered.iter();
        mails
            .map(|(_, mail)| mail.rendered.subject.clone())
            .collect()
    }

    pub(super) fn states(&self) -> Vec<String> {
        let reader = Reader::open(&self.directory.path().join("a.db")).unwrap();
        let mut rows = reader
            .outbox()
            .prepare("SELECT kind || ' ' || state FROM outbox ORDER BY id")
            .unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

/// One time, given that looks are a second apart.
#[track_caller]
pub(super) fn near(tried: &[u64], want: &[u64]) {
    let close = tried.len() == want.len()
        && tried
            .iter()
            .zip(want)
            .all(|(tried, want)| tried.abs_diff(*want) <= 2);
    assert!(close, "tried at {tried:?}, not at about {want:?}");
}

pub(super) fn later() -> Outcome {
    Outcome::Temporary {
        holds: Holds::Recipient,
        error: "450 later".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn mails_wait_for_company_and_after_a_digest_they_collect() {
    let mut post = Post::new(9);
    post.fail(1..=1);
    near(&post.run(60).await, &[10]);
    assert_eq!(post.came(), ["[DOWN 503] site-1"]);
    // Five at once are one digest; what comes in the minute after it comes at its end.
    post.fail(2..=6);
    near(&post.run(60).await, &[70]);
    assert!(
        post.came()[1].starts_with("[5 DOWN: site-2, site-3, "),
        "{:?}",
        post.came()
    );
    post.fail(7..=7);
    near(&post.run(120).await, &[130]);
    assert_eq!(post.came()[2..], ["[DOWN 503] site-7"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_later_is_asked_ever_more_rarely() {
    let mut post = Post::new(1);
    post.memory.script(vec![later(); 7]);
    post.fail(1..=1);
    let tried = post.run(2400).await;
    assert_eq!(tried.len(), 8, "{tried:?}");
    let waits: Vec<u64> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, want) in waits.iter().zip([5, 10, 20, 40, 80, 160, 320]) {
        assert!(
            (want * 8 / 10 - 2..=want * 12 / 10 + 2).contains(wait),
            "{waits:?}"
        );
    }
    // Written down why, and told in the mail.
    assert_eq!(post.came(), ["[DOWN 503] site-1"]);
    let (_, mail) = &post.memory.delivered()[0];
    let text = mail.rendered.text.replace('\n', " ");
    assert!(
        text.contains("could not be delivered before (450 later)"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_failed_once_is_late_and_says_so() {
    let mut post = Post::new(1);
    post.memory.script([later()]);
    post.fail(1..=1);
    post.run(60).await;
    assert_eq!(post.came(), ["[DOWN 503] site-1"]);
    let (_, mail) = &post.memory.delivered()[0];
    let text = mail.rendered.text.replace('\n', " ");
    assert!(text.contains("This mail left "), "{text}");
    assert!(text.contains("delivered before (450 later)"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_merged_mail_knows_why_it_is_late() {
    let mut post = Post::new(1);
    post.memory.script(vec![later(); 2]);
    post.fail(1..=1);
    post.run(20).await;
    for _ in 0..2 {
        post.check(1, Weather::Up);
    }
    post.run(120).await;
    assert_eq!(post.came().len(), 1, "{:?}", post.came());
    assert!(post.came()[0].starts_with("[WAS DOWN "));
    let (_, mail) = &post.memory.delivered()[0];
    let text = mail.rendered.text.replace('\n', " ");
    assert!(text.contains("delivered before (450 later)"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn after_five_days_a_mail_is_given_up_and_kept() {
    let mut post = Post::new(1);
    post.memory.script(vec![later(); 2000]);
    post.fail(1..=1);
    post.run(30).await;
    let mut given_up = None;
    // In leaps of half an hour, which is how rarely it is asked in the end.
    for _ in 0..300 {
        advance(seconds(1798)).await;
        post.run(2).await;
        if post.states() == ["down failed"] {
            given_up = Some(post.passed());
            break;
        }
    }
    let day = 86_400;
    let given_up = given_up.expect("given up");
    assert!(
        (5 * day..5 * day + 2 * 3600).contains(&given_up),
        "after {given_up} s"
    );
    let asked = post.memory.asked();
    assert!((150..400).contains(&asked), "{asked} tries");
    assert!(post.came().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_password_rests_everything_for_fifteen_minutes() {
    let mut config = config(vec![monitor("site-1"), monitor("site-2")]);
    config.alerts.reminder = None;
    let mut post = Post::of(config);
    let refused = || Outcome::Pause("535 5.7.8 no".into());
    post.memory.script([refused()]);
    // Two recipients share a conversation, which ends with the refusal; then all is silent.
    post.fail(1..=1);
    near(&post.run(60).await, &[10]);
    let pause = post.health.mail_pause().unwrap();
    assert_eq!(pause.why, "535 5.7.8 no");
    // A new alert changes nothing, and after the pause one mail goes first.
    post.memory.script([refused()]);
    post.fail(2..=2);
    near(&post.run(880).await, &[910]);
    // Whoever mended it asks for it, and everything leaves in order.
    let handle = post.notifier.clone();
    let retried = tokio::spawn(async move { handle.retry().await });
    let tried = post.run(30).await;
    retried.await.unwrap();
    assert_eq!(tried.len(), 4, "{tried:?}");
    assert_eq!(post.health.mail_pause(), None);
    assert!(
        post.states().iter().all(|state| state == "down sent"),
        "{:?}",
        post.states()
    );
}

/// Two recipients share a conversation; the first in the order of the alphabet is `boss@`.
fn two_recipients() -> Post {
    let mut config = config(vec![monitor("site-1")]);
    config.alerts.reminder = None;
    for monitor in &mut config.monitors {
        Arc::make_mut(&mut Arc::make_mut(monitor).rules).to =
            vec![recipient("boss@example.com"), recipient("ops@example.com")];
    }
    Post::of(config)
}

fn rise(post: &Post) {
    for _ in 0..2 {
        post.check(1, Weather::Up);
    }
}

async fn retry(post: &Post) -> String {
    let handle = post.notifier.clone();
    format!("{:?}", handle.retry().await)
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_cannot_be_set_up_keeps_what_waits_for_it() {
    let mut config = config(vec![monitor("site-1")]);
    config.alerts.reminder = None;
    config.channels = vec![Arc::new(Channel {
        name: ChannelName::parse("hook").unwrap(),
        ca_pem: Some(Arc::from(&b"no certificate"[..])),
        ..channel::of(Format::Json)
    })];
    for monitor in &mut config.monitors {
        Arc::make_mut(&mut Arc::make_mut(monitor).rules).to =
            vec![recipient("ops@example.com"), recipient("hook")];
    }
    let mut post = Post::of(config);
    post.fail(1..=1);
    post.run(60).await;
    // The others hear of it once.
    let mut came = post.came();
    came.sort();
    assert_eq!(came.len(), 2, "{came:?}");
    assert!(came[1].starts_with("[TROUBLE channel hook]"), "{came:?}");
    let mut states = post.states();
    states.sort();
    assert_eq!(states, ["down sent", "down waiting", "trouble sent"]);
    let sentences = sitewatch::daemon::health::self_check::rests(&post.health, post.clock.now());
    assert!(
        sentences[0].contains("THE CHANNEL hook IS STUCK"),
        "{sentences:?}"
    );
    // Each try that fails again is none that anybody is told of.
    retry(&post).await;
    post.run(2000).await;
    assert_eq!(post.came().len(), 2, "{:?}", post.came());
    assert!(post.states().contains(&"down waiting".to_owned()));
}

/// A service that takes connections and says nothing, told of the same outages as a mailbox.
#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_does_not_delay_mail() {
    const SITES: i64 = 100;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let names = (1..=SITES).map(|number| monitor(&format!("site-{number}")));
    let mut config = config(names.collect());
    config.alerts.reminder = None;
    let mut hook = channel::of(Format::Json);
    hook.name = ChannelName::parse("hook").unwrap();
    hook.service = Service::Json {
        url: Secret::new(url),
        token: None,
        key: None,
    };
    config.channels = vec![Arc::new(hook)];
    for monitor in &mut config.monitors {
        Arc::make_mut(&mut Arc::make_mut(monitor).rules).to =
            vec![recipient("ops@example.com"), recipient("hook")];
    }
    let group_wait = config.alerts.group_wait;
    let mut post = Post::of(config);
    for site in 1..=SITES {
        post.fail(site..=site);
        post.run(11 + u64::try_from(site).unwrap() % 7).await;
    }
    post.run(30).await;
    let mut late: Vec<Duration> = post
        .memory
        .delivered()
        .iter()
        .filter(|(_, mail)| mail.rendered.subject.starts_with("[DOWN"))
        .map(|(_, mail)| mail.date.since(mail.queued_at.plus(group_wait)))
        .collect();
    late.sort();
    assert_eq!(late.len(), 100, "{:?}", post.came());
    assert!(late[98] < seconds(1), "the 99th percentile: {:?}", late[98]);
    assert!(post.states().contains(&"down waiting".to_owned()));
    // After a quarter of an hour without any delivery the others hear of it, once.
    let came = post.came();
    let of_hook = |subject: &&String| subject.starts_with("[TROUBLE channel hook]");
    assert_eq!(came.iter().filter(of_hook).count(), 1, "{came:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_an_up_whom_no_down_reached() {
    let mut post = two_recipients();
    post.memory
        .script([Outcome::Permanent("550 5.1.1 no such user".into())]);
    post.fail(1..=1);
    post.run(30).await;
    rise(&post);
    post.run(60).await;
    let to = |post: &Post| -> Vec<String> {
        let delivered = post.memory.delivered();
        delivered
            .iter()
            .map(|(to, mail)| format!("{} {}", to.mailbox(), mail.rendered.subject))
            .collect()
    };
    let came = to(&post);
    assert_eq!(came.len(), 2, "{came:?}");
    assert!(came.iter().all(|line| line.starts_with("ops@")), "{came:?}");
    assert_eq!(
        post.states(),
        ["down failed", "down sent", "up failed", "up sent"]
    );
    // Mended: one mail tells both.
    let said = retry(&post).await;
    assert!(said.contains("0 waiting and 1 failed"), "{said}");
    post.run(30).await;
    let last = to(&post).pop().unwrap();
    assert!(last.starts_with("boss@example.com [WAS DOWN "), "{last}");
    let said = retry(&post).await;
    assert!(said.contains("no mail waits and none has failed"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_down_refused_when_its_up_waits_already_takes_it_along() {
    let mut post = Post::new(1);
    // It may have arrived, so it is repeated as it is, and its UP waits behind it.
    post.memory
        .script([later(), Outcome::Permanent("550 5.1.1 no such user".into())]);
    post.fail(1..=1);
    post.run(12).await;
    rise(&post);
    post.run(120).await;
    assert!(post.came().is_empty(), "{:?}", post.came());
    assert!(
        post.states().iter().all(|state| state.ends_with(" failed")),
        "{:?}",
        post.states()
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_counts_as_told() {
    let mut post = Post::new(1);
    post.memory.script(vec![Outcome::Unknown("cut".into()); 3]);
    post.fail(1..=1);
    post.run(60).await;
    assert_eq!(post.states(), ["down failed"], "not repeated a third time");
    rise(&post);
    post.run(30).await;
    assert!(
        post.came().pop().unwrap().starts_with("[UP after "),
        "{:?}",
        post.came()
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_us_rests_one_recipient_and_is_told() {
    let mut post = two_recipients();
    let refused = || Outcome::Rest("554 5.7.1 relay access denied".into());
    post.memory.script([refused()]);
    post.fail(1..=1);
    near(&post.run(60).await, &[10, 10]);
    assert_eq!(post.states(), ["down waiting", "down sent"]);
    let sentences = sitewatch::daemon::health::self_check::rests(&post.health, post.clock.now());
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    for wanted in [
        "mail to boss@example.com rests",
        "554 5.7.1 relay access denied",
        "in 14m",
        "email retry",
    ] {
        assert!(sentences[0].contains(wanted), "{sentences:?}");
    }
    assert_eq!(post.health.mail_pause(), None);
    // Every 15 minutes; a mail that waits longer is a trouble of the daemon.
    post.memory.script([refused()]);
    near(&post.run(900).await, &[910]);
    let troubles = sitewatch::daemon::health::self_check::troubles(&post.health);
    assert!(
        troubles
            .iter()
            .any(|trouble| trouble.contains("a mail has been waiting for ")),
        "{troubles:?}"
    );
    // Its outage is over: one mail, as soon as somebody asks.
    rise(&post);
    near(&post.run(60).await, &[970]);
    retry(&post).await;
    post.run(20).await;
    let came = post.came();
    assert!(came.last().unwrap().starts_with("[WAS DOWN "), "{came:?}");
    assert!(
        sitewatch::daemon::health::self_check::rests(&post.health, post.clock.now()).is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_to_be_had_rests_everything_for_a_moment() {
    let mut post = two_recipients();
    let busy = || Outcome::Temporary {
        holds: Holds::Transport,
        error: "421 4.7.0 too many connections".into(),
    };
    post.memory.script([busy(), busy()]);
    post.fail(1..=1);
    // One connection for both: one try counts for both.
    let tried = post.run(60).await;
    assert_eq!(tried.len(), 4, "{tried:?}");
    near(&tried[..2], &[10, 15]);
    assert!(
        post.states().iter().all(|state| state == "down sent"),
        "{:?}",
        post.states()
    );
}

#[tokio::test(start_paused = true)]
async fn a_reload_tries_at_once_and_may_have_mended_it() {
    let mut post = Post::new(1);
    post.memory.script([Outcome::Pause("535 5.7.8 no".into())]);
    post.fail(1..=1);
    near(&post.run(60).await, &[10]);
    // The new configuration has another way out: the directory.
    post.notifier.reconfigure(Arc::clone(&post.config));
    post.run(5).await;
    assert_eq!(post.states(), ["down sent"]);
    assert_eq!(post.health.mail_pause(), None);
    let came = std::fs::read_dir(post.directory.path().join("outbox")).unwrap();
    assert_eq!(came.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_mute_that_begins_while_a_mail_waits_holds_it_to_its_end() {
    let mut post = Post::new(2);
    post.fail(1..=2);
    post.run(5).await;
    let until = post.clock.now().plus(seconds(3600));
    post.order(1, Order::Mute { until });
    near(&post.run(60).await, &[10]);
    assert_eq!(post.came(), ["[DOWN 503] site-2"]);
    let held = |post: &Post| {
        let waits = post
            .health
            .mail_waits_since_ms
            .load(std::sync::atomic::Ordering::Relaxed);
        (waits != 0).then_some(Timestamp::from_ms(waits))
    };
    assert_eq!(held(&post), None, "a held mail is no stuck one");
    near(&post.run(3600).await, &[3605]);
    assert_eq!(post.came()[1..], ["[DOWN 503] site-1"]);
    let (_, mail) = &post.memory.delivered()[1];
    let text = mail.rendered.text.replace('\n', " ");
    assert!(text.contains("the monitor was muted"), "{text}");
    // The end of what was told leaves inside a mute.
    let until = post.clock.now().plus(seconds(3600));
    post.order(1, Order::Mute { until });
    post.run(5).await;
    post.check(1, Weather::Up);
    post.check(1, Weather::Up);
    assert_eq!(post.run(30).await.len(), 1);
    assert!(
        post.came()[2].starts_with("[UP after "),
        "{:?}",
        post.came()
    );
}

#[tokio::test(start_paused = true)]
async fn without_recoveries_an_outage_that_ended_untold_is_told_as_over() {
    let mut config = config(vec![monitor("site-1")]);
    config.alerts.reminder = None;
    config.alerts.recovery = false;
    config.alerts.flapping.changes = NonZeroU32::MAX;
    Arc::make_mut(&mut Arc::make_mut(&mut config.monitors[0]).rules).to =
        vec![recipient("ops@example.com")];
    let mut post = Post::of(config);
    post.memory.script(vec![later(); 2]);
    post.fail(1..=1);
    post.run(20).await;
    let recovers = |post: &Post| {
        post.check(1, Weather::Up);
        post.check(1, Weather::Up);
    };
    recovers(&post);
    post.run(120).await;
    assert_eq!(post.came().len(), 1, "{:?}", post.came());
    assert!(post.came()[0].starts_with("[WAS DOWN "));
    // A DOWN that left is the last word of its outage, also where it is just on its way.
    post.fail(1..=1);
    post.run(30).await;
    recovers(&post);
    post.run(600).await;
    assert_eq!(post.came()[1..], ["[DOWN 503] site-1"]);
    assert!(
        !post.states().iter().any(|state| state.ends_with("waiting")),
        "{:?}",
        post.states()
    );
}

#[tokio::test(start_paused = true)]
async fn who_would_have_got_a_reminder_only_is_told_the_whole_outage_in_one() {
    let mut config = config(vec![monitor("site-1")]);
    config.alerts.reminder = Some(seconds(600));
    let told = |names: &[&str]| {
        let mut config = config.clone();
        let rules = Arc::make_mut(&mut Arc::make_mut(&mut config.monitors[0]).rules);
        rules.to = names.iter().map(|name| recipient(name)).collect();
        config
    };
    let mut post = Post::of(told(&["ops@example.com"]));
    post.fail(1..=1);
    post.run(30).await;
    // Somebody joins; the first that they would get is a reminder, and nothing leaves then.
    let mut joined = told(&["ops@example.com", "night@example.com"]);
    joined.daemon.database = post.config.daemon.database.clone();
    post.door.push(Entry::Reconfigure {
        config: Arc::new(joined),
        given: None,
        reply: Reply::none(),
    });
    post.memory.script(vec![later(); 8]);
    assert!(post.run(600).await.len() >= 2, "{:?}", post.states());
    assert_eq!(post.came(), ["[DOWN 503] site-1"]);
    post.check(1, Weather::Up);
    post.check(1, Weather::Up);
    post.run(120).await;
    let mut came: Vec<String> = post.memory.delivered()[1..]
        .iter()
        .map(|(to, mail)| {
            let subject = &mail.rendered.subject;
            let end = subject.find(|c: char| c.is_ascii_digit()).unwrap();
            format!("{} {}", to.mailbox(), &subject[..end])
        })
        .collect();
    came.sort();
    assert_eq!(
        came,
        ["night@example.com [WAS DOWN ", "ops@example.com [UP after "]
    );
}

/// At a reload the recorder knows a new channel before the notifier does.
#[tokio::test(start_paused = true)]
async fn a_message_to_a_channel_that_is_not_known_yet_is_not_dropped_at_once() {
    let mut post = Post::new(1);
    let letter = Letter {
        message_id: "first@example.com".to_owned(),
        notice: Notice {
            about: None,
            news: News::Test,
            decided_at: post.clock.now(),
        },
        to: vec![recipient("oncall")],
    };
    let now = post.clock.now();
    post.door.push(Entry::Write(Box::new(move |batch| {
        batch.enqueue(&letter, now)
    })));
    post.run(8).await;
    assert_eq!(post.states(), ["test waiting"]);
    post.run(4).await;
    assert_eq!(post.states(), ["test dropped"]);
}
