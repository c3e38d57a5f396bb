//! What a body says, over the wire: codings that break off, JSON as browsers read it, charsets, cookies.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use sitewatch::domain::expectation::{Expectation, JsonAssertion, JsonTest, StatusSet};
use sitewatch::domain::json::{Document, JsonPath};

use crate::support::check::{check_with, expectation, nameless, summary, target, verdict};
use crate::support::site::{Act, Received, Site, answer, redirect};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    coder.write_all(text).expect("memory takes bytes");
    coder.finish().expect("memory takes bytes")
}

fn coded(headers: &str, body: &[u8]) -> Vec<Act> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    vec![Act::Send([head.as_bytes(), body].concat())]
}

fn json(path: &str, equals: &str) -> JsonAssertion {
    JsonAssertion {
        path_text: path.into(),
        path: JsonPath::parse(path).expect("a path"),
        test: JsonTest::Equals(Document::parse(equals.to_owned(), 1000).expect("JSON")),
    }
}

async fn judged(headers: &str, body: &[u8], change: impl FnOnce(&mut Expectation)) -> String {
    let script = coded(headers, body);
    let site = Site::plain(move |_| script.clone()).await;
    let mut expectation = expectation();
    change(&mut expectation);
    let mut target = target(&site.url("/"));
    target.wants_body = expectation.reads_body();
    summary(&check_with(&nameless(), target, &expectation).await)
}

#[tokio::test]
async fn a_coding_that_breaks_off_is_a_truncated_body_for_every_assertion() {
    type Change = fn(&mut Expectation);
    let body = gzip("{\"a\": \"here it is\"} ".repeat(500).as_bytes());
    let cut = &body[..body.len() - 12];
    let header = "Content-Encoding: gzip\r\n";
    let cases: [(Change, &str); 6] = [
        (|_| {}, "up"),
        (|e| e.body_contains = vec!["here".into()], "up"),
        (
            |e| e.body_contains = vec!["nowhere".into()],
            "down body_truncated",
        ),
        (
            |e| e.body_excludes = vec!["nowhere".into()],
            "down body_truncated",
        ),
        (
            |e| e.body_matches = vec![Arc::new(Regex::new("no+where").expect("a pattern"))],
            "down body_truncated",
        ),
        (|e| e.json = vec![json("$.a", "1")], "down body_truncated"),
    ];
    for (change, want) in cases {
        let text = judged(header, cut, change).await;
        assert!(text.starts_with(&format!("{want} 200")), "{text}");
        if want != "up" {
            assert!(
                text.ends_with("bytes, and the body's gzip coding breaks off there"),
                "{text}"
            );
        }
        // Text that is no gzip at all is alike, but for what it would have contained.
        let text = judged(header, b"here it is", change).await;
        let mislabelled = match want {
            "up" if text.starts_with("up") => continue,
            _ => "down body_truncated 200",
        };
        assert!(text.starts_with(mislabelled), "{text}");
    }
    let excluded = judged(header, cut, |e| e.body_excludes = vec!["here".into()]).await;
    assert_eq!(
        excluded,
        "down body 200: `here` occurs in the body and must not"
    );
    let padded = [&body[..], b"\n"].concat();
    let text = judged(header, &padded, |e| {
        e.body_excludes = vec!["nowhere".into()]
    })
    .await;
    assert_eq!(text, "up 200");
}

