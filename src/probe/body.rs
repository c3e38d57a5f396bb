//! Reads a body as far as it is wanted, within the deadline.

use std::pin::Pin;

use reqwest::header::TRANSFER_ENCODING;
use tokio::time::Sleep;

use super::connection::Reply;
use super::exchange::within;
use super::fault::{self, BodyFault, Fault};
use crate::domain::check::FailureKind;

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
    alarm: Pin<&mut Sleep>,
    timeout: &str,
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
    let read = within(alarm, fill(&mut body, answer, wanted)).await;
    // A body that is exactly as long as the limit was read whole as far as anyone asked.
    let full = body.length >= wanted.max;
    let fault = match read {
        Some(Ok(())) => None,
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
        Some(Err(error)) => match fault::of_body(&error, length_told) {
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

async fn fill(body: &mut Body, answer: &mut Reply, wanted: Wanted) -> Result<(), hyper::Error> {
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
    }
    Ok(())
}
