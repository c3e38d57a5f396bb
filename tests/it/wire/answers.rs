//! `dns://` against scripted name servers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use sitewatch::clock;
use sitewatch::config::default_subject;
use sitewatch::daemon::checks::judging::Judges;
use sitewatch::domain::check::Check;
use sitewatch::domain::dns_record::AnswersMatch;
use sitewatch::domain::subject::{DnsManner, DnsSubject, Subject};
use sitewatch::probe::Prober;

use crate::support::check::{asking, nameless, summary, verdict};
use crate::support::dns::{NameServer, Says};
use crate::support::site::closed_port;

const MX: u16 = 15;
const TXT: u16 = 16;

/// The subject of a URL; it waits for 1.2 s.
fn subject(url: &str, answers: &[&str], rule: AnswersMatch) -> Subject {
    let (_, subject) = default_subject(
        url,
        sitewatch::domain::connect_to::Direct::default(),
        sitewatch::domain::http_choice::HttpChoice::One,
    )
    .expect("a URL that can be checked");
    let Subject::Dns(dns) = subject else {
        panic!("{url} is no question")
    };
    Subject::Dns(Arc::new(DnsSubject {
        url: Arc::clone(&dns.url),
        question: dns.question.clone(),
        manner: Arc::new(DnsManner {
            timeout: Duration::from_millis(1200),
            answers: answers.iter().map(|&text| text.to_owned()).collect(),
            answers_match: rule,
            degraded_after: sitewatch::domain::slow_limit::SlowLimit::Never,
            masks: dns.manner.masks.clone(),
        }),
    }))
}

async fn check_with(prober: &Prober, subject: &Subject) -> Check {
    let judges = Judges::default();
    let observed = prober.observe(subject, clock::now(), &judges).await;
    judges
        .judge(subject, observed)
        .await
        .expect("nothing panics")
        .0
}

/// Asks this server for the name and type in `tail`.
async fn ask(server: &NameServer, tail: &str) -> Check {
    let url = format!("dns://{}/{tail}", server.address);
    check_with(&nameless(), &subject(&url, &[], AnswersMatch::Exact)).await
}

async fn of(says: Says) -> Check {
    let server = NameServer::start(move |_| says.clone()).await;
    ask(&server, "site.test").await
}

fn answers(check: &Check) -> Vec<String> {
    let extras = check.extras.as_deref();
    let answers = extras.and_then(|extras| extras.answers.as_deref());
    answers.unwrap_or_default().to_vec()
}

fn loopback() -> Vec<IpAddr> {
    vec![Ipv4Addr::LOCALHOST.into()]
}

#[tokio::test]
async fn each_failure_has_its_kind() {
    let alias = Says::Alias("other.test");
    for (says, want) in [
        (Says::NxDomain, "down dns_not_found"),
        (Says::Addresses(Vec::new()), "down dns_not_found"),
        (
            Says::Addresses(vec!["::1".parse().expect("an address")]),
            "down dns_not_found",
        ),
        (Says::ServFail, "down dns_failure"),
        (Says::Refused, "down dns_failure"),
        (Says::Code(9), "down dns_failure"),
        (Says::Referral, "down dns_failure"),
        (Says::Garbage, "down dns_failure"),
        (Says::Half(loopback()), "down dns_failure"),
        (Says::Lies, "down dns_failure"),
        (Says::Alias("site.test"), "down dns_failure"),
        (Says::Cut(loopback()), "down dns_failure"),
        (alias, "down dns_failure"),
        (Says::Silence, "down dns_timeout"),
        (
            Says::late(Duration::from_secs(3), loopback()),
            "down dns_timeout",
        ),
        (Says::late(Duration::from_millis(300), loopback()), "up"),
        (
            Says::Strays(200, Box::new(Says::Addresses(loopback()))),
            "up",
        ),
    ] {
        let label = format!("{says:?}");
        let check = of(says).await;
        assert_eq!(verdict(&check), want, "{label}: {}", summary(&check));
        assert!(check.chain.remote_addr.is_some(), "{label}");
        assert_eq!(check.status, None);
    }
    // Nobody listens there.
    let url = format!("dns://127.0.0.1:{}/site.test", closed_port().await);
    let check = check_with(&nameless(), &subject(&url, &[], AnswersMatch::Exact)).await;
    assert_eq!(verdict(&check), "down dns_timeout", "{}", summary(&check));
    assert!(
        summary(&check).ends_with("nothing is listening on that port"),
        "{}",
        summary(&check)
    );
}

#[tokio::test]
async fn an_absolute_name_is_asked_once() {
    let server =
        NameServer::start(|_| Says::Addresses(vec![Ipv4Addr::new(192, 0, 2, 9).into()])).await;
    let check = ask(&server, "SITE.test.?TYPE=a").await;
    assert_eq!(summary(&check), "up");
    assert_eq!(answers(&check), ["192.0.2.9"]);
    assert_eq!(check.chain.remote_addr, Some(server.address));
    assert!(check.timings.dns.is_some() && check.timings.connect.is_none());
    assert_eq!(server.names(), ["site.test"]);
    assert_eq!(server.asked(), 1);
    // A name without a dot, and the root.
    ask(&server, "site").await;
    ask(&server, ".").await;
    assert_eq!(server.names(), ["site.test", "site", ""]);
}

