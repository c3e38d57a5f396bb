//! The keys that only some kinds of monitors have, and the subject that a monitor's keys make.

use std::sync::Arc;
use std::time::Duration;

use super::reader::Reading;
use super::scalars::{self, Wrong};
use super::table::{Found, Table};
use crate::config::diagnostic::problem::Fault;
use crate::domain::duration_text::Exact;
use crate::domain::expectation::Expectation;
use crate::domain::safe_text;
use crate::domain::starttls::StartTls;
use crate::domain::subject::{
    AnswersMatch, Dialogue, DnsManner, DnsSubject, HostPort, HttpSubject, IcmpManner, IcmpSubject,
    Locator, PING_GAP, RecordType, Subject, SubjectKind, TcpManner, TcpSubject, TlsManner,
    TlsSubject,
};
use crate::domain::target::{Manner, Target};

/// The keys that are read here.
pub(in crate::config) const KEYS: [&str; 7] = [
    "send",
    "expect",
    "starttls",
    "packets",
    "max_loss",
    "answers",
    "answers_match",
];

/// Echo requests of one check without `packets`.
const PACKETS: u8 = 3;

/// Without `max_loss`, in per cent.
const MAX_LOSS: u8 = 50;

/// What the keys of single kinds say.
#[derive(Debug, Clone)]
pub(in crate::config) struct KindKeys {
    /// What is said over a connection.
    pub dialogue: Dialogue,
    /// The dialogue before TLS.
    pub starttls: Option<StartTls>,
    /// Echo requests of one check.
    pub packets: u8,
    /// How many of them may be lost, in per cent.
    pub max_loss: u8,
    /// The answers that are expected of a name server.
    pub answers: Vec<String>,
    /// How they are compared.
    pub answers_match: AnswersMatch,
}

impl Default for KindKeys {
    fn default() -> Self {
        Self {
            dialogue: Dialogue::default(),
            starttls: None,
            packets: PACKETS,
            max_loss: MAX_LOSS,
            answers: Vec::new(),
            answers_match: AnswersMatch::Exact,
        }
    }
}

/// Reads them.
pub(in crate::config) fn keys(reading: &mut Reading<'_>, table: &Table<'_>) -> KindKeys {
    let send = reading.some_text(table, "send");
    let patterns = reading.patterns.clone();
    let expect = reading.some_parsed(table, "expect", "a regular expression", |text| {
        patterns.bytes_regex(text)
    });
    let starttls = reading.choice(table, "starttls");
    let packets = reading.count(table, "packets");
    let max_loss = reading.some_parsed(table, "max_loss", "a percentage", scalars::percent);
    let answers_match = reading.choice(table, "answers_match");
    KindKeys {
        dialogue: Dialogue {
            send: send.map_or_else(Arc::default, |text| text.value.as_bytes().into()),
            expect: expect.map(|expect| expect.it),
        },
        starttls: starttls.and_then(|word| StartTls::parse(word.it)),
        packets: packets
            .and_then(|count| u8::try_from(count).ok())
            .unwrap_or(PACKETS),
        max_loss: max_loss.map_or(MAX_LOSS, |percent| percent.it),
        answers: reading.texts(table, "answers"),
        answers_match: match answers_match.map(|word| word.it) {
            Some("contains") => AnswersMatch::Contains,
            _ => AnswersMatch::Exact,
        },
    }
}

/// What can only be told of the keys of one kind together.
pub(in crate::config) fn check_together(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    locator: &Locator,
    keys: &KindKeys,
    timeout: Duration,
) {
    match locator {
        Locator::Http(_) | Locator::Tcp(_) | Locator::Tls(_) => {}
        Locator::Icmp(_) => {
            let last = PING_GAP * u32::from(keys.packets.saturating_sub(1));
            let found = table.get("packets").or_else(|| table.get("timeout"));
            if let Some(found) = found.filter(|_| last >= timeout) {
                reading.fault(Fault::new(
                    found.place,
                    format!(
                        "{} packets do not fit into the timeout of {}",
                        keys.packets,
                        Exact(timeout)
                    ),
                    format!(
                        "they go {} apart: take fewer, or a timeout of more than {}",
                        Exact(PING_GAP),
                        Exact(last)
                    ),
                ));
            }
        }
        Locator::Dns(question) if !keys.answers.is_empty() => {
            let kind = question.record_type;
            let is_one = |text: &str| match kind.normal(text) {
                Some(_) => Ok(()),
                None => Err(Wrong::new(
                    format!(
                        "`{}` is not the text of {} {kind} record",
                        safe_text::line(text, 60),
                        a(kind)
                    ),
                    format!("write it like `{}`", kind.example()),
                )),
            };
            let _ = reading.list(table, "answers", "a string", is_one);
        }
        Locator::Dns(_) => {}
    }
}

