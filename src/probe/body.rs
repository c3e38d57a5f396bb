//! Reads a body as far as it is wanted, within the deadline.

use std::pin::Pin;
use std::time::Duration;

use reqwest::header::TRANSFER_ENCODING;
use tokio::time::Sleep;

use super::classify::{self, BodyFault, Fault};
use super::connection::{AnswerError, Reply};
use super::exchange::within;
use super::room::{self, FREE_BYTES, ORDINARY_BYTES_MAX, Place, Room};
use crate::clock;
use crate::domain::check::FailureKind;
use crate::domain::duration_text::{Exact, Human};

/// What is kept of a body that no assertion reads: enough for the excerpt and for a protection
/// layer's signs.
pub(super) const KEPT_BYTES: usize = 8 * 1024;

/// No more is reserved at once, whatever length is announced.
const RESERVED_BYTES_MAX: u64 = 64 * 1024;

/// A server whose body waited longer than this for room may have taken us for one that does not read. What breaks after
/// that is not its fault.
const BLAMELESS_AFTER: Duration = Duration::from_secs(1);

/// What came of a body.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// What is kept.
    pub(super) bytes: Vec<u8>,
    /// How much arrived, at most the limit.
    pub(super) length: u64,
    /// Whether it went on past the limit.
    pub(super) cut: bool,
    /// Whether TLS ended without its closing message.
    pub(super) unclean_end: bool,
    /// Its share of the room for bodies, where it needs one.
    pub(super) place: Option<Place>,
    /// So many bytes may be kept with that share.
    granted: usize,
    /// How long it waited for that, which is not its site's time.
    pub(super) waited: Duration,
}

/// How much of a body is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// At most this is read.
    pub(super) max: u64,
    /// Whether an assertion needs all of it, and has to know whether that was all; else only the beginning
    /// is kept.
    pub(super) all: bool,
    /// So much is kept of a body that no assertion reads, in bytes.
    pub(super) kept: usize,
}

/// Reads until the end, the limit, the deadline or a fault.
pub(super) async fn read(
    answer: &mut Reply,
    wanted: Wanted,
    room: &Room,
    mut alarm: Pin<&mut Sleep>,
    timeout: Exact,
) -> (Body, Option<Fault>) {
    let mut body = Body::default();
    if wanted.all {
        let announced = answer.content_length().unwrap_or(0);
        let reserve = announced.min(wanted.max).min(RESERVED_BYTES_MAX);
        body.bytes
            .reserve_exact(usize::try_from(reserve).unwrap_or(0));
    }
    let length_told =
        answer.content_length().is_some() || answer.head.headers.contains_key(TRANSFER_ENCODING);
    let read = loop {
        let filled = within(alarm.as_mut(), fill(&mut body, answer, wanted)).await;
        let Some(Ok(Filled::NeedsRoom)) = filled else {
            break filled;
        };
        let before = body.waited;
        if !wait_for_room(&mut body, answer.content_length(), wanted.max, room).await {
            let fault = format!(
                "other bodies took all the room that there is for them, for {}",
                Human(room::WAIT_MAX)
            );
            return (body, Some((FailureKind::Local, fault)));
        }
        let deadline = alarm.deadline() + (body.waited - before);
        alarm.as_mut().reset(deadline);
    };
    // A body that is exactly as long as the limit was read whole as far as anyone asked.
    let full = body.length >= wanted.max;
    let fault = match read {
        Some(Ok(Filled::End | Filled::NeedsRoom)) => None,
        Some(Ok(Filled::NoMemory)) => Some((
            FailureKind::BodyTooLarge,
            format!(
                "this machine has no memory for more than the first {} bytes of the body",
                body.bytes.len()
            ),
        )),
        _ if full => {
            body.cut = true;
            None
        }
        None => Some((
            FailureKind::TimeoutBody,
            format!(
                "the body did not end within the timeout of {timeout}; {} bytes came",
                body.length
            ),
        )),
        Some(Err(error)) => match classify::of_body(&error, length_told) {
            BodyFault::UncleanEnd => {
                body.unclean_end = true;
                None
            }
            BodyFault::Fault((kind, detail)) => {
                Some((kind, format!("{detail}; {} bytes came", body.length)))
            }
        },
    };
    let fault = fault.map(|fault| whose(fault, body.waited));
    (body, fault)
}

