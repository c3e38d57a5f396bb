//! Ten thousand sessions with servers that answer anything: no mail counts as sent that no server took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sitewatch::clock;
use sitewatch::domain::settings::{MailTransport, SmtpTls};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::mail::mailer::Mailer;
use sitewatch::mail::smtp::reply::{LINE_BYTES_MAX, LINES_MAX, REPLY_BYTES_MAX, ReplyReader};
use sitewatch::policy::outbox::queued::{RowId, Tries, Waiting};
use sitewatch::policy::outbox::retry::{Outcome, Settled, settle};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::outbox::{BOSS, OPS, Post, letter};
use super::steps::{address, mail, settings};

/// Sessions over TCP, one mail each; those of the outbox come to them.
const SESSIONS: u64 = 8_000;
/// Rounds of the outbox: two mails to two people, three tries by the dice, one with a server that takes them.
const ROUNDS: i64 = 250;
const STREAMS: u64 = 10_000;

/// SplitMix64: the same dice in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }

    /// An answer: mostly of the right code, mostly of the right form; and whether it has its end.
    fn answer(&mut self, usual: u16) -> (Vec<u8>, bool) {
        let code = match self.roll(12) {
            0 => self.roll(1000),
            1 => [250, 354, 421, 450, 452, 500, 535, 550, 554, 221][self.roll(10) as usize],
            _ => u64::from(usual),
        };
        let mut bytes = Vec::new();
        for _ in 0..self.roll(20).saturating_sub(16) {
            bytes.extend(format!("{code:03}-").bytes());
            bytes.extend(self.junk());
            bytes.extend(b"\r\n");
        }
        match self.roll(14) {
            0 => bytes.extend(self.junk()),
            1 => bytes.extend(format!("{code:03}\r\n").bytes()),
            2 => bytes.extend(format!("{code:03}\n").bytes()),
            _ => {
                bytes.extend(format!("{code:03} ").bytes());
                bytes.extend(self.junk());
                bytes.extend(b"\r\n");
            }
        }
        match self.roll(25) {
            0 => {
                bytes.truncate(self.roll(bytes.len() as u64 + 1) as usize);
                return (bytes, false);
            }
            1 => bytes
                .extend(b"250 2.0.0 queued\r\n250 2.0.0 queued\r\n354 go\r\n250 2.0.0 queued\r\n"),
            _ => {}
        }
        // A line that says that another follows is no end.
        let last = bytes.strip_suffix(b"\n").unwrap_or_default();
        let last = last
            .rsplit(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let is_whole = bytes.ends_with(b"\n") && last.get(3) != Some(&b'-');
        (bytes, is_whole)
    }

    fn junk(&mut self) -> Vec<u8> {
        let length = match self.roll(40) {
            0 => self.roll(9000),
            _ => self.roll(60),
        };
        (0..length)
            .map(|_| match self.roll(20) {
                0 => self.roll(256) as u8,
                1 => b'.',
                2 => b'5',
                _ => b'a' + (self.roll(26) as u8),
            })
            .filter(|byte| *byte != b'\n')
            .collect()
    }
}

#[test]
fn the_reader_of_answers_is_bounded_whatever_comes() {
    let begun = clock::tick();
    for seed in 0..STREAMS {
        let mut dice = Dice(seed);
        let mut bytes = Vec::new();
        for _ in 0..1 + dice.roll(8) {
            bytes.extend(dice.answer(250).0);
        }
        if seed % 500 == 0 {
            let again = dice.junk();
            bytes.extend(again.iter().cycle().take(100_000));
        }
        let mut reader = ReplyReader::default();
        let mut rest = bytes.as_slice();
        'stream: while !rest.is_empty() {
            let (chunk, after) = rest.split_at((1 + dice.roll(900) as usize).min(rest.len()));
            rest = after;
            reader.feed(chunk);
            loop {
                match reader.take() {
                    Ok(None) => break,
                    Err(_) => break 'stream,
                    Ok(Some(reply)) => {
                        assert!((200..600).contains(&reply.code));
                        assert!(reply.lines.len() <= LINES_MAX);
                        let size: usize = reply.lines.iter().map(|line| line.chars().count()).sum();
                        assert!(size <= REPLY_BYTES_MAX);
                        assert!(
                            reply
                                .lines
                                .iter()
                                .all(|line| line.chars().count() <= LINE_BYTES_MAX)
                        );
                        assert!(reply.text().len() < 3 * LINE_BYTES_MAX + 2000);
                    }
                }
            }
        }
    }
    assert!(
        begun.elapsed() < Duration::from_secs(60),
        "{:?}",
        begun.elapsed()
    );
}

/// Speaks one session by the dice, and counts the messages that it took: the answer to the end began by 2xx.
async fn speak(stream: TcpStream, mut dice: Dice, took: &AtomicU64) -> Option<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, &dice.answer(220)).await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let usual = match line.get(..4)? {
            "DATA" => 354,
            "QUIT" => return None,
            _ => 250,
        };
        let answer = dice.answer(usual);
        let goes_ahead = usual == 354 && answer.0.starts_with(b"354");
        say(&mut stream, &answer).await?;
        if !goes_ahead {
            continue;
        }
        loop {
            let mut line = Vec::new();
            if stream.read_until(b'\n', &mut line).await.ok()? == 0 {
                return None;
            }
            if line == b".\r\n" {
                break;
            }
        }
        let answer = dice.answer(250);
        // The last line of an answer decides; any 2xx in it lets the mail count as taken here.
        let says_yes = answer
            .0
            .split(|byte| *byte == b'\n')
            .any(|line| line.first() == Some(&b'2'));
        took.fetch_add(u64::from(says_yes), Relaxed);
        say(&mut stream, &answer).await?;
    }
}

