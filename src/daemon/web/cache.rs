//! Answers of the last second: a crowd of readers costs as much as one.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::reply::Reply;
use crate::view::json::Audience;

/// What is remembered takes at most this much beside the newest answer, in bytes.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Where no new answer can be made, one of this age is better than none.
const STALE: Duration = Duration::from_secs(60);
/// How long an answer is given again.
const LIFETIME: Duration = Duration::from_secs(1);
/// Different questions that are remembered at a time; names and filters come from outside.
const ENTRIES_MAX: usize = 32;

/// What was asked, without what the route passes over: two questions with one answer are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) target: String,
    pub(super) base: String,
    pub(super) audience: Audience,
}

/// The answers of the last second.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<Question, (Instant, Reply)>,
}

impl Cache {
    /// The answer, if it is young enough.
    pub(super) fn get(&mut self, question: &Question, now: Instant) -> Option<&mut Reply> {
        self.entries
            .get_mut(question)
            .filter(|(made, _)| now.duration_since(*made) < LIFETIME)
            .map(|(_, reply)| reply)
    }

    /// An answer that is no longer young.
    pub(super) fn stale(&mut self, question: &Question, now: Instant) -> Option<&mut Reply> {
        self.entries
            .get_mut(question)
            .filter(|(made, _)| now.duration_since(*made) < STALE)
            .map(|(_, reply)| reply)
    }

    /// Remembers an answer; forgets the oldest where there are too many or too large ones.
    pub(super) fn put(&mut self, question: Question, reply: Reply, now: Instant) -> &mut Reply {
        self.entries.remove(&question);
        self.entries
            .retain(|_, (made, _)| now.duration_since(*made) < STALE);
        let kept = |entries: &HashMap<Question, (Instant, Reply)>| -> usize {
            entries.values().map(|(_, reply)| reply.bytes()).sum()
        };
        while self.entries.len() >= ENTRIES_MAX || kept(&self.entries) > KEPT_BYTES_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, (made, _))| *made);
            let Some(oldest) = oldest.map(|(question, _)| question.clone()) else {
                break;
            };
            self.entries.remove(&oldest);
        }
        let entry = self.entries.entry(question).insert_entry((now, reply));
        &mut entry.into_mut().1
    }
}

#[cfg(test)]
mod tests {
    use super::super::reply::Keep;
    use super::*;
    use crate::clock;

    #[test]
    fn an_answer_lives_a_second_and_there_are_few() {
        let mut cache = Cache::default();
        let now = clock::tick();
        let question = |index: usize| Question {
            target: format!("/{index}"),
            base: String::new(),
            audience: Audience::Public { urls: false },
        };
        for index in 0..100 {
            let reply = Reply::new("text/plain", Keep::Revalidate, index.to_string());
            let made = now + Duration::from_millis(index as u64);
            assert_eq!(
                cache.put(question(index), reply, made).body,
                index.to_string()
            );
        }
        assert_eq!(cache.entries.len(), ENTRIES_MAX);
        let soon = now + Duration::from_millis(900);
        assert!(cache.get(&question(99), soon).is_some());
        assert!(cache.get(&question(0), soon).is_none());
        let mut owner = question(99);
        owner.audience = Audience::Owner;
        assert!(cache.get(&owner, soon).is_none());
        assert!(
            cache
                .get(&question(99), now + Duration::from_secs(2))
                .is_none()
        );
    }
}