#[tokio::test]
async fn only_records_of_the_type_count_in_any_order() {
    let server = NameServer::scripted(|asked| match asked.kind {
        MX => Says::Records(vec![
            (MX, b"\0\x14\x02b1\0".to_vec()),
            (99, vec![1, 2, 3]),
            (MX, b"\0\x0a\x02A1\x04Test\0".to_vec()),
        ]),
        TXT => Says::Records(vec![(TXT, b"\x07v=spf1 \x04-all".to_vec())]),
        _ => Says::NxDomain,
    })
    .await;
    let check = ask(&server, "site.test?type=mx").await;
    assert_eq!(answers(&check), ["10 a1.test", "20 b1"]);
    let judged = async |kind: &str, expected: &[&str], rule| {
        let url = format!("dns://{}/site.test?type={kind}", server.address);
        summary(&check_with(&nameless(), &subject(&url, expected, rule)).await)
    };
    use AnswersMatch::{Contains, Exact};
    assert_eq!(judged("MX", &["20 B1.", "10 a1.test"], Exact).await, "up");
    assert_eq!(judged("MX", &["20 b1"], Contains).await, "up");
    assert_eq!(
        judged("MX", &["20 b1"], Exact).await,
        "down dns_answer: the MX answer has `10 a1.test` beside what is expected"
    );
    assert_eq!(
        judged("MX", &["30 b1"], Contains).await,
        "down dns_answer: the MX answer lacks `30 b1`; it is `20 b1`, `10 a1.test`"
    );
    assert_eq!(judged("TXT", &["\"v=spf1 \" \"-all\""], Exact).await, "up");
    assert_eq!(judged("TXT", &["v=spf1 -all"], Exact).await, "up");
    assert_eq!(
        judged("AAAA", &["::1"], Exact).await,
        "down dns_not_found: `site.test`: no such name (NXDOMAIN)"
    );
}

#[tokio::test]
async fn a_cut_answer_is_asked_for_again_over_tcp() {
    let server = NameServer::scripted(|asked| match asked.tcp {
        false => Says::Cut(loopback()),
        true => Says::Addresses(vec![
            Ipv4Addr::new(192, 0, 2, 1).into(),
            Ipv4Addr::new(192, 0, 2, 2).into(),
        ]),
    })
    .await;
    let check = ask(&server, "site.test").await;
    assert_eq!(answers(&check), ["192.0.2.1", "192.0.2.2"]);
    // The part of an answer is not compared as if it were the whole. A stranger's bytes over TCP, and ends of it.
    for over_tcp in [
        Says::Silence,
        Says::Garbage,
        Says::Half(loopback()),
        Says::Lies,
        Says::ServFail,
    ] {
        let label = format!("{over_tcp:?}");
        let server = NameServer::scripted(move |asked| match asked.tcp {
            false => Says::Cut(loopback()),
            true => over_tcp.clone(),
        })
        .await;
        let check = ask(&server, "site.test").await;
        assert_eq!(
            verdict(&check),
            "down dns_failure",
            "{label}: {}",
            summary(&check)
        );
    }
    let late = || Says::late(Duration::from_secs(3), loopback());
    let server = NameServer::scripted(move |asked| match asked.tcp {
        false => Says::Cut(loopback()),
        true => late(),
    })
    .await;
    let check = ask(&server, "site.test").await;
    assert_eq!(verdict(&check), "down dns_timeout", "{}", summary(&check));
}

#[tokio::test]
async fn an_alias_is_followed() {
    let server = NameServer::start(|name| match name {
        "site.test" => Says::Alias("other.test"),
        _ => Says::Addresses(loopback()),
    })
    .await;
    let check = ask(&server, "site.test").await;
    assert_eq!(answers(&check), ["127.0.0.1"], "{}", summary(&check));
    let check = ask(&server, "site.test?type=CNAME").await;
    assert_eq!(answers(&check), ["other.test"], "{}", summary(&check));
    // A server that has answered with the alias and knows nothing of its target.
    let server = NameServer::start(|name| match name {
        "site.test" => Says::Alias("other.test"),
        _ => Says::Refused,
    })
    .await;
    let check = ask(&server, "site.test").await;
    assert_eq!(verdict(&check), "down dns_not_found", "{}", summary(&check));
}

#[tokio::test]
async fn without_a_server_those_of_the_configuration_are_asked_in_turn() {
    let failing = NameServer::start(|_| Says::ServFail).await;
    let refusing = NameServer::start(|_| Says::Refused).await;
    let silent = NameServer::start(|_| Says::Silence).await;
    let good = NameServer::loopback().await;
    let question = subject("dns:///site.test", &[], AnswersMatch::Exact);
    let prober = asking(&[&failing, &refusing, &silent, &good]);
    let check = check_with(&prober, &question).await;
    assert_eq!(summary(&check), "up");
    assert_eq!(check.chain.remote_addr, Some(good.address));
    let check = check_with(&asking(&[&silent, &failing]), &question).await;
    assert_eq!(verdict(&check), "down dns_failure", "{}", summary(&check));
    assert_eq!(check.chain.remote_addr, Some(failing.address));
}

#[tokio::test]
async fn a_server_may_have_a_name() {
    let server = NameServer::start(|name| match name {
        "ns.test" | "site.test" => Says::Addresses(loopback()),
        _ => Says::NxDomain,
    })
    .await;
    let prober = asking(&[&server]);
    let at = |host: &str| format!("dns://{host}:{}/site.test", server.address.port());
    let question = subject(&at("ns.test"), &[], AnswersMatch::Exact);
    let check = check_with(&prober, &question).await;
    assert_eq!(summary(&check), "up");
    assert_eq!(check.chain.remote_addr, Some(server.address));
    let question = subject(&at("nobody.test"), &[], AnswersMatch::Exact);
    let check = check_with(&prober, &question).await;
    assert_eq!(
        summary(&check),
        "down dns_not_found: the name server has no address: `nobody.test`: no such name (NXDOMAIN)"
    );
}
