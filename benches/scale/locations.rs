//! Three locations at one hub over a real nats-server: what a check takes on the wire, how fast a hub catches up, and
//! whether it keeps pace with 16 667 checks a second.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sitewatch::clock::{now, tick};
use sitewatch::domain::check::{
    Certificate, Chain, Check, Failure, FailureKind, HttpVersion, Micros, Redirect, Timings,
    Verdict,
};
use sitewatch::domain::cluster::{NatsCredentials, NatsServer};
use sitewatch::domain::location::{LocationName, Observation, ProbeName};
use sitewatch::domain::monitor::MonitorId;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::link::nats::NatsProbe;
use sitewatch::link::ways::ProbeWay as _;
use sitewatch::wire::frame::{self, Head, OBSERVATIONS_MAX};
use sitewatch::wire::notes::Hi;

use super::daemon::binary;
use super::process::Pinned;

/// A million sites a minute.
const CHECKS_A_SECOND: usize = 16_667;
/// Unless told: so long the hub has to keep pace.
pub const MINUTES: u64 = 10;
const LOCATIONS: [&str; 3] = ["fra", "nyc", "sgp"];
/// Each is checked from each location every 18 s.
const MONITORS: usize = 100_000;
/// What waits while the hub stands still.
const BACKLOG: usize = 600_000;
/// Frames are sent so often.
const TURN: Duration = Duration::from_millis(100);
/// A hub that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// Prints all three.
pub fn locations(minutes: u64) {
    wire();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(hub(minutes));
}

/// The bytes of a check: in full frames, and alone in one.
fn wire() {
    let per_check = |size: usize| {
        let all: Vec<Observation> = (0..10_000).map(|n| observation(n, at(n, now()))).collect();
        let frames: usize = all.chunks(size).map(|chunk| frame_of(chunk, 1).len()).sum();
        frames as f64 / all.len() as f64
    };
    println!("\n| a check on the wire | bytes |");
    println!("| --- | --- |");
    println!(
        "| in frames of {OBSERVATIONS_MAX} | {:.1} |",
        per_check(OBSERVATIONS_MAX)
    );
    println!("| in frames of 20 | {:.1} |", per_check(20));
    println!("| alone in a frame | {:.1} |", per_check(1));
}

async fn hub(minutes: u64) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let port = free_port();
    let store = root.path().join("jetstream");
    let (port_text, store_text) = (port.to_string(), store.display().to_string());
    let server = [
        "-js",
        "-sd",
        &store_text,
        "-a",
        "127.0.0.1",
        "-p",
        &port_text,
    ];
    let _nats = Pinned::start(0, Path::new("nats-server"), &server, Stdio::null(), &[]);
    let file = root.path().join("hub.toml");
    std::fs::write(&file, configuration(root.path(), port)).expect("written");
    let arguments = ["run", "--config", file.to_str().expect("a plain name")];
    let variables = [("RUST_LOG", "warn")];
    let hub = Pinned::start(1, &binary(), &arguments, Stdio::null(), &variables);
    let mut probes = Vec::new();
    for name in LOCATIONS {
        probes.push(Player::connect(name, port).await);
    }
    // The hub makes the streams, and has read its file then.
    for probe in &mut probes {
        probe.play(100, now()).await;
    }
    caught_up(&probes).await;

    signal(&hub, "STOP");
    for _ in 0..BACKLOG / (LOCATIONS.len() * 1000) {
        for probe in &mut probes {
            probe.play(1000, now()).await;
        }
    }
    let (began, cpu) = (tick(), hub.cpu());
    signal(&hub, "CONT");
    caught_up(&probes).await;
    let (took, used) = (tick() - began, hub.cpu() - cpu);
    println!("\n| a hub on one core, {MONITORS} monitors, three locations | |");
    println!("| --- | --- |");
    println!(
        "| {BACKLOG} checks that waited | {:.0} checks a second, {:.1} us CPU each |",
        BACKLOG as f64 / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / BACKLOG as f64
    );

    let (began, cpu) = (tick(), hub.cpu());
    let (mut sent, mut longest, mut looked) = (0, 0.0_f64, began);
    while tick() - began < Duration::from_secs(60 * minutes) {
        let due = (tick() - began).as_secs_f64() * CHECKS_A_SECOND as f64;
        // Sending whole frames: what is due beyond waits for the next turn.
        let frames = (due as usize).saturating_sub(sent) / OBSERVATIONS_MAX / LOCATIONS.len();
        for probe in &mut probes {
            probe.play(frames * OBSERVATIONS_MAX, now()).await;
        }
        sent += frames * OBSERVATIONS_MAX * LOCATIONS.len();
        if tick() - looked > Duration::from_secs(5) {
            looked = tick();
            longest = longest.max(behind(&probes).await);
        }
        tokio::time::sleep(TURN).await;
    }
    let took = tick() - began;
    let used = hub.cpu() - cpu;
    println!(
        "| {minutes} minutes of {:.0} checks a second | {:.1} us CPU each, {:.0} % of the core, at most {longest:.1} s behind \
         (receipts come once a second), {:.0} MiB at most |",
        sent as f64 / took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / sent as f64,
        100.0 * used.as_secs_f64() / took.as_secs_f64(),
        hub.memory_mib("VmHWM")
    );
}

