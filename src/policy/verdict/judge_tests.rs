//! Tests of [`super`]: which answers are judged where checks are started.

use regex::Regex;

use super::*;
use crate::domain::check::HttpVersion;
use crate::domain::expectation::{JsonAssertion, StatusSet};
use crate::domain::json::JsonPath;
use crate::domain::slow_limit::SlowLimit;
use crate::domain::timestamp::Timestamp;

/// An answer with this field makes judging panic.
pub(crate) const PANIC_FIELD: &str = "x-panic";

fn expectation(change: impl FnOnce(&mut Expectation)) -> Expectation {
    let mut expectation = Expectation {
        status: StatusSet::parse(["2xx"]).unwrap(),
        final_url: None,
        headers: Vec::new(),
        body_contains: Vec::new(),
        body_excludes: Vec::new(),
        body_matches: Vec::new(),
        json: Vec::new(),
        degraded_after: SlowLimit::Never,
        certificate_expiry: Vec::new(),
    };
    change(&mut expectation);
    expectation
}

fn answer(status: u16, body: usize, fields: &[(&str, usize)]) -> Answer {
    Answer {
        hop: Hop {
            url: "http://site.test/".into(),
            status,
            location: None,
            remote_addr: None,
            took: Duration::ZERO,
        },
        http_version: HttpVersion::Http11,
        headers: fields
            .iter()
            .map(|(name, length)| ((*name).to_owned(), vec![b'x'; *length]))
            .collect(),
        body: vec![b'a'; body],
        place: None,
        body_bytes: body as u64,
        body_cut: false,
        retry_after_s: None,
        credentials_dropped: false,
    }
}

fn probe(end: End) -> Probe {
    Probe {
        started: Timestamp::from_ms(1_800_000_000_000),
        timings: Timings::default(),
        heads: Vec::new(),
        redirects: Vec::new(),
        end,
        certificate: None,
        root: None,
        agreed: None,
        remarks: Vec::new(),
    }
}

fn regex(pattern: &str) -> Arc<Regex> {
    Arc::new(Regex::new(pattern).unwrap())
}

fn json(path: &str, test: JsonTest) -> JsonAssertion {
    JsonAssertion {
        path_text: path.to_owned(),
        path: JsonPath::parse(path).unwrap(),
        test,
    }
}

#[test]
fn what_costs_next_to_nothing_is_light() {
    type Change = fn(&mut Expectation);
    const KIB: usize = 1024;
    let plain: Change = |_| ();
    let text: Change = |e| e.body_contains = vec!["b".into()];
    let texts: Change = |e| e.body_excludes = vec!["b".into(), "c".into()];
    let pattern: Change = |e| e.body_matches = vec![regex("a+b")];
    let patterns: Change = |e| e.body_matches = vec![regex("a+b"), regex("b+")];
    let repeating: Change = |e| e.body_matches = vec![regex("[a-z]{500}")];
    let long: Change = |e| e.body_matches = vec![regex(&"a|b".repeat(30))];
    let path: Change = |e| e.json = vec![json("$.a", JsonTest::Exists(true))];
    let wide: Change = |e| e.json = vec![json("$..a", JsonTest::Exists(true))];
    let matched: Change = |e| e.json = vec![json("$.a", JsonTest::Matches(regex("b")))];
    let field: Change = |e| {
        e.headers = vec![("etag".into(), TextMatch::Pattern(regex("^b")))];
    };
    let costly_field: Change = |e| {
        e.headers = vec![("etag".into(), TextMatch::Pattern(regex("b{99}")))];
    };
    let costly_url: Change = |e| e.final_url = Some(TextMatch::Pattern(regex("b{99}")));
    for (number, (change, status, body, fields, want)) in [
        (plain, 200, 8 * KIB, &[][..], true),
        // The excerpt is made of it.
        (plain, 500, 8 * KIB, &[], true),
        (plain, 500, 8 * KIB, &[("content-encoding", 4)], false),
        (plain, 200, 65 * KIB, &[], false),
        (text, 200, 64 * KIB, &[], true),
        (text, 200, 64 * KIB + 1, &[], false),
        // Nobody looks into it.
        (text, 500, 64 * KIB, &[], true),
        (texts, 200, 32 * KIB, &[], true),
        (texts, 200, 33 * KIB, &[], false),
        (text, 200, 10, &[("content-encoding", 4)], false),
        (pattern, 200, 2 * KIB, &[], true),
        (pattern, 200, 2 * KIB + 1, &[], false),
        (patterns, 200, KIB, &[], true),
        (patterns, 200, KIB + 1, &[], false),
        (repeating, 200, 10, &[], false),
        (long, 200, 10, &[], false),
        (path, 200, 32 * KIB, &[], true),
        (path, 200, 33 * KIB, &[], false),
        (wide, 200, 10, &[], false),
        (matched, 200, 10, &[], false),
        (field, 200, 10, &[("etag", 2 * KIB)], true),
        (field, 200, 10, &[("etag", 2 * KIB + 1)], false),
        (costly_field, 200, 10, &[("etag", 1)], false),
        (costly_url, 200, 10, &[], false),
    ]
    .into_iter()
    .enumerate()
    {
        let answered = probe(End::Answered(answer(status, body, fields)));
        assert_eq!(is_light(&expectation(change), &answered), want, "{number}");
    }
}

#[test]
fn what_broke_off_is_light_while_it_is_small() {
    let broken = |header: Option<Answer>| {
        probe(End::Failed {
            kind: FailureKind::TimeoutBody,
            detail: String::new(),
            url: String::new(),
            remote_addr: None,
            header: header.map(Box::new),
        })
    };
    let want = expectation(|e| e.body_contains = vec!["b".into()]);
    assert!(is_light(&want, &broken(None)));
    assert!(is_light(&want, &broken(Some(answer(200, 1024, &[])))));
    assert!(!is_light(&want, &broken(Some(answer(200, 1 << 20, &[])))));
    let coded = answer(200, 1024, &[("content-encoding", 2)]);
    assert!(!is_light(&want, &broken(Some(coded))));
}
