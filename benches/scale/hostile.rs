//! Healthy sites beside hostile peers: 1 000 healthy monitors at 2 s, alone, beside one hostile monitor of a kind and
//! beside ten of them. When checks begin is what the daemon itself recorded, so that a target which is short of
//! processor time does not count as lateness of the monitor.
//!
//! The peers are threads of a process of their own on the target's core, at the lowest priority.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::policy::grid::Grid;

use super::daemon::{Load, Running, Scheme};
use super::process::{Pinned, myself};
use super::table::wait;
use super::target::Target;

const HEALTHY: usize = 1000;
const INTERVAL: Duration = Duration::from_secs(2);
/// Each monitor has had its first check, and the hostile ones theirs.
const WARM_UP: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(8);
/// Medians of this many runs of each, taking turns.
pub const ROUNDS: usize = 5;
/// What a hostile monitor is allowed for a check.
const TIMEOUT_MS: f64 = 1500.0;

/// What a peer does, and what its monitor asserts.
struct Kind {
    name: &'static str,
    /// Lines of the hostile `[[monitor]]`, or of the whole configuration where the peer is no site.
    keys: &'static str,
    talk: fn(&mut TcpStream, &[u8]) -> std::io::Result<()>,
    /// What `talk` sends, made once.
    material: fn() -> Vec<u8>,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "100 for ever",
        keys: "",
        talk: for_ever,
        material: || b"HTTP/1.1 100 Continue\r\n\r\n".repeat(2000),
    },
    Kind {
        name: "103 with Link fields for ever",
        keys: "",
        talk: for_ever,
        material: || {
            let mut head = b"HTTP/1.1 103 Early Hints\r\n".to_vec();
            head.extend(b"Link: </style.css>; rel=preload; as=style\r\n".repeat(20));
            head.extend(b"\r\n");
            head.repeat(60)
        },
    },
    Kind {
        name: "102 with 30 kB of fields",
        keys: "",
        talk: for_ever,
        material: || {
            let mut head = b"HTTP/1.1 102 Processing\r\n".to_vec();
            head.extend(
                format!("X-Pad: {}\r\n", "p".repeat(1000))
                    .repeat(30)
                    .into_bytes(),
            );
            head.extend(b"\r\n");
            head.repeat(4)
        },
    },
    Kind {
        name: "a header without end",
        keys: "",
        talk: |stream, bytes| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            for_ever(stream, bytes)
        },
        material: || b"X-Pad: 1234567890\r\n".repeat(3000),
    },
    Kind {
        name: "one byte at a time",
        keys: "",
        talk: |stream, bytes| {
            stream.set_nodelay(true)?;
            bytes.chunks(1).try_for_each(|byte| stream.write_all(byte))
        },
        material: || b"HTTP/1.1 100 Continue\r\n\r\n".repeat(4000),
    },
    Kind {
        name: "chunks of one byte for ever",
        keys: "body_excludes = [\"zz\"]\n",
        talk: |stream, bytes| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for_ever(stream, bytes)
        },
        material: || b"1\r\na\r\n".repeat(10_000),
    },
    Kind {
        name: "a body without end",
        keys: "body_excludes = [\"zz\"]\nmax_body = \"64MiB\"\n",
        talk: |stream, bytes| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            for_ever(stream, bytes)
        },
        material: || vec![b'a'; 64 * 1024],
    },
    Kind {
        name: "zstd with a window of 128 GiB",
        keys: "body_excludes = [\"zz\"]\n",
        talk: answer_zstd,
        material: zstd_bomb,
    },
    Kind {
        name: "gzip three times over",
        keys: "body_excludes = [\"zz\"]\n",
        talk: |stream, bytes| answer(stream, "Content-Encoding: gzip, gzip, gzip\r\n", bytes),
        material: || gzip(&gzip(&gzip(&vec![b'a'; 256 << 20]))),
    },
    Kind {
        name: "JSON of depth 110, four descents",
        keys: "json = [{ path = \"$..a..a..a..k1\", exists = false }]\n",
        talk: |stream, bytes| answer(stream, "Content-Type: application/json\r\n", bytes),
        material: || {
            let depth = 110;
            let mut text = "{\"a\":".repeat(depth);
            text.push('[');
            text.push_str(&"{\"k\":1},".repeat(100_000));
            text.push_str("0]");
            text.push_str(&"}".repeat(depth));
            text.into_bytes()
        },
    },
    Kind {
        name: "a megabyte of JSON, all of it asked for",
        keys: "json = [{ path = \"$..[?@ > 5]\", exists = false }]\n",
        talk: |stream, bytes| answer(stream, "Content-Type: application/json\r\n", bytes),
        material: || format!("[{}0]", "1,".repeat(500_000)).into_bytes(),
    },
    Kind {
        name: "a megabyte against costly patterns",
        keys: "body_excludes = [\"zz\"]\nbody_matches = ['(a+)+b', '(?:[a-z]{1,30}x){1,30}y', '(?i)\\w{1,40}\\s$']\n",
        talk: |stream, bytes| {
            answer(
                stream,
                "Content-Type: text/html; charset=gb18030\r\n",
                bytes,
            )
        },
        material: || vec![b'a'; (1 << 20) - 1],
    },
    Kind {
        name: "redirects with long paths and cookies",
        keys: "max_redirects = 50\n",
        talk: |stream, _| {
            let path: u64 = {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "any number that was not used before will do"
                )]
                let now = std::time::SystemTime::now();
                now.duration_since(std::time::UNIX_EPOCH)
                    .map_or(0, |since| since.subsec_nanos().into())
            };
            let cookies: String = (0..40).fold(String::new(), |mut text, number| {
                let _ = write!(text, "Set-Cookie: c{path}{number}={}\r\n", "v".repeat(2000));
                text
            });
            let head = format!(
                "HTTP/1.1 302 Found\r\nLocation: /{path}{}\r\n{cookies}Connection: close\r\n\r\n",
                "p".repeat(31_000)
            );
            stream.write_all(head.as_bytes())
        },
        material: Vec::new,
    },
    Kind {
        name: "TLS records that mean nothing",
        keys: "tls",
        talk: for_ever,
        // Handshake records of a ServerHello that never ends.
        material: || {
            let mut record = vec![22, 3, 3, 0x40, 0];
            record.resize(5 + 0x4000, 0);
            record[5] = 2;
            record[6] = 0xff;
            record
        },
    },
];

