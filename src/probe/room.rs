//! Room for bodies: how many bytes of them are held at once, from the first piece until they are judged.
//!
//! A site decides how large its body is, and a hundred of them may come together. What has no room waits before it is
//! read on, and that wait is not its site's time.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// What each body has without asking: the 512 checks that run at once by default hold 32 MiB of these.
pub(super) const FREE_BYTES: usize = 64 * 1024;

/// Bodies up to here, which is the default of `max_body`, do not wait for larger ones.
pub(super) const ORDINARY_BYTES_MAX: u64 = 1024 * 1024;

/// Ordinary bodies that are held at once: 96 of the largest.
const ORDINARY_KIB: u32 = 96 * 1024;

/// Bodies that may become larger than ordinary ones and do not say so. They keep this share while they wait for more,
/// so it is none of the ordinary ones'.
const UNDECIDED_KIB: u32 = 32 * 1024;

/// Larger ones: two of 64 MiB, or one that is larger than all this. The packaged service may take 768 MiB in all, and
/// what is being judged takes as much again.
const LARGE_KIB: u32 = 128 * 1024;

/// A check waits so long for room. What is held is given back when its check is judged: after its timeout, and after a
/// wait for room and for a judge where the host is busy.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(30);

/// A share of the room; it is given back when it is dropped.
pub(super) type Place = Arc<dyn Any + Send + Sync>;

/// The room of one process.
#[derive(Debug)]
pub(super) struct Room {
    ordinary: Arc<Semaphore>,
    undecided: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            ordinary: Arc::new(Semaphore::new(ORDINARY_KIB as usize)),
            undecided: Arc::new(Semaphore::new(UNDECIDED_KIB as usize)),
            large: Arc::new(Semaphore::new(LARGE_KIB as usize)),
        }
    }
}

impl Room {
    /// Waits for room for a body of at most so many bytes, in the order of asking; `None` if that takes too long. It is
    /// taken all at once: bodies that hold a part of a stock each and wait for more of it would wait for ever.
    pub(super) async fn take(&self, bytes: u64) -> Option<Place> {
        match bytes <= ORDINARY_BYTES_MAX {
            true => taken(&self.ordinary, ORDINARY_KIB, bytes).await,
            false => taken(&self.large, LARGE_KIB, bytes).await,
        }
    }

    /// The same for the first so many bytes of a body that may become larger.
    pub(super) async fn take_first(&self, bytes: u64) -> Option<Place> {
        taken(&self.undecided, UNDECIDED_KIB, bytes).await
    }

    /// The same for so many bytes more, of a body that has its first share and turns out to be larger. It keeps that
    /// share meanwhile: who holds room for large ones never asks for a first share, so nobody waits in a circle.
    pub(super) async fn take_more(&self, first: Place, bytes: u64) -> Option<Place> {
        let more = taken(&self.large, LARGE_KIB, bytes).await?;
        Some(Arc::new((first, more)))
    }
}

async fn taken(stock: &Arc<Semaphore>, most: u32, bytes: u64) -> Option<Place> {
    let kib = u32::try_from(bytes.div_ceil(1024))
        .unwrap_or(most)
        .min(most);
    let place = Arc::clone(stock).acquire_many_owned(kib);
    let place = tokio::time::timeout(WAIT_MAX, place).await.ok()?.ok()?;
    Some(Arc::new(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const MIB: u64 = 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn what_has_no_room_waits_and_gives_up_in_the_end() {
        let room = Room::default();
        let first = room.take(64 * MIB).await;
        let second = room.take(64 * MIB).await;
        assert!(first.is_some() && second.is_some());
        let begun = clock::tick();
        assert!(room.take(2 * MIB).await.is_none());
        assert_eq!(begun.elapsed(), WAIT_MAX);
        // Ordinary ones have room of their own.
        assert!(room.take(MIB).await.is_some());
        drop(first);
        assert!(room.take(2 * MIB).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_wait_for_more_hold_nothing_of_the_ordinary_ones() {
        let room = Arc::new(Room::default());
        let whole = room.take(1024 * MIB).await;
        let waiting: Vec<_> = (0..200)
            .map(|_| {
                let room = Arc::clone(&room);
                tokio::spawn(async move {
                    let first = room.take_first(MIB).await?;
                    room.take_more(first, 8 * MIB).await
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = clock::tick();
        let mut ordinary = Vec::new();
        for _ in 0..ORDINARY_KIB / 1024 {
            ordinary.push(room.take(MIB).await.expect("room of their own"));
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        drop(whole);
        let mut held = 0;
        for task in waiting {
            held += usize::from(task.await.unwrap().is_some());
        }
        assert_eq!(held, 200, "each gets its turn");
        assert_eq!(room.undecided.available_permits(), UNDECIDED_KIB as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_is_larger_than_all_room_has_it_alone() {
        let room = Room::default();
        let whole = room.take(1024 * MIB).await;
        assert!(whole.is_some());
        assert!(room.take(2 * MIB).await.is_none());
        drop(whole);
        assert!(room.take(2 * MIB).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_large_bodies_take_turns() {
        let room = Arc::new(Room::default());
        let mut tasks = Vec::new();
        for _ in 0..100 {
            let room = Arc::clone(&room);
            tasks.push(tokio::spawn(async move {
                let place = room.take(64 * MIB).await;
                let left = room.large.available_permits();
                tokio::time::sleep(Duration::from_millis(100)).await;
                drop(place.expect("a turn comes in time"));
                left
            }));
        }
        for task in tasks {
            assert!(task.await.unwrap() <= 64 * 1024);
        }
        assert_eq!(room.large.available_permits(), LARGE_KIB as usize);
    }
}
