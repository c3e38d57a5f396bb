//! Answers as servers really give them, and as nobody should: the digits decide, and nothing is without a bound.

use std::time::Duration;

use sitewatch::clock;
use sitewatch::domain::secret::Secret;
use sitewatch::domain::settings::{SmtpServer, SmtpTls};
use sitewatch::policy::outbox::retry::Outcome;

use super::server::{Act, At, Script};
use super::steps::{PATIENT, send, word};

fn script(at: At, act: Act) -> Script {
    Script {
        faults: vec![(at, None, 9, act)],
        ..Script::default()
    }
}

async fn plain(at: At, act: Act) -> (Outcome, usize) {
    send(script(at, act), SmtpTls::None, PATIENT, |_| ()).await
}

fn login(smtp: &mut SmtpServer) {
    smtp.login = Some(("me".into(), Secret::new("hunter22")));
}

#[tokio::test]
async fn whatever_stands_behind_the_digits_is_taken() {
    use At::{Data, Ehlo, End, Greeting, Mail, Rcpt};
    let long = Box::leak(format!("250 2.0.0 {}\r\n", "x".repeat(2000)).into_boxed_str());
    for (at, bytes) in [
        (Greeting, &b"220\r\n"[..]),
        (Greeting, b"220 \r\n"),
        (Greeting, b"220-a\r\n220-\r\n220\r\n"),
        (Greeting, b"220 \xc7\xeb\xca\xb9\r\n"),
        (Greeting, b"220-\xff\r\n220 \xfe\n"),
        (Ehlo, b"250\r\n"),
        (Ehlo, b"250-\xe9\r\n250 8bitmime\r\n"),
        (Mail, b"250\n"),
        (Mail, b"250-ok\r\n250 more\r\n"),
        (Rcpt, b"251 will forward \xff\r\n"),
        (Rcpt, b"252\r\n"),
        (Data, b"354\r\n"),
        (Data, b"354-go\r\n354 on\r\n"),
        (End, b"250\r\n"),
        (End, b"250-2.0.0\r\n250 \x00\x1b[31m\r\n"),
        (End, b"200 \xff\xfe\r\n"),
        (End, long.as_bytes()),
    ] {
        let (outcome, came) = plain(at, Act::Raw(bytes)).await;
        assert_eq!(
            (word(&outcome), came),
            ("accepted", 1),
            "{at:?} {bytes:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_in_another_charset_is_that_refusal() {
    use At::{End, Greeting, Mail, Rcpt};
    for (at, bytes, want) in [
        (Greeting, &b"554 \xc7\xeb\r\n"[..], "pause"),
        (Greeting, b"421 \xc7\xeb\r\n", "later, all of it"),
        (Mail, b"550 \xc7\xeb\r\n", "pause"),
        (Rcpt, b"550 5.1.1 \xc7\xeb\r\n", "permanent"),
        (Rcpt, b"550-\xc7\xeb\r\n550 5.7.1 \xca\r\n", "rest"),
        (Rcpt, b"450 \xc7\xeb\r\n", "later, this recipient"),
        (End, b"552 \xc7\xeb\r\n", "permanent"),
        (End, b"451 \xc7\xeb\r\n", "later, this one"),
    ] {
        let (outcome, _) = plain(at, Act::Raw(bytes)).await;
        assert_eq!(word(&outcome), want, "{at:?} {bytes:?}: {outcome:?}");
    }
    let gbk = Script {
        auth: true,
        ..script(At::Auth, Act::Raw(b"535 Error: \xc7\xeb\xca\xb9\r\n"))
    };
    let (outcome, _) = send(gbk, SmtpTls::None, PATIENT, login).await;
    assert_eq!(word(&outcome), "pause", "{outcome:?}");
}

#[tokio::test]
async fn what_is_not_smtp_ends_the_session_with_a_sentence() {
    use At::{Data, Ehlo, Greeting, Mail, Rcpt};
    for (at, bytes) in [
        (Greeting, &b"HTTP/1.1 400 Bad Request\r\n"[..]),
        (Greeting, b"\r\n"),
        (Ehlo, b"2500 hi\r\n"),
        (Ehlo, b"250-a\r\nb\r\n"),
        (Mail, b"99 ok\r\n"),
        (Mail, b"150 wait\r\n"),
        (Rcpt, b"ok\r\n"),
        (Data, b"\xff\xfe\xfd\xfc\r\n"),
    ] {
        let (outcome, came) = plain(at, Act::Raw(bytes)).await;
        assert!(
            word(&outcome).starts_with("later"),
            "{at:?} {bytes:?}: {outcome:?}"
        );
        assert_eq!(came, 0);
        let text = format!("{outcome:?}");
        assert!(text.contains("which is not SMTP"), "{text}");
    }
}

/// A line without an end, an answer without an end, and a drip cost neither time nor memory.
#[tokio::test]
async fn no_answer_costs_more_than_its_bound() {
    use At::{Auth, Data, Ehlo, End, Greeting, Mail, Rcpt};
    let block: &'static [u8] = vec![b'a'; 65_536].leak();
    let lines: &'static [u8] = b"250-\r\n".repeat(10_000).leak();
    for at in [Greeting, Ehlo, Auth, Mail, Rcpt, Data, End] {
        for (first, again) in [
            (&b"250 "[..], block),
            (b"250-", block),
            (b"", block),
            (b"", lines),
            (b"250-x\r\n", lines),
        ] {
            let begun = clock::tick();
            let flooding = Script {
                auth: true,
                ..script(at, Act::Flood(first, again))
            };
            let (outcome, _) = send(flooding, SmtpTls::None, PATIENT, login).await;
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(20), "{at:?}: {took:?}");
            // The digits of an answer decide, however long it is; without them nobody knows.
            let want = match at {
                End if first == b"250 " => "accepted",
                End => "unknown",
                Rcpt | Data => "later, this recipient",
                _ => "later, all of it",
            };
            assert_eq!(word(&outcome), want, "{at:?} {first:?}: {outcome:?}");
        }
        let dripping = Script {
            auth: true,
            ..script(at, Act::Drip(b'2'))
        };
        let time = Duration::from_secs(1);
        let (outcome, _) = send(dripping, SmtpTls::None, time, login).await;
        let text = format!("{outcome:?}");
        assert!(text.contains("no answer within 1s"), "{at:?}: {text}");
    }
}

#[tokio::test]
async fn answers_that_were_not_asked_for_end_the_session() {
    use At::{Data, Ehlo, Greeting, Mail, Rcpt};
    for (at, bytes) in [
        (Greeting, &b"220 mx\r\n250 mx\r\n"[..]),
        (Ehlo, b"250 mx\r\n250 ok\r\n"),
        (Mail, b"250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 queued\r\n"),
        (Rcpt, b"250 ok\r\n354 go\r\n"),
        (Data, b"354 go\r\n250 2.0.0 queued\r\n"),
        (Data, b"354 go\r\n2"),
    ] {
        let (outcome, came) = plain(at, Act::Raw(bytes)).await;
        assert!(word(&outcome).starts_with("later"), "{at:?}: {outcome:?}");
        assert_eq!(came, 0, "{at:?}");
        let text = format!("{outcome:?}");
        assert!(
            text.contains("more answers than it was asked for"),
            "{text}"
        );
    }
    // A server that shuts down may say so at any time.
    let (outcome, _) = plain(Mail, Act::Raw(b"250 ok\r\n421 4.3.2 closing\r\n")).await;
    assert!(
        format!("{outcome:?}").contains("421 4.3.2 closing"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_server_that_knows_only_helo_gets_its_mail() {
    for said in ["500 what", "502 not implemented", "502"] {
        let (outcome, came) = plain(At::Ehlo, Act::Say(said)).await;
        assert_eq!(
            (word(&outcome), came),
            ("accepted", 1),
            "{said}: {outcome:?}"
        );
    }
    let (outcome, _) = send(
        script(At::Ehlo, Act::Say("502 not implemented")),
        SmtpTls::Starttls,
        PATIENT,
        |_| (),
    )
    .await;
    assert_eq!(word(&outcome), "pause");
    assert!(
        format!("{outcome:?}").contains("does not know EHLO"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn keywords_of_ehlo_know_no_case() {
    for (feature, want) in [
        ("auth plain login", "accepted"),
        ("Auth Plain", "accepted"),
        ("AUTH=LOGIN PLAIN", "accepted"),
        ("AUTHX PLAIN", "pause"),
    ] {
        let features: &'static [&'static str] = vec![feature].leak();
        let script = Script {
            features,
            ..Script::default()
        };
        let (outcome, _) = send(script, SmtpTls::None, PATIENT, login).await;
        assert_eq!(word(&outcome), want, "{feature}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_login_that_cannot_be_had_says_what_to_change() {
    for (feature, wanted) in [
        (None, "[email].username is set"),
        (Some("AUTH"), "[email].username is set"),
        (
            Some("AUTH XOAUTH2"),
            "login by XOAUTH2 only, and sitewatch can do PLAIN and LOGIN",
        ),
        (
            Some("AUTH CRAM-MD5 SCRAM-SHA-256"),
            "login by CRAM-MD5, SCRAM-SHA-256 only",
        ),
        (Some("STARTTLS"), "set [email].tls = \\\"starttls\\\""),
    ] {
        let features: &'static [&'static str] = feature.into_iter().collect::<Vec<_>>().leak();
        let script = Script {
            features,
            ..Script::default()
        };
        let (outcome, _) = send(script, SmtpTls::None, PATIENT, login).await;
        assert_eq!(word(&outcome), "pause", "{feature:?}: {outcome:?}");
        let text = format!("{outcome:?}");
        assert!(text.contains(wanted), "{feature:?}: {text}");
    }
}

#[tokio::test]
async fn the_next_mechanism_is_tried_only_where_the_password_was_not_judged() {
    for (said, times, want, tried) in [
        ("504 5.5.4 unrecognized", 1, "accepted", 2),
        ("534 5.7.9 too weak", 1, "accepted", 2),
        ("504", 9, "pause", 2),
        ("535 5.7.8 bad credentials", 9, "pause", 1),
        ("535", 9, "pause", 1),
        ("454 4.7.0 later", 9, "later, all of it", 1),
    ] {
        let script = Script {
            auth: true,
            faults: vec![(At::Auth, None, times, Act::Say(said))],
            ..Script::default()
        };
        let server = super::server::Server::start(script).await;
        let mut settings = super::steps::settings(&server, SmtpTls::None, PATIENT);
        if let sitewatch::domain::settings::MailTransport::Smtp(smtp) = &mut settings.transport {
            login(smtp);
        }
        let mailer = sitewatch::mail::mailer::Mailer::new(&settings).unwrap();
        let to = super::steps::address("ops@example.com");
        let outcome = mailer
            .send(&super::steps::mail(), &to, std::future::ready(Ok(())))
            .await;
        assert_eq!(word(&outcome), want, "{said}: {outcome:?}");
        let heard = server.heard();
        let asked = heard
            .iter()
            .filter(|line| line.starts_with("AUTH "))
            .count();
        assert_eq!(asked, tried, "{said}: {heard:?}");
    }
}