/// A fault of reading, which is ours where the server had to wait for long.
fn whose((kind, detail): Fault, waited: Duration) -> Fault {
    match waited > BLAMELESS_AFTER {
        true => (
            FailureKind::Local,
            format!(
                "{detail}, after sitewatch let it wait for {}",
                Human(waited)
            ),
        ),
        false => (kind, detail),
    }
}

/// Why reading stopped.
enum Filled {
    /// There is no more, or no more is wanted.
    End,
    /// The body is longer than what each may have without asking.
    NeedsRoom,
    /// The system gives no more memory.
    NoMemory,
}

/// Asks for room for all that may come; where nothing says how much that is, for an ordinary body first, since hardly
/// any is as large as it may be. False if there was none.
async fn wait_for_room(body: &mut Body, announced: Option<u64>, max: u64, room: &Room) -> bool {
    let begun = clock::tick();
    let all = announced.unwrap_or(max).min(max);
    let (granted, place) = match (body.place.take(), announced) {
        (None, None) if all > ORDINARY_BYTES_MAX => {
            let first = ORDINARY_BYTES_MAX;
            (first, room.take_first(first).await)
        }
        (None, None) => (all, room.take(all).await),
        (None, Some(_)) => (all, room.take(all).await),
        (Some(first), _) => {
            let more = all.saturating_sub(ORDINARY_BYTES_MAX);
            (all, room.take_more(first, more).await)
        }
    };
    body.place = place;
    body.granted = usize::try_from(granted).unwrap_or(usize::MAX);
    if body.place.is_some() {
        // All of it at once: pages that nothing is written to cost nothing, and growing step by step would copy tens of
        // megabytes on the thread of the checks. Where there is not so much, it is the step by step.
        let more = body.granted.saturating_sub(body.bytes.len());
        let _ = body.bytes.try_reserve_exact(more);
    }
    body.waited += begun.elapsed();
    body.place.is_some()
}

