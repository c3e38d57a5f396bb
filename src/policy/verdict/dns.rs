//! Whether the answers of a name server are those that are expected.

use super::reservation::{self, Limits};
use super::said::failure_of;
use crate::domain::check::{Check, Extras, FailureKind, Verdict};
use crate::domain::dns_record::{AnswersMatch, RecordType};
use crate::domain::observed::AnswersProbe;
use crate::domain::safe_text;
use crate::domain::subject::DnsSubject;

/// So many records of each side are named; a person sees by three what kind of change it is.
const NAMED_MAX: usize = 3;

/// What is shown of one record.
const RECORD_CHARS_MAX: usize = 120;

/// So many records are recorded and shown; an address list of a hundred is already a curiosity.
const RECORDED_MAX: usize = 100;

/// What is recorded of one; a key in a TXT record has 400 characters, a policy 2 000.
const RECORDED_CHARS_MAX: usize = 2_100;

/// All of them together, since they are stored with each check whose answers are new.
const RECORDED_BYTES_MAX: usize = 4 * 1024;

/// Judges one check of `dns://`. Of several failures the first in this order counts: transport, answers, slow.
pub fn judge(subject: &DnsSubject, probe: AnswersProbe) -> Check {
    let manner = &*subject.manner;
    let limits = Limits {
        degraded_after: manner.degraded_after.fixed(),
        certificate_expiry: &[],
    };
    let masks = &manner.masks;
    let (verdict, answers) = match probe.answers {
        Err((FailureKind::Local, detail)) => {
            let failure = failure_of(masks, (FailureKind::Local, detail));
            (Verdict::Unknown(failure), None)
        }
        Err(found) => {
            // A server that says that there is nothing has answered.
            let is_empty = found.0 == FailureKind::DnsNotFound && probe.remote_addr.is_some();
            let answers = is_empty.then(Box::default);
            (Verdict::Down(failure_of(masks, found)), answers)
        }
        Ok(records) => {
            let kind = subject.question.record_type;
            let found = difference(kind, &manner.answers, manner.answers_match, &records);
            let slow =
                || reservation::reservation(limits, &probe.timings, None, None, probe.started);
            let verdict = match found {
                Some(detail) => Verdict::Down(failure_of(masks, (FailureKind::DnsAnswer, detail))),
                None => match slow() {
                    Some(found) => Verdict::Degraded(failure_of(masks, found)),
                    None => Verdict::Up,
                },
            };
            let records = recorded(records, |text| masks.apply(text).into_owned());
            (verdict, Some(records))
        }
    };
    Check {
        extras: answers.map(|answers| {
            Box::new(Extras {
                answers: Some(answers),
                ..Extras::default()
            })
        }),
        ..super::bare_check::of(
            &subject.url,
            masks,
            probe.started,
            probe.timings,
            probe.remote_addr,
            verdict,
        )
    }
}

/// The records in an order that does not change from answer to answer, so that equal sets are stored once.
fn recorded(mut records: Vec<String>, masked: impl Fn(&str) -> String) -> Box<[String]> {
    records.sort_unstable();
    let count = records.len();
    let mut bytes = 0;
    let mut kept: Vec<String> = records
        .into_iter()
        .take(RECORDED_MAX)
        .map(|record| safe_text::line_end(&masked(&record), RECORDED_CHARS_MAX).into_owned())
        .take_while(|record| {
            bytes += record.len();
            bytes <= RECORDED_BYTES_MAX
        })
        .collect();
    if kept.len() < count {
        kept.push(format!("… and {} more", count - kept.len()));
    }
    kept.into()
}

/// What is wrong with `came`, in one line; `None` if it is as expected. Order does not matter, and nothing expected
/// means that any answer will do.
pub fn difference(
    kind: RecordType,
    expected: &[impl AsRef<str>],
    rule: AnswersMatch,
    came: &[impl AsRef<str>],
) -> Option<String> {
    if expected.is_empty() {
        return None;
    }
    // A text that is none of its type is compared as it is.
    let normal = |text: &str| kind.normal(text).unwrap_or_else(|| text.to_owned());
    let normals = |all: &[&str]| -> Vec<String> { all.iter().map(|text| normal(text)).collect() };
    let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
    let came: Vec<&str> = came.iter().map(AsRef::as_ref).collect();
    let (wanted, found) = (normals(&expected), normals(&came));
    let without = |all: &[&'_ str], own: &[String], others: &[String]| -> Vec<String> {
        let alone = all.iter().zip(own).filter(|(_, key)| !others.contains(key));
        alone.map(|(text, _)| (*text).to_owned()).collect()
    };
    let missing = without(&expected, &wanted, &found);
    let unexpected = match rule {
        AnswersMatch::Exact => without(&came, &found, &wanted),
        AnswersMatch::Contains => Vec::new(),
    };
    match (missing.is_empty(), unexpected.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!(
            "the {kind} answer lacks {}; it is {}",
            listed(&missing),
            listed(&came)
        )),
        (true, false) => Some(format!(
            "the {kind} answer has {} beside what is expected",
            listed(&unexpected)
        )),
        (false, false) => Some(format!(
            "the {kind} answer is {}, not {}",
            listed(&came),
            listed(&expected)
        )),
    }
}

