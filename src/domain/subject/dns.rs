//! `dns://[SERVER[:PORT]]/NAME?type=TYPE`

use std::sync::Arc;
use std::time::Duration;

use super::question::DnsLocator;
use crate::domain::dns_record::AnswersMatch;
use crate::domain::redaction::Masks;
use crate::domain::slow_limit::SlowLimit;

/// A name whose records are asked for.
#[derive(Debug)]
pub struct DnsSubject {
    /// The monitor's `url`.
    pub url: Arc<str>,
    /// Server, name and type.
    pub question: DnsLocator,
    /// How it is asked and what must come.
    pub manner: Arc<DnsManner>,
}

/// How a name is asked for and what must come.
#[derive(Debug, Clone)]
pub struct DnsManner {
    /// The deadline of the whole check.
    pub timeout: Duration,
    /// The answers that are expected, as written; with none any answer is good.
    pub answers: Box<[String]>,
    /// How they are compared.
    pub answers_match: AnswersMatch,
    /// From when on a check is `degraded` since it is slow.
    pub degraded_after: SlowLimit,
    /// The values that must not be recorded or shown.
    pub masks: Masks,
}
