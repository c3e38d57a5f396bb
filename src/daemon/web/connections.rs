//! The connections of the server: how many there are, what they are at, and which one has to go for the next.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::clock;

/// Connections at a time. One that is beyond goes in place of one that does nothing.
const CONNECTIONS_MAX: usize = 512;
/// Connections that have sent no whole request for [`SILENT_AFTER`]. Beyond it the oldest goes.
const SILENT_MAX: usize = 256;
/// The same of one address; a proxy in front has one for all its readers.
const SILENT_OF_ONE_MAX: usize = 128;
/// A reader sends its header at once. Whole crowds come in the same moment, and what they sent may not be read yet.
const SILENT_AFTER: Duration = Duration::from_secs(1);
/// A reader that takes nothing for this long gives its place to one that waits for it.
const IDLE: Duration = Duration::from_millis(400);

/// All connections of one server, on its thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Rc<RefCell<All>>);

#[derive(Debug, Default)]
struct All {
    open: HashMap<u64, Open>,
    next: u64,
}

#[derive(Debug)]
struct Open {
    address: IpAddr,
    /// Answers that are on their way; without any it has not sent a whole request.
    answers: usize,
    /// When it last came forward.
    active_at: Instant,
    /// Ends it when it is dropped.
    _end: oneshot::Sender<()>,
}

/// A connection's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    all: Connections,
    number: u64,
}

/// An answer that is on its way until this is dropped.
#[derive(Debug)]
pub(super) struct Answering(Rc<Place>);

impl Connections {
    /// Whether a further connection can be taken at this moment; makes room where a connection does nothing.
    pub(super) fn make_room(&self, now: Instant) -> bool {
        let mut all = self.0.borrow_mut();
        if all.open.len() < CONNECTIONS_MAX {
            return true;
        }
        let idle = all
            .oldest(|_| true)
            .filter(|(_, open)| now.duration_since(open.active_at) >= IDLE);
        let Some(number) = idle.map(|(number, _)| number) else {
            return false;
        };
        all.open.remove(&number);
        true
    }

    /// A place for a connection; what it gives resolves when the place is needed for another.
    pub(super) fn enter(
        &self,
        address: IpAddr,
        now: Instant,
    ) -> (Rc<Place>, oneshot::Receiver<()>) {
        let mut all = self.0.borrow_mut();
        let is_silent =
            |open: &Open| open.answers == 0 && now.duration_since(open.active_at) >= SILENT_AFTER;
        let of_one = |open: &Open| is_silent(open) && open.address == address;
        for (too_many, whose) in [
            (all.count(of_one) >= SILENT_OF_ONE_MAX, true),
            (all.count(is_silent) >= SILENT_MAX, false),
        ] {
            if !too_many {
                continue;
            }
            let oldest = match whose {
                true => all.oldest(of_one),
                false => all.oldest(is_silent),
            };
            if let Some(number) = oldest.map(|(number, _)| number) {
                all.open.remove(&number);
            }
        }
        let number = all.next;
        all.next += 1;
        let (end, ended) = oneshot::channel();
        all.open.insert(
            number,
            Open {
                address,
                answers: 0,
                active_at: now,
                _end: end,
            },
        );
        drop(all);
        let place = Place {
            all: self.clone(),
            number,
        };
        (Rc::new(place), ended)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.borrow().open.len()
    }
}

impl All {
    fn count(&self, which: impl Fn(&Open) -> bool) -> usize {
        self.open.values().filter(|open| which(open)).count()
    }

    fn oldest(&self, which: impl Fn(&Open) -> bool) -> Option<(u64, &Open)> {
        let open = self.open.iter().filter(|(_, open)| which(open));
        open.min_by_key(|(number, open)| (open.active_at, **number))
            .map(|(number, open)| (*number, open))
    }
}

impl Place {
    fn change(&self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = self.all.0.borrow_mut().open.get_mut(&self.number) {
            open.active_at = clock::tick();
            change(open);
        }
    }

    /// A whole request is here.
    pub(super) fn answer(self: &Rc<Self>) -> Answering {
        self.change(|open| open.answers += 1);
        Answering(Rc::clone(self))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.0.borrow_mut().open.remove(&self.number);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0
            .change(|open| open.answers = open.answers.saturating_sub(1));
    }
}

/// A stream whose writes are seen.
#[derive(Debug)]
pub(super) struct Seen {
    stream: TcpStream,
    place: Rc<Place>,
}

impl Seen {
    pub(super) fn new(stream: TcpStream, place: Rc<Place>) -> Self {
        Self { stream, place }
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.place.change(|_| ());
        }
        written
    }
}

impl AsyncRead for Seen {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Seen {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_that_says_nothing_goes() {
        let connections = Connections::default();
        let mut kept = Vec::new();
        for index in 0..=SILENT_OF_ONE_MAX {
            tokio::time::advance(Duration::from_millis(1)).await;
            kept.push(connections.enter(address(1), clock::tick()));
            assert_eq!(connections.len(), index + 1, "a crowd may come at once");
        }
        tokio::time::advance(SILENT_AFTER).await;
        kept.push(connections.enter(address(1), clock::tick()));
        assert_eq!(connections.len(), SILENT_OF_ONE_MAX + 1);
        assert!(
            kept[0]
                .1
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Closed)
        );
        assert!(
            kept[1]
                .1
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Empty)
        );
        // A connection that is being answered is not silent.
        let answering = kept[1].0.answer();
        let _more = connections.enter(address(1), clock::tick());
        assert!(
            kept[2]
                .1
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Empty)
        );
        drop(answering);
        drop(kept);
        assert_eq!(connections.len(), 1, "the last one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_does_not_read_makes_room() {
        let connections = Connections::default();
        let mut kept = Vec::new();
        for index in 0..CONNECTIONS_MAX {
            assert!(connections.make_room(clock::tick()));
            let last = u8::try_from(index % 200).unwrap();
            let entered = connections.enter(address(last), clock::tick());
            kept.push((entered.0.answer(), entered));
        }
        assert!(!connections.make_room(clock::tick()), "all are new");
        tokio::time::advance(IDLE).await;
        kept[0].0.0.change(|_| ());
        assert!(connections.make_room(clock::tick()));
        assert_eq!(connections.len(), CONNECTIONS_MAX - 1);
        assert!(
            kept[0]
                .1
                .1
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Empty)
        );
    }
}
