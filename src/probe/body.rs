//! Reads a body as far as it is wanted, within the deadline.

use std::pin::Pin;
use std::time::Duration;

use reqwest::header::TRANSFER_ENCODING;
use tokio::time::Sleep;

use super::classify::{self, BodyFault, Fault};
use super::connection::Reply;
use super::exchange::within;
use super::room::{self, FREE_BYTES, Place, Room};
use crate::clock;
use crate::domain::check::FailureKind;
use crate::domain::duration_text::{Exact, Human};

/// What is kept of a body that no assertion reads: enough for the excerpt and for a protection
/// layer's signs.
const KEPT_BYTES: usize = 8 * 1024;

/// No more is reserved at once, whatever length is announced.
const RESERVED_BYTES_MAX: u64 = 64 * 1024;

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
        if !wait_for_room(&mut body, answer.content_length(), wanted.max, room).await {
            let fault = format!(
                "other bodies took all the room that there is for them, for {}",
                Human(room::WAIT_MAX)
            );
            return (body, Some((FailureKind::Local, fault)));
        }
        let deadline = alarm.deadline() + body.waited;
        alarm.as_mut().reset(deadline);
    };
    // A body that is exactly as long as the limit was read whole as far as anyone asked.
    let full = body.length >= wanted.max;
    let fault = match read {
        Some(Ok(Filled::End | Filled::NeedsRoom)) => None,
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
    (body, fault)
}

/// Why reading stopped.
enum Filled {
    /// There is no more, or no more is wanted.
    End,
    /// The body is longer than what each may have without asking.
    NeedsRoom,
}

/// Asks for room for all that may come. False if there was none.
async fn wait_for_room(body: &mut Body, announced: Option<u64>, max: u64, room: &Room) -> bool {
    let begun = clock::tick();
    body.place = room.take(announced.unwrap_or(max).min(max)).await;
    body.waited = begun.elapsed();
    body.place.is_some()
}

async fn fill(body: &mut Body, answer: &mut Reply, wanted: Wanted) -> Result<Filled, hyper::Error> {
    let announced = answer.content_length();
    while let Some(piece) = answer.chunk().await? {
        let room = usize::try_from(wanted.max - body.length).unwrap_or(usize::MAX);
        let taken = piece.len().min(room);
        let kept = if wanted.all {
            taken
        } else {
            taken.min(KEPT_BYTES.saturating_sub(body.bytes.len()))
        };
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
        if body.bytes.len() > FREE_BYTES && body.place.is_none() {
            return Ok(Filled::NeedsRoom);
        }
    }
    Ok(Filled::End)
}