fn listed(records: &[impl AsRef<str>]) -> String {
    let mut named: Vec<String> = records
        .iter()
        .take(NAMED_MAX)
        .map(|record| format!("`{}`", safe_text::line(record.as_ref(), RECORD_CHARS_MAX)))
        .collect();
    if records.len() > NAMED_MAX {
        named.push(format!("{} more", records.len() - NAMED_MAX));
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_bounded() {
        let all = |count: usize, size: usize| -> Vec<String> {
            (0..count)
                .map(|at| format!("{at:04}{}", "x".repeat(size)))
                .collect()
        };
        let kept = recorded(all(3, 1), str::to_owned);
        assert_eq!(*kept, ["0000x", "0001x", "0002x"]);
        let kept = recorded(all(250, 1), str::to_owned);
        assert_eq!(kept.len(), RECORDED_MAX + 1);
        assert_eq!(kept[RECORDED_MAX], "… and 150 more");
        let kept = recorded(all(250, 60_000), str::to_owned);
        let bytes: usize = kept.iter().map(String::len).sum();
        assert!(bytes < RECORDED_BYTES_MAX + 100, "{bytes}");
        let kept = recorded(vec!["b".to_owned(), "a".to_owned()], str::to_owned);
        assert_eq!(*kept, ["a", "b"]);
    }

    fn check(kind: &str, expected: &[&str], rule: &str, came: &[&str], want: Option<&str>) {
        let kind = RecordType::parse(kind).unwrap();
        let rule = AnswersMatch::parse(rule).unwrap();
        let told = difference(kind, expected, rule, came);
        assert_eq!(told.as_deref(), want);
    }

    #[test]
    fn answers_are_compared_as_sets() {
        check("A", &[], "exact", &["192.0.2.1"], None);
        check("A", &[], "exact", &[], None);
        let two = ["192.0.2.1", "192.0.2.2"];
        check("A", &["192.0.2.2", "192.0.2.1"], "exact", &two, None);
        check("A", &["192.0.2.1"], "contains", &two, None);
        check(
            "A",
            &["192.0.2.1"],
            "exact",
            &two,
            Some("the A answer has `192.0.2.2` beside what is expected"),
        );
        check(
            "A",
            &["192.0.2.1", "192.0.2.3"],
            "contains",
            &two,
            Some("the A answer lacks `192.0.2.3`; it is `192.0.2.1`, `192.0.2.2`"),
        );
        check(
            "A",
            &["192.0.2.3"],
            "exact",
            &["192.0.2.1"],
            Some("the A answer is `192.0.2.1`, not `192.0.2.3`"),
        );
        check(
            "MX",
            &["10 A.test.", "10 a.test"],
            "exact",
            &["10 a.test"],
            None,
        );
        check(
            "TXT",
            &["\"v=spf1 \" \"-all\""],
            "exact",
            &["v=spf1 -all"],
            None,
        );
        check(
            "TXT",
            &["v=spf1 -ALL"],
            "exact",
            &["v=spf1 -all\u{1b}[31m"],
            Some("the TXT answer is `v=spf1 -all [31m`, not `v=spf1 -ALL`"),
        );
        check(
            "NS",
            &["x.test"],
            "exact",
            &["a", "b", "c", "d", "e"],
            Some("the NS answer is `a`, `b`, `c`, 2 more, not `x.test`"),
        );
    }

    #[test]
    fn a_large_answer_is_compared_in_time() {
        let many: Vec<String> = (0..256)
            .map(|at| format!("{at}{}", "x".repeat(250)))
            .collect();
        let told = difference(RecordType::Txt, &["v=spf1"], AnswersMatch::Exact, &many);
        assert!(told.unwrap().len() < 1000);
    }
}
