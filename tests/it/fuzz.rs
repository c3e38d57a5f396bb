//! Random and mutated input: nothing may panic, grow without bound or break what always holds. Without a wish it is one
//! second of the same input each time; `SITEWATCH_FUZZ_SECONDS=600 cargo test --test it fuzz:: -- --nocapture` looks for
//! that long at each subject, each time elsewhere. A run tells its seed; `SITEWATCH_FUZZ_SEED` repeats it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regex::Regex;
use sitewatch::config::{self, Environment};
use sitewatch::domain::check::{Check, HttpVersion, Timings};
use sitewatch::domain::expectation::{JsonAssertion, JsonTest};
use sitewatch::domain::json::JsonPath;
use sitewatch::domain::probe::{Answer, End, Hop, Probe};
use sitewatch::domain::target::{Method, Proxy};
use sitewatch::policy::http::redirect;
use sitewatch::policy::verdict::judge::judge;
use sitewatch::tls::certificate;
use sitewatch::{clock, policy};
use tokio::time::Instant;
use url::Url;

use crate::support::check::{check_with, expectation, nameless, target};
use crate::support::pki::Pair;
use crate::support::raw::{Raw, end_in_order, read_head};
use crate::support::site::{Act, Site};

/// Of runs that nobody asked for.
const SEED: u64 = 20_261_123;

/// What a run of its own may add to the process, whatever comes in.
const GROWTH_BYTES_MAX: usize = 256 << 20;

