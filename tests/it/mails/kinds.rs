//! Mails about what is no web site, and about versions of HTTP.

use std::sync::Arc;

use sitewatch::domain::check::{
    Certificate, Chain, Check, CheckState, Extras, Failure, FailureKind, HttpVersion, Micros,
    Packets, Timings, Verdict, VersionCheck,
};
use sitewatch::domain::incident::Cause;
use sitewatch::domain::monitor::MonitorName;
use sitewatch::domain::notification::{News, Notice, Parcel};
use sitewatch::view::mail::context::History;

use super::samples::{Around, at, check, incident, nobody, one};
use crate::support::port::monitor;

/// A mail about a monitor with these keys.
fn about(name: &str, keys: &str, news: News) -> (Parcel, Around) {
    let mut monitor = (*monitor(&format!("name = \"{name}\"\n{keys}"))).clone();
    monitor.name = MonitorName::parse(name).unwrap();
    let mut parcel = one(news, 30);
    for Notice { about, .. } in &mut parcel.notices {
        let about = about.as_mut().expect("it is about a monitor");
        about.name = monitor.name.clone();
        about.url = monitor.url_shown();
    }
    let around = Around {
        monitor: Some(monitor),
        history: History::default(),
        ..nobody(at(32))
    };
    (parcel, around)
}

fn seen(seconds: i64, url: &str, address: &str, timings: Timings) -> Check {
    Check {
        at: at(seconds),
        verdict: Verdict::Up,
        status: None,
        chain: Arc::new(Chain {
            redirects: Vec::new(),
            final_url: url.into(),
            remote_addr: Some(address.parse().unwrap()),
        }),
        redirect_times: Box::default(),
        timings,
        http_version: None,
        body_bytes: 0,
        retry_after_s: None,
        certificate: None,
        excerpt: None,
        remarks: Box::default(),
        extras: None,
    }
}

fn down(good: Check, bad: Check) -> News {
    let failure = bad.verdict.failure().unwrap().clone();
    News::Down {
        incident: incident(),
        cause: Cause {
            failure,
            status: None,
        },
        up_since: Some(at(-86_400)),
        check: Box::new(bad),
        checks_failed: 3,
        last_good: Some(Box::new(good)),
        held: None,
        locations: Vec::new(),
    }
}

fn failed(mut check: Check, kind: FailureKind, detail: &str) -> Check {
    check.verdict = Verdict::Down(Failure {
        kind,
        detail: detail.into(),
    });
    check
}

fn ms(ms: u32) -> Option<Micros> {
    Some(Micros::new(ms * 1000))
}

fn connected(total: u32) -> Timings {
    Timings {
        dns: ms(2),
        connect: ms(11),
        total: Micros::new(total * 1000),
        ..Timings::default()
    }
}

fn tcp() -> (Parcel, Around) {
    let url = "tcp://cache.example.com:6379";
    let keys = format!("url = \"{url}\"\nsend = \"PING\\r\\n\"\nexpect = '^\\+PONG'\n");
    let of = |seconds| seen(seconds, url, "203.0.113.20:6379", connected(25));
    let bad = failed(
        of(22),
        FailureKind::Body,
        "the server said `-LOADING Redis is loading the dataset in memory`, which does not match /^\\+PONG/; then it closed the connection",
    );
    about("cache", &keys, down(of(-60), bad))
}

fn tls() -> (Parcel, Around) {
    let url = "tls://mail.example.com:587";
    let keys = format!("url = \"{url}\"\nstarttls = \"smtp\"\n");
    let of = |seconds, days: i64| {
        let timings = Timings {
            tls: ms(21),
            ..connected(40)
        };
        let mut check = seen(seconds, url, "203.0.113.25:587", timings);
        check.certificate = Some(Arc::new(Certificate {
            not_after: at(days * 86_400),
            not_before: at((days - 90) * 86_400),
            subject: "CN=mail.example.com".into(),
            issuer: "CN=R11, O=Let's Encrypt, C=US".into(),
            fingerprint: 2,
        }));
        check
    };
    let bad = failed(
        of(22, -1),
        FailureKind::TlsExpired,
        "the certificate CN=mail.example.com expired on 2026-07-21 12:02:11 UTC",
    );
    about("mail", &keys, down(of(-60, -1), bad))
}