/// One location: sends frames as a probe does, without making checks.
struct Player {
    way: NatsProbe,
    spool: u64,
    seq: u64,
    /// The next monitor that has its turn.
    next: usize,
    said_at: Option<tokio::time::Instant>,
}

impl Player {
    async fn connect(name: &str, port: u16) -> Self {
        let server = NatsServer {
            host: "127.0.0.1".to_owned(),
            port,
            tls: false,
            ca_pem: None,
            credentials: NatsCredentials::None,
        };
        let sender = ProbeName::whole(LocationName::parse(name).expect("a name"));
        let end = tick() + PATIENCE;
        let (client, driver) = loop {
            match NatsProbe::connect(&server, &sender).await {
                Ok(connected) => break connected,
                Err(why) => assert!(tick() < end, "{why}"),
            }
            tokio::time::sleep(TURN).await;
        };
        tokio::spawn(driver.run());
        let way = NatsProbe::begin(client, &sender)
            .await
            .expect("a connection");
        Self {
            way,
            spool: u64::from(name.as_bytes()[0]),
            seq: 0,
            next: 0,
            said_at: None,
        }
    }

    /// Sends so many checks that end now.
    async fn play(&mut self, checks: usize, now: Timestamp) {
        let mut frames = Vec::new();
        for _ in 0..checks / OBSERVATIONS_MAX {
            let all: Vec<Observation> = (0..OBSERVATIONS_MAX)
                .map(|place| {
                    let number = (self.next + place) % MONITORS;
                    observation(number, at(number, now))
                })
                .collect();
            self.next = (self.next + OBSERVATIONS_MAX) % MONITORS;
            self.seq += 1;
            frames.push(self.frame(&all));
        }
        let end = tick() + PATIENCE;
        for part in frames.chunks(32) {
            // Until the hub has made the stream nobody takes them.
            while self.way.publish(part.to_vec()).await.is_err() {
                assert!(tick() < end, "the stream takes frames");
                tokio::time::sleep(TURN).await;
            }
        }
        if self
            .said_at
            .is_none_or(|at| tick() - at > Duration::from_secs(10))
        {
            self.said_at = Some(tick());
            let hi = Hi {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                spool: self.spool,
                sent_at: now.as_ms(),
                waiting: 0,
                offline_since: None,
                list_version: 0,
                share: None,
            };
            self.way.hi(&hi).await.expect("a connection");
        }
    }

    fn frame(&self, all: &[Observation]) -> Vec<u8> {
        let mut bytes = frame_of(all, self.seq);
        // The head of a sample is fra's.
        let name = LOCATIONS
            .iter()
            .find(|name| u64::from(name.as_bytes()[0]) == self.spool);
        let name = name.expect("one of ours").as_bytes();
        bytes[5..8].copy_from_slice(name);
        bytes[8..16].copy_from_slice(&self.spool.to_le_bytes());
        bytes
    }

    async fn done(&self) -> u64 {
        let done = self.way.done().await.ok().flatten();
        done.map_or(0, |done| done.seq)
    }
}

/// So many seconds the slowest receipt is behind.
async fn behind(probes: &[Player]) -> f64 {
    let mut most = 0;
    for probe in probes {
        most = most.max(probe.seq - probe.done().await);
    }
    (most as usize * OBSERVATIONS_MAX * LOCATIONS.len()) as f64 / CHECKS_A_SECOND as f64
}