#[expect(
    clippy::disallowed_methods,
    reason = "the switches of this harness alone"
)]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// SplitMix64: enough for choosing bytes.
pub struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit.max(1) as u64).unwrap_or(0)
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Flips, cuts, repeats, inserts and joins.
    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.pick(corpus).clone();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            match self.below(7) {
                0 if !bytes.is_empty() => {
                    let at = at.min(bytes.len() - 1);
                    bytes[at] ^= 1 << self.below(8);
                }
                1 if !bytes.is_empty() => {
                    let at = at.min(bytes.len() - 1);
                    bytes[at] = *self.pick(b"\0\r\n :;,/\\%#?@[]{}<>\"'\x7f\x80\xc3\xff0129azAZ");
                }
                2 => bytes.truncate(at),
                3 => {
                    let end = (at + self.below(64)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    for _ in 0..self.below(20) {
                        bytes.splice(at..at, piece.iter().copied());
                    }
                }
                4 => {
                    let byte = u8::try_from(self.below(256)).unwrap_or(0);
                    bytes.insert(at, byte);
                }
                5 => {
                    let other = self.pick(corpus).clone();
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                _ => {
                    let end = (at + self.below(16)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        bytes.truncate(256 * 1024);
        bytes
    }
}

/// One subject's run: dice, end, and the memory it began with.
pub struct Run {
    pub dice: Dice,
    seed: u64,
    until: Instant,
    rounds: u64,
    memory: usize,
}

impl Run {
    pub fn new() -> Self {
        let seconds = setting("SITEWATCH_FUZZ_SECONDS");
        let seed = setting("SITEWATCH_FUZZ_SEED").unwrap_or_else(|| match seconds {
            Some(_) => clock::now().as_ms().unsigned_abs(),
            None => SEED,
        });
        Self {
            dice: Dice(seed),
            seed,
            until: clock::tick() + Duration::from_secs(seconds.unwrap_or(1)),
            rounds: 0,
            memory: resident(),
        }
    }

    pub fn goes_on(&mut self) -> bool {
        self.rounds += 1;
        clock::tick() < self.until
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let grown = resident().saturating_sub(self.memory);
        let line = format!(
            "seed {}, {} rounds, {} KiB grown\n",
            self.seed,
            self.rounds,
            grown >> 10
        );
        let _ = std::io::stderr().write_all(line.as_bytes());
        // Without a wish other tests run beside this one, and grow the process as well.
        if setting("SITEWATCH_FUZZ_SECONDS").is_some() && !std::thread::panicking() {
            assert!(grown < GROWTH_BYTES_MAX, "{line}");
        }
    }
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = text
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    pages * 4096
}

/// What holds of every check, whatever came.
fn holds(check: &Check, max_body: u64) {
    assert!(
        check
            .status
            .is_none_or(|status| (100..1000).contains(&status))
    );
    assert!(check.body_bytes <= max_body);
    assert_eq!(check.redirect_times.len(), check.chain.redirects.len());
    assert!(check.chain.redirects.len() <= 11);
    let excerpt = check.excerpt.as_deref().unwrap_or_default();
    let detail = check
        .verdict
        .failure()
        .map(|failure| &*failure.detail)
        .unwrap_or_default();
    for text in [excerpt, detail] {
        assert!(!text.chars().any(|c| c.is_control()), "{text:?}");
        assert!(text.chars().count() <= 1500, "{text:?}");
    }
    assert!(detail.is_empty() == check.verdict.failure().is_none());
}

fn answers() -> Vec<Vec<u8>> {
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/html\r\n\r\nhello",
        "HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\n<html><title>no</title>",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: x\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: /next?a=1#f\r\nSet-Cookie: a=b; Path=/; Secure\r\n\r\n",
        "HTTP/1.1 301 Moved\r\nLocation: //other.test:80/../x y\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, br\r\nContent-Length: 3\r\n\r\nxyz",
        "HTTP/1.1 403 No\r\nServer: cloudflare\r\ncf-mitigated: challenge\r\n\r\ncaptcha",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

#[tokio::test]
async fn responses() {
    let mut run = Run::new();
    let corpus = answers();
    let prober = nameless();
    let raw = std::sync::Arc::new(std::sync::Mutex::new(Vec::<u8>::new()));
    let served = std::sync::Arc::clone(&raw);
    let site = Site::plain(move |_| {
        vec![Act::Send(
            served.lock().expect("no panic while locked").clone(),
        )]
    })
    .await;
    let mut wanted = expectation();
    wanted.body_contains = vec!["hello".into()];
    while run.goes_on() {
        let bytes = run.dice.mutate(&corpus);
        raw.lock()
            .expect("no panic while locked")
            .clone_from(&bytes);
        let mut target = target(&site.url("/"));
        target.timeout = Duration::from_millis(100);
        target.wants_body = true;
        target.max_body = 4096;
        let check = check_with(&prober, target, &wanted).await;
        holds(&check, 4096);
    }
}

/// A server whose next connection gets these pieces; the first so many of them before it reads anything.
#[derive(Debug, Clone, Default)]
struct Pieces {
    pieces: Vec<Vec<u8>>,
    at_accept: usize,
    is_orderly: bool,
}

impl Pieces {
    fn of(bytes: &[u8], dice: &mut Dice) -> Self {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        let finest = *dice.pick(&[1, 3, 100, 100_000]);
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(1 + dice.below(finest)));
            // Crumbs without end prove nothing and take long.
            if pieces.len() > 300 {
                pieces.push(rest.to_vec());
                break;
            }
            pieces.push(piece.to_vec());
            rest = more;
        }
        Self {
            at_accept: *dice.pick(&[0, 0, 1, pieces.len()]),
            is_orderly: dice.below(2) == 0,
            pieces,
        }
    }

    fn serve(next: &Arc<Mutex<Self>>) -> Raw {
        let next = Arc::clone(next);
        Raw::start(move |mut stream| {
            let this = next.lock().expect("no panic while locked").clone();
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            for (place, piece) in this.pieces.iter().enumerate() {
                if place == this.at_accept {
                    read_head(&mut stream);
                }
                let _ = stream.write_all(piece);
            }
            if this.is_orderly {
                end_in_order(stream);
            }
        })
    }
}

#[tokio::test]
async fn streams() {
    let mut run = Run::new();
    let mut corpus = answers();
    let hints = "HTTP/1.1 103 X\r\nLink: </a>\r\n\r\n".repeat(90);
    corpus.push(format!("{hints}HTTP/1.1 204 No\r\n\r\n").into_bytes());
    let many = "X-Many: 1\r\n".repeat(150);
    corpus.push(format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 5\r\n\r\nhello").into_bytes());
    corpus.push("1\r\nx\r\n".repeat(2000).into_bytes());
    let prober = nameless();
    let next = Arc::new(Mutex::new(Pieces::default()));
    let site = Pieces::serve(&next);
    let body: Arc<[u8]> = vec![b'x'; 1 << 20].into();
    while run.goes_on() {
        let bytes = run.dice.mutate(&corpus);
        *next.lock().expect("no panic while locked") = Pieces::of(&bytes, &mut run.dice);
        let mut target = target(&site.url());
        target.timeout = Duration::from_millis(150);
        target.max_body = 4096;
        if run.dice.below(4) == 0 {
            target.method = Method::Post;
            target.body = Some(Arc::clone(&body));
        }
        let check = check_with(&prober, target, &expectation()).await;
        holds(&check, 4096);
        let total = check.timings.total.as_duration();
        assert!(total < Duration::from_millis(1500), "{total:?}");
    }
}

#[tokio::test]
async fn tunnels() {
    let mut run = Run::new();
    let corpus: Vec<Vec<u8>> = [
        "HTTP/1.1 200 Connection established\r\n\r\n\x16\x03\x03",
        "HTTP/1.0 403 Forbidden\r\nContent-Length: 6\r\n\r\ndenied",
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\n\n",
        "<html>portal</html>",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let prober = nameless();
    let next = Arc::new(Mutex::new(Pieces::default()));
    let proxy = Pieces::serve(&next);
    while run.goes_on() {
        let bytes = run.dice.mutate(&corpus);
        *next.lock().expect("no panic while locked") = Pieces::of(&bytes, &mut run.dice);
        let mut target = target("https://site.test/");
        target.timeout = Duration::from_millis(150);
        target.proxy = Proxy::Through(Url::parse(&proxy.url()).expect("a URL"));
        let check = check_with(&prober, target, &expectation()).await;
        holds(&check, 0);
        assert!(!check.verdict.is_good(), "{:?}", check.verdict);
        let total = check.timings.total.as_duration();
        assert!(total < Duration::from_millis(1500), "{total:?}");
    }
}

#[test]
fn locations() {
    let mut run = Run::new();
    let corpus: Vec<Vec<u8>> = [
        "https://user:pw@example.com:8443/a/../b;c?d=e&token=f#g",
        "//b\u{fc}cher.example/\u{1f600}?\u{e4}",
        "http://[::ffff:127.0.0.1]:80/",
        "\\\\host\\share",
        "http://0x7f.0.0.1:65536/%zz%00",
        "?only=query",
        "javascript:alert(1)//http://x/",
        "http://xn--a.example/",
        "../../../../x",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    let base = Url::parse("http://example.com/a/b?c#d").expect("a URL");
    while run.goes_on() {
        let location = run.dice.mutate(&corpus);
        match redirect::destination(&base, &[&location]) {
            Ok(url) => {
                assert!(matches!(url.scheme(), "http" | "https"));
                assert!(url.has_host() && url.username().is_empty());
                let _ = redirect::private_literal(&url);
            }
            Err(why) => assert!(!why.chars().any(char::is_control), "{why:?}"),
        }
        let text = String::from_utf8_lossy(&location);
        let _ = policy::http::retry_after::parse(&text, clock::now());
    }
}

#[test]
fn certificates() {
    let mut run = Run::new();
    let root = Pair::authority("Root, O=\u{202e}x", None, -1, 10);
    let leaf = Pair::leaf(
        &["site.test", "*.site.test", "127.0.0.1"],
        Some(&root),
        -1,
        10,
    );
    let corpus = vec![
        leaf.der.to_vec(),
        root.der.to_vec(),
        vec![0x30, 0x84, 0xff, 0xff],
    ];
    while run.goes_on() {
        let path = [run.dice.mutate(&corpus), run.dice.mutate(&corpus)];
        for verified in [true, false] {
            if let Some(read) = certificate::read(&path, verified) {
                for name in [&read.subject, &read.issuer] {
                    assert!(!name.chars().any(char::is_control), "{name:?}");
                    assert!(name.chars().count() <= 200, "{name:?}");
                }
            }
        }
    }
}

#[test]
fn contents() {
    let mut run = Run::new();
    let page = b"<html><meta charset=iso-8859-1><script>x</script>{\"a\": [1, 2.5, {\"b\": null}]}";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&page.repeat(50))
        .expect("memory takes bytes");
    let corpus = vec![
        page.to_vec(),
        gzip.finish().expect("memory takes bytes"),
        b"{\"status\": \"ok\", \"list\": [[[[1]]]]}".to_vec(),
        vec![
            0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x21, 0, 0, b'a', b'b', b'c', b'd',
        ],
        vec![0x0b, 0x02, 0x80, b'h', b'e', b'l', b'l', b'o', 0x03],
        vec![0xff, 0xfe, b'a', 0, b'b', 0],
    ];
    let mut wanted = expectation();
    wanted.body_excludes = vec!["nothing of this kind".into()];
    wanted.body_matches = vec![Arc::new(Regex::new("(?s).*").expect("a pattern"))];
    wanted.json = vec![JsonAssertion {
        path_text: "$..a".into(),
        path: JsonPath::parse("$..a").expect("a path"),
        test: JsonTest::Exists(true),
    }];
    let mut target = target("http://site.test/");
    target.max_body = 64 * 1024;
    while run.goes_on() {
        let body = run.dice.mutate(&corpus);
        let coding = *run
            .dice
            .pick(&["gzip", "br", "zstd", "deflate", "gzip, br", "identity", "x"]);
        let kind = *run
            .dice
            .pick(&["text/html", "application/json; charset=utf-16", "", "x/xml"]);
        let answer = Answer {
            hop: Hop {
                url: "http://site.test/".into(),
                status: 200,
                location: None,
                remote_addr: None,
                took: Duration::ZERO,
            },
            http_version: HttpVersion::Http11,
            headers: vec![
                ("content-encoding".into(), coding.into()),
                ("content-type".into(), kind.into()),
            ],
            body_bytes: body.len().min(65_536) as u64,
            body,
            place: None,
            body_cut: false,
            retry_after_s: None,
            credentials_dropped: false,
        };
        let probe = Probe {
            started: clock::now(),
            timings: Timings::default(),
            heads: Vec::new(),
            redirects: Vec::new(),
            end: End::Answered(answer),
            certificate: None,
            root: None,
            agreed: None,
            remarks: Vec::new(),
        };
        holds(&judge(&wanted, &target, probe), 65_536);
    }
}

#[test]
fn configurations() {
    let mut run = Run::new();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("monitors.toml");
    let environment = Environment {
        directory: directory.path().to_owned(),
        ..Environment::default()
    };
    let small = "[email]\nhost = \"smtp.example.com\"\nfrom = \"a@b.example\"\nto = [\"c@d.example\"]\n\
                 [[monitor]]\nurl = \"https://${NAME}.example/\"\nexpect_status = [\"2xx\", 404]\n\
                 body_matches = [\"(a|b)*\"]\njson = [{ path = \"$.a[?@.b > 1]\", equals = 1 }]\n\
                 schedule = \"0 */5 8-18 * * Mon-Fri\"\ndepends_on = [\"x\"]\n\
                 [[maintenance]]\nstart = 2026-12-01T02:00:00Z\nend = 2026-12-01T03:00:00Z\n";
    let corpus = vec![
        small.as_bytes().to_vec(),
        config::EXAMPLE.as_bytes().to_vec(),
        config::EXAMPLE.replace("\n#", "\n").into_bytes(),
    ];
    while run.goes_on() {
        std::fs::write(&file, run.dice.mutate(&corpus)).expect("written");
        if let Err(errors) = config::load(&file, &environment) {
            let said = errors.to_string();
            assert!(said.contains("monitors.toml"), "{said}");
            assert!(
                !said.chars().any(|c| c.is_control() && c != '\n'),
                "{said:?}"
            );
        }
    }
}

#[test]
fn lists() {
    use sitewatch::config::source_lists::entry::InForce;
    use sitewatch::config::source_lists::read::read;

    let mut run = Run::new();
    let lines = "# customers\nhttps://a.example/ Shop\nhttps://b.example/x?y=1\r\n\n\u{feff}http://127.0.0.1:80 B\n\
                 https://user:secret@c.example/ C\nhttps://\u{fc}.example/\n";
    let file_sd = r#"[{"targets": ["a.example", "https://b.example/x", "10.0.0.1:8080"],
        "labels": {"name": "A", "team": "web", "__meta": "1"}}, {"targets": ["[::1]:80"]}]"#;
    let corpus = vec![
        lines.as_bytes().to_vec(),
        file_sd.as_bytes().to_vec(),
        b"<!doctype html><title>Log in</title>".to_vec(),
        lines.repeat(50).into_bytes(),
    ];
    while run.goes_on() {
        let text = run.dice.mutate(&corpus);
        let told = match read(&text, InForce::default()) {
            Ok(list) => {
                assert!(!list.entries.is_empty());
                let names = list.entries.iter().map(|entry| entry.name.as_str());
                assert!(names.is_sorted_by(|one, next| one < next), "{text:?}");
                list.skipped.sentence().unwrap_or_default()
            }
            Err(why) => why.to_string(),
        };
        assert!(!told.chars().any(char::is_control), "{told:?}");
        assert!(told.len() < 2_000, "{told}");
    }
}