/// The article before the name of a type.
const fn a(kind: RecordType) -> &'static str {
    match kind {
        RecordType::A
        | RecordType::Aaaa
        | RecordType::Mx
        | RecordType::Ns
        | RecordType::Soa
        | RecordType::Srv
        | RecordType::Sshfp => "an",
        RecordType::Caa
        | RecordType::Cname
        | RecordType::Ds
        | RecordType::Ptr
        | RecordType::Tlsa
        | RecordType::Txt => "a",
    }
}

/// Reports every key of the table itself that monitors of this kind do not have.
pub(in crate::config) fn refuse_others(
    reading: &mut Reading<'_>,
    table: &Table<'_>,
    kind: SubjectKind,
) {
    for key in table.keys.iter().filter(|key| !key.kinds.has(kind)) {
        if let Some(Found { key_place, .. }) = table.own(key.name) {
            reading.fault(Fault::new(
                key_place,
                format!("{} has no `{}`", kind.monitor(), key.name),
                format!("monitors with {} have it", key.kinds),
            ));
        }
    }
}

/// What a monitor's URL and keys make. What other kinds share with HTTP they take from its manner and expectation.
pub(in crate::config) fn subject(
    locator: &Locator,
    manner: Arc<Manner>,
    expectation: Arc<Expectation>,
    keys: &KindKeys,
) -> Subject {
    match locator {
        Locator::Http(url) => Subject::Http(HttpSubject {
            target: Target::sharing(url, manner),
            expectation,
        }),
        Locator::Tcp(at) => Subject::Tcp(Arc::new(tcp(locator, at, &manner, &expectation, keys))),
        Locator::Tls(at) => Subject::Tls(Arc::new(TlsSubject {
            tcp: tcp(locator, at, &manner, &expectation, keys),
            tls: Arc::new(tls(&manner, &expectation, keys)),
        })),
        Locator::Icmp(host) => Subject::Icmp(Arc::new(IcmpSubject {
            url: locator.text().as_ref().into(),
            host: host.clone(),
            manner: Arc::new(IcmpManner {
                timeout: manner.timeout,
                ip_version: manner.ip_version,
                packets: keys.packets,
                max_loss: keys.max_loss,
                degraded_after: expectation.degraded_after,
                masks: manner.masks.clone(),
            }),
        })),
        Locator::Dns(question) => Subject::Dns(Arc::new(DnsSubject {
            url: locator.text().as_ref().into(),
            question: question.clone(),
            manner: Arc::new(DnsManner {
                timeout: manner.timeout,
                answers: keys.answers.clone().into(),
                answers_match: keys.answers_match,
                degraded_after: expectation.degraded_after,
                masks: manner.masks.clone(),
            }),
        })),
    }
}

fn tcp(
    locator: &Locator,
    at: &HostPort,
    manner: &Manner,
    expectation: &Expectation,
    keys: &KindKeys,
) -> TcpSubject {
    TcpSubject {
        url: locator.text().as_ref().into(),
        at: at.clone(),
        manner: Arc::new(TcpManner {
            timeout: manner.timeout,
            ip_version: manner.ip_version,
            direct: manner.proxy.direct().cloned().map(Box::new),
            max_body: manner.max_body,
            dialogue: keys.dialogue.clone(),
            degraded_after: expectation.degraded_after,
            masks: manner.masks.clone(),
        }),
    }
}

fn tls(manner: &Manner, expectation: &Expectation, keys: &KindKeys) -> TlsManner {
    let files = manner.files.clone().map(|mut files| {
        files.body = None;
        files
    });
    TlsManner {
        starttls: keys.starttls,
        ca_pem: manner.ca_pem.clone(),
        client_certificate: manner.client_certificate.clone(),
        files,
        verify_tls: manner.verify_tls,
        certificate_expiry: expectation.certificate_expiry.as_slice().into(),
    }
}