async fn caught_up(probes: &[Player]) {
    let end = tick() + PATIENCE;
    for probe in probes {
        while probe.done().await < probe.seq {
            assert!(tick() < end, "the hub takes all frames");
            tokio::time::sleep(TURN).await;
        }
    }
}

fn signal(process: &Pinned, name: &str) {
    let id = process.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{name}");
}

fn free_port() -> u16 {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    taken.local_addr().expect("a port").port()
}

fn configuration(root: &Path, port: u16) -> String {
    let mut text = format!(
        "[daemon]\ndatabase = \"{root}/hub.db\"\ncontrol_socket = \"{root}/hub.sock\"\n\
         [email]\ndirectory = \"{root}/mails\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n\
         [cluster]\nurl = \"nats://127.0.0.1:{port}\"\nlocations = [\"fra\", \"nyc\", \"sgp\"]\n\
         [defaults]\ninterval = \"18s\"\ntimeout = \"10s\"\n",
        root = root.display()
    );
    for number in 0..MONITORS {
        text.push_str(&format!(
            "[[monitor]]\nname = \"shop-{number}\"\nurl = \"https://shop-{number}.example.com/\"\n"
        ));
    }
    text
}

/// A frame of fra.
fn frame_of(all: &[Observation], seq: u64) -> Vec<u8> {
    let head = Head {
        location: LocationName::parse(LOCATIONS[0]).expect("a name"),
        spool: 1,
        after: seq - 1,
        seq,
        made_at: now(),
        list_version: 1,
    };
    frame::write(&head, &frame::pack(all).bytes)
}

/// A check ends now, and took 140 ms and a bit.
fn at(number: usize, now: Timestamp) -> Timestamp {
    now.minus(Duration::from_millis(150 + number as u64 % 100))
}

/// What a site looks like in the long run: TLS, every second one with a redirect. All are good: what fails is asked for
/// again, and nobody would answer.
fn observation(number: usize, at: Timestamp) -> Observation {
    let seed = u32::try_from(number).unwrap_or(0);
    let varied = at.as_ms().unsigned_abs() as u32;
    let us = |base: u32| {
        Micros::new(base + seed.wrapping_mul(7919).wrapping_add(varied) % (base / 2 + 1))
    };
    let host = format!("https://shop-{number}.example.com/");
    let address = [203, 0, 113, (number % 250) as u8];
    let redirects = match number % 2 {
        0 => vec![Redirect {
            url: host.replace("https", "http"),
            status: 301,
            location: Some(host.clone()),
            remote_addr: Some((address, 80).into()),
        }],
        _ => Vec::new(),
    };
    let day = |days: i64| Timestamp::from_ms(1_764_500_000_000 + days * 86_400_000);
    let slow = number % 100 == 99;
    Observation::Checked {
        monitor: MonitorId(i64::from(seed) + 1),
        check: Box::new(Check {
            at,
            verdict: match slow {
                true => Verdict::Degraded(Failure {
                    kind: FailureKind::Slow,
                    detail: "took 3.2 s, and 3 s is slow".into(),
                }),
                false => Verdict::Up,
            },
            status: Some(200),
            redirect_times: redirects.iter().map(|_| us(20_000)).collect(),
            chain: Arc::new(Chain {
                redirects,
                final_url: host.into(),
                remote_addr: Some((address, 443).into()),
            }),
            timings: Timings {
                dns: Some(us(4_000)),
                connect: Some(us(15_000)),
                tls: Some(us(30_000)),
                ttfb: Some(us(80_000)),
                body: Some(us(3_000)),
                total: us(140_000),
            },
            http_version: Some(HttpVersion::Http11),
            body_bytes: u64::from(seed.wrapping_mul(104_729) % 60_000),
            retry_after_s: None,
            certificate: Some(Arc::new(Certificate {
                not_after: day(60 + i64::from(seed % 60)),
                not_before: day(i64::from(seed % 60) - 30),
                subject: format!("CN=shop-{number}.example.com"),
                issuer: "C=US, O=Let's Encrypt, CN=R11".to_owned(),
                fingerprint: u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            })),
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        }),
    }
}