async fn fill(body: &mut Body, answer: &mut Reply, wanted: Wanted) -> Result<Filled, AnswerError> {
    let announced = answer.content_length();
    while let Some(piece) = answer.chunk().await? {
        let room = usize::try_from(wanted.max - body.length).unwrap_or(usize::MAX);
        let taken = piece.len().min(room);
        let kept = if wanted.all {
            taken
        } else {
            taken.min(wanted.kept.saturating_sub(body.bytes.len()))
        };
        if body.bytes.try_reserve(kept).is_err() {
            return Ok(Filled::NoMemory);
        }
        body.bytes.extend_from_slice(&piece[..kept]);
        body.length += taken as u64;
        if taken < piece.len() {
            body.cut = true;
            break;
        }
        // At the limit there is nothing to wait for, unless only the end of the body can tell that it is one.
        let full = body.length >= wanted.max;
        if full && (announced > Some(wanted.max) || !wanted.all) {
            body.cut = announced > Some(wanted.max);
            break;
        }
        if body.bytes.len() > body.granted.max(FREE_BYTES) {
            return Ok(Filled::NeedsRoom);
        }
    }
    Ok(Filled::End)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use http_body_util::Full;

    use super::super::connection::{Link, Paced, send};
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// The answer of a server that sends 3 MiB in chunks, then this, and closes.
    async fn chunked(end: &'static [u8]) -> Reply {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 1024];
            assert!(stream.read(&mut head).unwrap() > 0);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = [b"4000\r\n".as_slice(), &[b'x'; 0x4000], b"\r\n"].concat();
            let _ = stream.write_all(&chunk.repeat(192));
            let _ = stream.write_all(end);
        });
        let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = || {
            let request = hyper::Request::get("/").header("Host", "a.test");
            request
                .body(Full::default())
                .map_err(|error| error.to_string())
        };
        let Ok(reply) = send(Link::Plain(Paced::new(tcp, u64::MAX)), request).await else {
            panic!("no answer");
        };
        reply
    }

    async fn read_all(mut reply: Reply, room: &Room) -> (Body, Option<Fault>) {
        let wanted = Wanted {
            max: 10 * MIB,
            all: true,
            kept: KEPT_BYTES,
        };
        let timeout = Duration::from_secs(20);
        let alarm = std::pin::pin!(tokio::time::sleep(timeout));
        read(&mut reply, wanted, room, alarm, Exact(timeout)).await
    }

    #[tokio::test]
    async fn a_body_of_no_announced_length_that_is_large_is_read_whole() {
        let room = Room::default();
        let (body, fault) = read_all(chunked(b"0\r\n\r\n").await, &room).await;
        assert_eq!((body.length, body.cut, fault), (3 * MIB, false, None));
        assert_eq!(body.granted, 10 << 20);
        let (body, fault) = read_all(chunked(b"").await, &room).await;
        assert_eq!(body.length, 3 * MIB);
        assert_eq!(fault.map(|fault| fault.0), Some(FailureKind::BodyTruncated));
    }

    #[tokio::test]
    async fn a_server_that_goes_while_its_body_waits_for_room_is_not_to_blame() {
        let room = Room::default();
        let taken = room.take(1024 * MIB).await;
        let reply = chunked(b"").await;
        let later = async {
            tokio::time::sleep(BLAMELESS_AFTER + Duration::from_millis(300)).await;
            drop(taken);
        };
        let ((body, fault), ()) = tokio::join!(read_all(reply, &room), later);
        assert!(body.waited > BLAMELESS_AFTER);
        let (kind, detail) = fault.expect("a fault");
        assert_eq!(kind, FailureKind::Local);
        assert!(
            detail.contains(" bytes came, after sitewatch let it wait for "),
            "{detail}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_of_no_announced_length_leave_room_for_each_other() {
        let room = Room::default();
        let mut bodies = Vec::new();
        for _ in 0..32 {
            let mut body = Body::default();
            assert!(wait_for_room(&mut body, None, 10 * MIB, &room).await);
            assert_eq!((body.granted, body.waited), (1 << 20, Duration::ZERO));
            bodies.push(body);
        }
        // Those that are large indeed take turns at room of their own, and keep what they have.
        for body in &mut bodies[..14] {
            assert!(wait_for_room(body, None, 10 * MIB, &room).await);
            assert_eq!((body.granted, body.waited), (10 << 20, Duration::ZERO));
        }
        assert!(!wait_for_room(&mut bodies[14], None, 10 * MIB, &room).await);
        assert_eq!(bodies[14].waited, room::WAIT_MAX);
        let begun = clock::tick();
        let mut ordinary = Vec::new();
        for _ in 0..96 {
            let mut body = Body::default();
            assert!(wait_for_room(&mut body, None, MIB, &room).await);
            ordinary.push(body);
        }
        assert_eq!(
            begun.elapsed(),
            Duration::ZERO,
            "they have room of their own"
        );
        drop(bodies.remove(0));
        assert!(wait_for_room(&mut bodies[14], None, 10 * MIB, &room).await);
        // What is given back was all of it.
        drop((bodies, ordinary));
        assert!(room.take(1024 * MIB).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn many_large_bodies_of_no_announced_length_all_have_their_turn() {
        let room = std::sync::Arc::new(Room::default());
        let mut tasks = Vec::new();
        for _ in 0..200 {
            let room = std::sync::Arc::clone(&room);
            tasks.push(tokio::spawn(async move {
                let mut body = Body::default();
                for _ in 0..2 {
                    assert!(wait_for_room(&mut body, None, 65 * MIB, &room).await);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                body.waited
            }));
        }
        for task in tasks {
            assert!(task.await.unwrap() < 2 * room::WAIT_MAX);
        }
    }

    #[test]
    fn what_breaks_after_a_long_wait_for_room_is_our_fault() {
        let fault = || (FailureKind::Protocol, "it broke".to_owned());
        assert_eq!(whose(fault(), BLAMELESS_AFTER), fault());
        let late = "it broke, after sitewatch let it wait for 7s".to_owned();
        assert_eq!(
            whose(fault(), Duration::from_secs(7)),
            (FailureKind::Local, late)
        );
    }
}
