//! Ten thousand sessions with servers that answer anything: no mail counts as sent that no server took.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use sitewatch::clock;
use sitewatch::domain::settings::{MailTransport, SmtpTls};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::mail::mailer::Mailer;
use sitewatch::mail::smtp::reply::{LINE_BYTES_MAX, LINES_MAX, REPLY_BYTES_MAX, ReplyReader};
use sitewatch::policy::outbox::delivery::{Outcome, Settled, settle};
use sitewatch::policy::outbox::row::{RowId, Tries, Waiting};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::steps::{address, mail, settings};

/// Sessions over TCP. The reader alone goes through all ten thousand below.
const SESSIONS: u64 = 2_000;
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
        let is_whole = bytes.ends_with(b"\n");
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

/// Speaks one session by the dice. Answers whether it took the message: whether the answer to its end began by 2xx.
async fn speak(stream: TcpStream, mut dice: Dice, took: &AtomicBool) -> Option<()> {
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
        took.store(says_yes, Relaxed);
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
        kind: sitewatch::domain::notice::MailKind::Down,
        monitor: None,
        incident: None,
        queued_at: Timestamp::from_ms(0),
        tries: Tries::None,
        held: None,
        tells: Vec::new(),
        follows: false,
    };
    let mut counted = [0; 2];
    for seed in 0..SESSIONS {
        let took = Arc::new(AtomicBool::new(false));
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
                took.load(Relaxed) && noted.load(Relaxed),
                "{seed}: {outcome:?}"
            );
        }
        if took.load(Relaxed) && !is_sent {
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