/// Half an answer is the last: nobody waits for the other half.
async fn say(
    stream: &mut BufReader<TcpStream>,
    (answer, is_whole): &(Vec<u8>, bool),
) -> Option<()> {
    stream.write_all(answer).await.ok()?;
    is_whole.then_some(())
}

#[tokio::test]
async fn a_mail_is_sent_only_where_a_server_took_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let idle = super::server::Server::start(super::server::Script::default()).await;
    let mut settings = settings(&idle, SmtpTls::None, Duration::from_secs(20));
    if let MailTransport::Smtp(smtp) = &mut settings.transport {
        smtp.host = "127.0.0.1".into();
        smtp.port = listener.local_addr().unwrap().port();
    }
    let mailer = Mailer::new(&settings).unwrap();
    let (mail, to) = (mail(), address("ops@example.com"));
    let row = Waiting {
        id: RowId(1),
        kind: sitewatch::domain::notification::MailKind::Down,
        monitor: None,
        incident: None,
        cause: None,
        queued_at: Timestamp::from_ms(0),
        tries: Tries::None,
        held: None,
        tells: Vec::new(),
        members: Vec::new(),
        follows: false,
    };
    let mut counted = [0; 2];
    for seed in 0..SESSIONS {
        let took = Arc::new(AtomicU64::new(0));
        let noted = Arc::new(AtomicBool::new(false));
        let serving = async {
            let (stream, _) = listener.accept().await.unwrap();
            speak(stream, Dice(seed), &took).await;
            // The server hangs up on a client that connects again within one send.
            loop {
                let _ = listener.accept().await;
            }
        };
        let note = async {
            noted.store(true, Relaxed);
            Ok(())
        };
        let begun = clock::tick();
        let outcome = tokio::select! {
            outcome = mailer.send(&mail, &to, note) => outcome,
            () = serving => unreachable!("it serves for ever"),
        };
        assert!(
            begun.elapsed() < Duration::from_secs(15),
            "{seed}: {outcome:?}"
        );
        let is_sent = settle(&row, &outcome, seed, Timestamp::from_ms(0)) == Settled::Sent;
        assert_eq!(is_sent, matches!(outcome, Outcome::Accepted(_)), "{seed}");
        if is_sent {
            assert!(
                took.load(Relaxed) > 0 && noted.load(Relaxed),
                "{seed}: {outcome:?}"
            );
        }
        if took.load(Relaxed) > 0 && !is_sent {
            // Taken, and the answer was no answer: repeated at most twice, or refused by its last line.
            assert!(noted.load(Relaxed), "{seed}: {outcome:?}");
        }
        counted[usize::from(is_sent)] += 1;
    }
    assert!(
        counted.iter().all(|count| *count > SESSIONS / 20),
        "{counted:?}"
    );
}

/// Whatever servers said before: when one takes mail, everything is there, and what counts as sent was taken.
#[tokio::test]
async fn an_alert_survives_every_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (took, sessions) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (counts, begins) = (Arc::clone(&took), Arc::clone(&sessions));
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seed = 1_000_000 + begins.fetch_add(1, Relaxed);
            let counts = Arc::clone(&counts);
            tokio::spawn(async move { speak(stream, Dice(seed), &counts).await });
        }
    });
    let mut post = Post::new(Vec::new()).await;
    // No power fails here.
    let quick = post
        .store
        .outbox()
        .execute_batch("PRAGMA synchronous = OFF");
    quick.unwrap();
    let mut hostile = settings(&post.server, SmtpTls::None, Duration::from_secs(20));
    if let MailTransport::Smtp(smtp) = &mut hostile.transport {
        smtp.host = "127.0.0.1".into();
        smtp.port = port;
    }
    let hostile = Mailer::new(&hostile).unwrap();
    let mut sent_before = 0;
    for round in 1..=ROUNDS {
        let letters = [
            letter(&post, 2 * round, false, &[OPS, BOSS]),
            letter(&post, 2 * round + 1, false, &[OPS, BOSS]),
        ];
        post.queue(&letters);
        for _ in 0..3 {
            let begun = clock::tick();
            let emptied = post.send_by(&hostile).await;
            sent_before += emptied.sent as u64;
            assert!(begun.elapsed() < Duration::from_secs(60), "{round}");
            assert!(
                emptied.lines.iter().all(|line| line.len() < 4000),
                "{round}"
            );
            assert_eq!(post.states().len() as i64, 4 * round);
        }
        assert!(sent_before <= took.load(Relaxed), "{round}");
        // Each still is there, and leaves.
        post.send().await;
        let states = post.states();
        assert!(
            states.iter().all(|state| state.ends_with(" sent")),
            "{round}: {states:?}"
        );
    }
    let came = post.came().len() as u64;
    assert_eq!(sent_before + came, 4 * ROUNDS.unsigned_abs());
    assert!(came > 50 && sent_before > 50, "{came} {sent_before}");
    assert!(sessions.load(Relaxed) > 900, "{sessions:?}");
    serving.abort();
}
