//! Whole texts, compared to the byte.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::*;
use crate::domain::check::{Chain, Failure, HttpVersion, Redirect, Timings, Verdict};
use crate::domain::timestamp::Timestamp;
use crate::view::many_checks::{brief, brief_heading, name_columns};

const AT: Timestamp = Timestamp::from_ms(1_795_377_600_123);

fn clock() -> Clock {
    Clock {
        zone: TimeZone::UTC,
        now: AT,
    }
}

fn redirect(url: &str, status: u16, port: u16) -> Redirect {
    Redirect {
        url: url.into(),
        status,
        location: Some("/next".into()),
        remote_addr: Some(([203, 0, 113, 7], port).into()),
    }
}

fn shop() -> Check {
    Check {
        at: AT,
        verdict: Verdict::Down(Failure {
            kind: FailureKind::Status,
            detail: "503 Service Unavailable, expected 200-299".into(),
        }),
        status: Some(503),
        chain: Arc::new(Chain {
            redirects: vec![
                redirect("http://shop.example.com/", 301, 80),
                redirect("https://shop.example.com/", 302, 443),
            ],
            final_url: "https://shop.example.com/start".into(),
            remote_addr: Some(([203, 0, 113, 7], 443).into()),
        }),
        redirect_times: [Micros::new(21_000), Micros::new(58_000)].into(),
        timings: Timings {
            dns: Some(Micros::new(3_000)),
            connect: Some(Micros::new(12_000)),
            tls: Some(Micros::new(24_000)),
            ttfb: Some(Micros::new(1_001_000)),
            body: Some(Micros::new(3_000)),
            total: Micros::new(1_043_000),
        },
        http_version: Some(HttpVersion::Http11),
        body_bytes: 10,
        retry_after_s: Some(120),
        certificate: Some(Arc::new(Certificate {
            not_after: Timestamp::from_ms(1_800_700_000_000),
            not_before: AT,
            subject: "CN=shop.example.com".into(),
            issuer: "C=US, O=Let's Encrypt, CN=R11".into(),
            fingerprint: 1,
        })),
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

fn write(check: &Check, screen: Screen) -> String {
    let view = CheckView {
        monitor: "shop",
        url: "http://shop.example.com/",
        check,
    };
    let mut out = String::new();
    whole(&view, &clock(), screen, &mut out).unwrap();
    out
}

#[test]
fn a_terminal_sees_the_way_and_the_time() {
    assert_eq!(
        write(&shop(), Screen::terminal(80)),
        "DOWN  shop  503 Service Unavailable, expected 200-299

  1  301  http://shop.example.com/        203.0.113.7:80    21 ms
  2  302  https://shop.example.com/       203.0.113.7:443   58 ms
  3  503  https://shop.example.com/start  203.0.113.7:443  964 ms
          Retry-After: 120 s

  dns                3 ms  ▏
  connect           12 ms  ▊
  tls               24 ms  █▉
  first byte     1 001 ms   ████████████████████████████████████████████████▉
  body               3 ms                                                   █
  total          1 043 ms
  certificate shop.example.com, issued by R11, 61 days left, until 2027-01-23

  The server is there but cannot handle the request now: overload, an attack,
  planned maintenance. Retry-After, if sent, says when to come back; sitewatch
  shows it. Responsible: the server (or the proxy in front of it), not the
  request. `sitewatch explain 503` says more.
"
    );
}

#[test]
fn what_is_long_is_broken_into_lines() {
    let mut check = shop();
    check.verdict = Verdict::Down(Failure {
        kind: FailureKind::Status,
        detail: "503 Service Unavailable: expected 200-299; Retry-After: 2m".into(),
    });
    check.remarks = [
        "IPv6 does not answer in time: `shop.example.com` was reached at 203.0.113.7, not at ::1"
            .into(),
    ]
    .into();
    let text = write(&check, Screen::terminal(60));
    assert!(
        text.starts_with(
            "DOWN  shop  503 Service Unavailable: expected 200-299;\n      Retry-After: 2m\n\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("  IPv6 does not answer in time: `shop.example.com` was\n  reached at"),
        "{text}"
    );
    let text = write(&check, Screen::PLAIN);
    assert!(text.contains("200-299; Retry-After: 2m\n"), "{text}");
    assert!(text.contains("203.0.113.7, not at ::1\n"), "{text}");
}

#[test]
fn a_pipe_sees_the_same_without_bars() {
    let mut check = shop();
    check.verdict = Verdict::Up;
    check.status = Some(200);
    check.retry_after_s = None;
    check.certificate = None;
    assert_eq!(
        write(&check, Screen::PLAIN),
        "UP  shop  200 OK

  1  301  http://shop.example.com/        203.0.113.7:80    21 ms
  2  302  https://shop.example.com/       203.0.113.7:443   58 ms
  3  200  https://shop.example.com/start  203.0.113.7:443  964 ms

  dns 3 ms, connect 12 ms, tls 24 ms, first byte 1 001 ms, body 3 ms, total 1 043 ms

  301 is permanent: consider changing the url to https://shop.example.com/
"
    );
}

#[test]
fn many_checks_take_a_line_each() {
    let check = shop();
    let view = CheckView {
        monitor: "shop",
        url: "http://shop.example.com/",
        check: &check,
    };
    let line = |screen| {
        let mut out = String::new();
        brief(&view, 6, screen, &mut out).unwrap();
        out
    };
    assert_eq!(
        line(Screen::terminal(80)),
        "down      shop     503    1 043 ms  503 Service Unavailable, expected 200-299\n"
    );
    assert_eq!(line(Screen::PLAIN), line(Screen::terminal(80)));
    let mut heading = String::new();
    brief_heading(6, Screen::PLAIN, &mut heading).unwrap();
    assert_eq!(heading, "STATE     NAME    CODE        TOOK  WHAT\n");
    assert_eq!(name_columns(30, Screen::terminal(80)), 30);
    assert_eq!(name_columns(50, Screen::terminal(80)), 50);
    assert_eq!(name_columns(60, Screen::terminal(80)), 40);
    let mut heading = String::new();
    brief_heading(50, Screen::terminal(80), &mut heading).unwrap();
    assert!(heading.ends_with("  CODE        TOOK\n"), "{heading}");
    assert_eq!(name_columns(60, Screen::PLAIN), 60);
}

#[test]
fn names_are_short() {
    assert_eq!(common_name("C=US, O=Let's Encrypt, CN=R11"), "R11");
    assert_eq!(common_name("O=Nobody Inc"), "O=Nobody Inc");
    assert_eq!(common_name(""), "nobody");
}