fn icmp() -> (Parcel, Around) {
    let url = "icmp://router.example.net";
    let keys = format!("url = \"{url}\"\npackets = 5\n");
    let of = |seconds, received: u8, total: u32| {
        let timings = Timings {
            dns: ms(2),
            total: Micros::new(total * 1000),
            ..Timings::default()
        };
        let mut check = seen(seconds, url, "203.0.113.1:0", timings);
        let time = (received > 0).then(|| Micros::new(9000));
        check.extras = Some(Box::new(Extras {
            packets: Some(Packets {
                sent: 5,
                received,
                min: time,
                max: time,
            }),
            ..Extras::default()
        }));
        check
    };
    let bad = failed(
        of(22, 0, 10_000),
        FailureKind::PingTimeout,
        "no reply to 5 echo requests within the timeout of 10s",
    );
    about("router", &keys, down(of(-60, 5, 9), bad))
}

fn dns() -> (Parcel, Around) {
    let url = "dns://ns1.example.com/example.com?type=MX";
    let keys = format!("url = \"{url}\"\nanswers = [\"10 mail.example.com\"]\n");
    let of = |seconds, answers: &[&str]| {
        let timings = Timings {
            dns: ms(14),
            total: Micros::new(14_000),
            ..Timings::default()
        };
        let mut check = seen(seconds, url, "203.0.113.53:53", timings);
        check.extras = Some(Box::new(Extras {
            answers: Some(answers.iter().map(|answer| (*answer).to_owned()).collect()),
            ..Extras::default()
        }));
        check
    };
    let bad = failed(
        of(22, &["10 parked.example.org"]),
        FailureKind::DnsAnswer,
        "the MX answer is `10 parked.example.org`, not `10 mail.example.com`",
    );
    about(
        "mail exchanger",
        &keys,
        down(of(-60, &["10 mail.example.com"]), bad),
    )
}

fn http_version() -> (Parcel, Around) {
    let keys = "url = \"https://shop.example.com/\"\n";
    let mut bad = check(22, 200, 200);
    let version = |version, state, failure: Option<Failure>, total| VersionCheck {
        version,
        state,
        status: failure.is_none().then_some(200),
        failure,
        total: Some(Micros::new(total)),
    };
    let silent = Failure {
        kind: FailureKind::ConnectTimeout,
        detail:
            "no answer to the connection attempt by QUIC from 203.0.113.7:443 within the timeout of 10s"
                .into(),
    };
    bad.verdict = Verdict::Degraded(Failure {
        kind: FailureKind::HttpVersion,
        detail: format!(
            "HTTP/3 fails, connect_timeout ({}), while HTTP/1.1 and HTTP/2 work",
            silent.detail
        )
        .into(),
    });
    bad.extras = Some(Box::new(Extras {
        versions: Some(
            [
                version(HttpVersion::Http11, CheckState::Up, None, 242_000),
                version(HttpVersion::Http2, CheckState::Up, None, 230_000),
                version(
                    HttpVersion::Http3,
                    CheckState::Down,
                    Some(silent),
                    10_000_000,
                ),
            ]
            .into(),
        ),
        ..Extras::default()
    }));
    let news = News::Degraded {
        check: Box::new(bad),
        since: at(0),
        count: 3,
        reason: FailureKind::HttpVersion,
        locations: Vec::new(),
    };
    about("shop", keys, news)
}

/// Every one with a name for its file.
pub fn all() -> Vec<(&'static str, Parcel, Around)> {
    let named = |name, (parcel, around)| (name, parcel, around);
    vec![
        named("down_tcp", tcp()),
        named("down_tls", tls()),
        named("down_icmp", icmp()),
        named("down_dns", dns()),
        named("degraded_http_version", http_version()),
    ]
}
