//! Answers of the last second: a crowd of readers costs as much as one.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::reply::Reply;
use crate::view::json::Audience;

/// How long an answer is given again.
const LIFETIME: Duration = Duration::from_secs(1);
/// Different questions that are remembered at a time; names and filters come from outside.
const ENTRIES_MAX: usize = 32;

/// What was asked: path with query, host where it matters, and by whom.
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

    /// Remembers an answer; forgets the old ones, and the oldest where there are too many.
    pub(super) fn put(&mut self, question: Question, reply: Reply, now: Instant) -> &mut Reply {
        self.entries
            .retain(|_, (made, _)| now.duration_since(*made) < LIFETIME);
        if self.entries.len() >= ENTRIES_MAX {
            let oldest = self.entries.iter().min_by_key(|(_, (made, _))| *made);
            if let Some(oldest) = oldest.map(|(question, _)| question.clone()) {
                self.entries.remove(&oldest);
            }
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
            audience: Audience::Public,
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