fn for_ever(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        stream.write_all(bytes)?;
    }
}

fn answer(stream: &mut TcpStream, fields: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

fn answer_zstd(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    answer(stream, "Content-Encoding: zstd\r\n", bytes)
}

/// Blocks of 128 KiB from four bytes each (RFC 8878 section 3.1.1.2).
fn zstd_bomb() -> Vec<u8> {
    let block = (1_u32 << 1) | (131_072 << 3);
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 27 << 3];
    for _ in 0..16_000 {
        frame.extend_from_slice(&block.to_le_bytes()[..3]);
        frame.push(b'A');
    }
    frame.extend_from_slice(&[1, 0, 0]);
    frame
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

/// The role: one listener a kind; prints the ports and serves until its standard input ends.
pub fn run() {
    let _ = Command::new("renice")
        .args(["-n", "19", "-p", &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status();
    let mut ports = Vec::new();
    for kind in KINDS {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        ports.push(listener.local_addr().expect("bound").port().to_string());
        std::thread::spawn(move || serve(&listener, kind));
    }
    println!("{}", ports.join(" "));
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn serve(listener: &TcpListener, kind: &'static Kind) {
    let material = Arc::new(std::sync::OnceLock::new());
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let material = Arc::clone(&material);
        std::thread::spawn(move || {
            let bytes = material.get_or_init(kind.material);
            let mut request = [0; 65_536];
            let _ = stream.set_write_timeout(Some(Duration::from_secs(20)));
            if stream.read(&mut request).is_ok_and(|length| length > 0) {
                let _ = (kind.talk)(&mut stream, bytes);
            }
        });
    }
}

/// What one run showed of the healthy monitors.
#[derive(Debug, Clone, Copy)]
struct Seen {
    p50: f64,
    p99: f64,
    max: f64,
    not_up: f64,
    peak_mib: f64,
    /// By which a hostile check outlasted its timeout.
    overrun: f64,
}

/// All kinds, or those whose name holds the given words.
pub fn hostile(words: Option<&str>, rounds: usize) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let target = Target::start(root.path());
    let mut peers = Pinned::start(0, &myself(), &["hostile-peers"], Stdio::piped(), &[]);
    let ports = ports(&mut peers);
    println!(
        "\n{HEALTHY} healthy monitors every {INTERVAL:?} beside hostile ones, medians of {rounds} runs by turns"
    );
    println!(
        "{:<42} {:>3} {:>28} {:>8} {:>9} {:>11}",
        "", "", "late ms p50 / p99 / max", "not up", "peak MiB", "overrun ms"
    );
    for (kind, port) in KINDS.iter().zip(ports) {
        if words.is_some_and(|words| !kind.name.contains(words)) {
            continue;
        }
        let mut runs = [(0, Vec::new()), (1, Vec::new()), (10, Vec::new())];
        for _ in 0..rounds {
            for (count, seen) in &mut runs {
                seen.push(one_run(&target, root.path(), kind, port, *count));
            }
        }
        for (count, seen) in &runs {
            let middle = |of: fn(&Seen) -> f64| {
                let mut values: Vec<f64> = seen.iter().map(of).collect();
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            let late = format!(
                "{:.1} / {:.1} / {:.1}",
                middle(|seen| seen.p50),
                middle(|seen| seen.p99),
                middle(|seen| seen.max)
            );
            let not_up: f64 = seen.iter().map(|seen| seen.not_up).sum();
            println!(
                "{:<42} {count:>3} {late:>28} {not_up:>8.0} {:>9.1} {:>11.0}",
                kind.name,
                middle(|seen| seen.peak_mib),
                middle(|seen| seen.overrun),
            );
        }
    }
}

fn ports(peers: &mut Pinned) -> Vec<u16> {
    let out = peers.0.stdout.take().expect("its output is piped");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)
        .expect("it prints its ports");
    line.split_whitespace()
        .map(|port| port.parse().expect("a port"))
        .collect()
}

fn one_run(target: &Target, root: &Path, kind: &Kind, port: u16, count: usize) -> Seen {
    let load = Load {
        monitors: HEALTHY,
        interval: INTERVAL,
        scheme: Scheme::Plain,
        concurrency: 512,
        mails: false,
    };
    let (scheme, keys) = match kind.keys {
        "tls" => ("https", ""),
        keys => ("http", keys),
    };
    let mut more = String::new();
    for number in 0..count {
        let _ = write!(
            more,
            "[[monitor]]\nname = \"hostile{number}\"\nurl = \"{scheme}://127.0.0.1:{port}/{number}\"\n\
             timeout = \"1500ms\"\nretry_interval = \"1s\"\n{keys}"
        );
    }
    let running = Running::start_with(target, root, &load, &more);
    wait(WARM_UP + WINDOW);
    let peak_mib = running.process.memory_mib("VmHWM");
    let database = running.stop_and_keep();
    let seen = read(&database, peak_mib);
    let _ = std::fs::remove_dir_all(database.parent().expect("it lies in a directory"));
    seen
}

fn read(database: &Path, peak_mib: f64) -> Seen {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .expect("the daemon left a database");
    let mut statement = connection
        .prepare(
            "SELECT monitors.name, journal.at, journal.state, journal.total_us
             FROM journal JOIN monitors ON monitors.id = journal.monitor_id ORDER BY journal.at",
        )
        .expect("the journal's columns");
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, f64>(3)?,
            ))
        })
        .expect("readable");
    let rows: Vec<_> = rows.collect::<Result<_, _>>().expect("readable");
    let begin = rows.first().map_or(0, |row| row.1) + WARM_UP.as_millis() as i64;
    let (mut late, mut not_up, mut overrun) = (Vec::new(), 0.0, 0.0_f64);
    for (name, at, state, total_us) in &rows {
        if name.starts_with("hostile") {
            overrun = overrun.max(total_us / 1000.0 - TIMEOUT_MS);
            continue;
        }
        if *state != 0 {
            not_up += 1.0;
        }
        if *at >= begin {
            let grid = Grid::new(&MonitorName::parse(name).expect("a plain name"), INTERVAL);
            late.push((at - grid.last_until(Timestamp::from_ms(*at)).as_ms()) as f64);
        }
    }
    late.sort_by(f64::total_cmp);
    let part = |part: f64| {
        let place = ((late.len() as f64 - 1.0) * part) as usize;
        late.get(place).copied().unwrap_or(f64::NAN)
    };
    Seen {
        p50: part(0.5),
        p99: part(0.99),
        max: part(1.0),
        not_up,
        peak_mib,
        overrun,
    }
}