#[tokio::test]
async fn json_is_judged_as_browsers_read_it() {
    for (body, path, want, verdict) in [
        (r#"{"s":"ok","t":"Sale \ud83d"}"#, "$.s", "\"ok\"", "up 200"),
        (r#"{"s":"ok","max":1e400}"#, "$.s", "\"ok\"", "up 200"),
        (
            r#"{"id":9007199254740993}"#,
            "$.id",
            "9007199254740992",
            "down json 200: $.id is `9007199254740993`, not `9007199254740992`",
        ),
        (
            r#"{"s":"no","n":NaN}"#,
            "$.s",
            "\"no\"",
            "down json 200: the body is not JSON (line 1, column 15): it begins `{\"s\":\"no\",\"n\":NaN}`",
        ),
    ] {
        let text = judged("Content-Type: application/json\r\n", body.as_bytes(), |e| {
            e.json = vec![json(path, want)];
        })
        .await;
        assert_eq!(text, verdict);
    }
}

#[tokio::test]
async fn a_redirect_that_was_expected_is_said_to_have_been_followed() {
    let site = Site::plain(|request| match request.path.as_str() {
        "/" => redirect(301, "/new"),
        "/twice" => redirect(302, "/"),
        "/gone" => redirect(308, "/nothing"),
        "/nothing" => answer(404, "", "no"),
        _ => answer(200, "", "here"),
    })
    .await;
    let said = |code| {
        format!(
            "; a redirect with {code} was followed, and follow_redirects = false makes it the final answer"
        )
    };
    for (path, expected, want) in [
        ("/", "301", format!("200 OK: expected 301{}", said(301))),
        ("/", "3xx", format!("200 OK: expected 300-399{}", said(301))),
        (
            "/twice",
            "301",
            format!("200 OK: expected 301{}", said(301)),
        ),
        (
            "/gone",
            "300-308",
            format!("404 Not Found: expected 300-308{}", said(308)),
        ),
        // None of the hops was the expected answer.
        ("/", "302", "200 OK: expected 302".to_owned()),
        ("/gone", "2xx", "404 Not Found: expected 200-299".to_owned()),
        ("/new", "301", "200 OK: expected 301".to_owned()),
    ] {
        let mut expectation = expectation();
        expectation.status = StatusSet::parse([expected]).expect("a status");
        let check = check_with(&nameless(), target(&site.url(path)), &expectation).await;
        let status = check.status.unwrap_or_default();
        assert_eq!(
            summary(&check),
            format!("down status {status}: {want}"),
            "{path}"
        );
    }
    for (path, expected, want) in [("/", "301", "up 301"), ("/gone", "3xx", "up 308")] {
        let mut final_one = target(&site.url(path));
        final_one.follow_redirects = false;
        let mut expectation = expectation();
        expectation.status = StatusSet::parse([expected]).expect("a status");
        let check = check_with(&nameless(), final_one, &expectation).await;
        assert_eq!(verdict(&check), want);
    }
}

#[tokio::test]
async fn a_wait_is_told_as_it_was_sent() {
    for (value, want) in [
        ("120", Some(120)),
        ("100000", Some(100_000)),
        ("99999999999999", Some(u32::MAX)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("soon", None),
    ] {
        let header = format!("Retry-After: {value}\r\n");
        let site = Site::plain(move |_| answer(503, &header, "")).await;
        let check = check_with(&nameless(), target(&site.url("/")), &expectation()).await;
        assert_eq!(check.retry_after_s, want, "{value}");
    }
}

/// Whether a chain of redirects ends well that sets these lines one after the other and at its end wants a cookie.
async fn ends_well(lines: &[&str], wants: impl Fn(&str) -> bool + Send + Sync + 'static) -> bool {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let site = Site::plain(move |request: &Received| {
        let number: usize = request.path[1..].parse().unwrap_or(0);
        match lines.get(number) {
            Some(line) => {
                let head = format!("Location: /{}\r\nSet-Cookie: {line}\r\n", number + 1);
                answer(302, &head, "")
            }
            None if wants(request.header("cookie").unwrap_or_default()) => answer(200, "", ""),
            None => answer(403, "", ""),
        }
    })
    .await;
    let check = check_with(&nameless(), target(&site.url("/0")), &expectation()).await;
    verdict(&check) == "up 200"
}

#[tokio::test]
async fn cookies_go_as_a_browser_sends_them() {
    for date in [
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 UTC",
        "Thu, 1 Jan 1970 00:00:00",
        "thursday, 01-january-70 0:0:0 gmt",
        "\"Thu Jan  1 00:00:00 1970\"",
    ] {
        let gone = format!("flag=gone; Path=/; Expires={date}");
        assert!(
            ends_well(&["flag=1; Path=/", &gone], |sent| !sent.contains("flag")).await,
            "{date}"
        );
    }
    assert!(ends_well(&["justvalue; Path=/"], |sent| sent == "justvalue").await);
    assert!(ends_well(&["__Host-t=1; Path=/", "b=1"], |sent| sent == "b=1").await);
    assert!(
        ends_well(
            &["t=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"],
            |sent| sent == "t=1"
        )
        .await
    );
}

#[tokio::test]
async fn what_a_site_makes_long_is_cut_short() {
    // Nothing of this is quick where it is not bounded.
    let mut deep = b"1".to_vec();
    for _ in 0..110 {
        let others: String = (0..200).map(|n| format!(",\"k{n}\":1")).collect();
        deep = [&b"{\"a\":"[..], &deep, others.as_bytes(), b"}"].concat();
    }
    let text = judged("", &deep, |e| e.json = vec![json("$..a..a..k1", "2")]).await;
    assert!(
        text.starts_with("down json 200: $..a..a..k1 takes more than 10000000 steps"),
        "{text}"
    );
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 27 << 3];
    for _ in 0..4000 {
        frame.extend_from_slice(&[2, 0, 16, b'A']);
    }
    let text = judged("Content-Encoding: zstd\r\n", &frame, |e| {
        e.body_contains = vec!["z".into()]
    })
    .await;
    assert!(text.contains("RFC 9659"), "{text}");
    // The excerpt of a bad answer is made of it as well.
    let script = coded("Content-Encoding: zstd\r\n", &frame);
    let site = Site::plain(move |_| script.clone()).await;
    let mut strict = expectation();
    strict.status = StatusSet::parse(["404"]).expect("a status");
    let mut soon = target(&site.url("/"));
    soon.timeout = Duration::from_secs(5);
    let check = check_with(&nameless(), soon, &strict).await;
    assert_eq!(
        (verdict(&check).as_str(), check.excerpt),
        ("down status 200", None)
    );
}
