//! One send, and what each fault at each step means.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use sitewatch::domain::address::Address;
use sitewatch::domain::redaction::Masks;
use sitewatch::domain::secret::Secret;
use sitewatch::domain::settings::{EmailSettings, MailTransport, SmtpServer, SmtpTls};
use sitewatch::domain::timestamp::Timestamp;
use sitewatch::mail::mailer::{Mail, Mailer};
use sitewatch::policy::outbox::queued::Holds;
use sitewatch::policy::outbox::retry::Outcome;
use sitewatch::view::mail::rendered::Rendered;

use super::server::{Act, At, Script, Server};
use crate::support::pki::Pair;

/// Long enough for everything that answers at all.
pub const PATIENT: Duration = Duration::from_secs(60);

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn settings(server: &Server, tls: SmtpTls, timeout: Duration) -> EmailSettings {
    EmailSettings {
        transport: MailTransport::Smtp(SmtpServer {
            host: "localhost".into(),
            port: server.address.port(),
            tls,
            ca_pem: None,
            login: None,
            masks: Masks::default(),
        }),
        from: address("Sitewatch <alerts@example.com>"),
        to: vec![address("ops@example.com").into()],
        reply_to: None,
        timeout,
        body_excerpt: true,
    }
}

pub fn mail() -> Mail {
    Mail {
        message_id: "0123@example.com".into(),
        thread_roots: Vec::new(),
        everybody: vec![address("ops@example.com"), address("boss@example.com")],
        queued_at: Timestamp::from_ms(1_795_377_600_000),
        date: Timestamp::from_ms(1_795_377_600_000),
        rendered: Rendered {
            subject: "[TEST] sitewatch on mon1".into(),
            text: "From here\n.\nto there\n".into(),
            lead: String::new(),
            html: "<p>.</p>".into(),
            headers: vec![("X-Sitewatch-State", "test".into())],
        },
    }
}

pub fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted(_) => "accepted",
        Outcome::Temporary {
            holds: Holds::Recipient | Holds::Refused | Holds::Asked,
            ..
        }
        | Outcome::Later { .. } => "later, this recipient",
        Outcome::Temporary {
            holds: Holds::Mail, ..
        } => "later, this one",
        Outcome::Temporary {
            holds: Holds::Transport,
            ..
        } => "later, all of it",
        Outcome::Permanent(_) => "permanent",
        Outcome::Rest(_) => "rest",
        Outcome::Pause(_) => "pause",
        Outcome::Unknown(_) => "unknown",
    }
}

pub async fn send(
    script: Script,
    tls: SmtpTls,
    timeout: Duration,
    change: impl FnOnce(&mut SmtpServer),
) -> (Outcome, usize) {
    let server = Server::start(script).await;
    let mut settings = settings(&server, tls, timeout);
    if let MailTransport::Smtp(smtp) = &mut settings.transport {
        change(smtp);
    }
    let mailer = Mailer::new(&settings).unwrap();
    let outcome = mailer
        .send(&mail(), &address("ops@example.com"), ready(Ok(())))
        .await;
    (outcome, server.came().len())
}

/// A send to whatever listens at a port.
pub async fn to_port(port: u16, tls: SmtpTls, timeout: Duration) -> Outcome {
    let server = SmtpServer {
        host: "localhost".into(),
        port,
        tls,
        ca_pem: None,
        login: None,
        masks: Masks::default(),
    };
    let settings = EmailSettings {
        transport: MailTransport::Smtp(server),
        from: address("alerts@example.com"),
        to: Vec::new(),
        reply_to: None,
        timeout,
        body_excerpt: true,
    };
    let mailer = Mailer::new(&settings).unwrap();
    mailer
        .send(&mail(), &address("ops@example.com"), ready(Ok(())))
        .await
}

async fn plain(at: At, act: Act) -> (Outcome, usize) {
    let script = Script {
        faults: vec![(at, None, 9, act)],
        ..Script::default()
    };
    send(script, SmtpTls::None, PATIENT, |_| ()).await
}

#[tokio::test]
async fn each_refusal_is_known_by_its_step() {
    use At::{Data, Ehlo, End, Greeting, Mail, Rcpt};
    for (at, said, want) in [
        (Greeting, "554 no service", "pause"),
        (Greeting, "421 too busy", "later, all of it"),
        (Greeting, "250 hello", "later, all of it"),
        (Ehlo, "550 go away", "pause"),
        (Ehlo, "421 later", "later, all of it"),
        (Ehlo, "451 later", "later, all of it"),
        (Mail, "550 not from you", "pause"),
        (Mail, "530 5.7.0 authenticate first", "pause"),
        (Mail, "550 5.1.1 even so", "pause"),
        (Mail, "451 later", "later, all of it"),
        (Mail, "421 later", "later, all of it"),
        (Rcpt, "550 5.1.1 no such user", "permanent"),
        (Rcpt, "550", "permanent"),
        (Rcpt, "553 no such user", "permanent"),
        (Rcpt, "550 5.2.1 disabled", "permanent"),
        (Rcpt, "554 5.4.1 unknown here", "permanent"),
        (Rcpt, "550-5.1.1 no\r\n550 5.1.1 such user", "permanent"),
        (Rcpt, "550 5.7.1 sender rejected", "rest"),
        (Rcpt, "550 5.4.5 daily limit", "rest"),
        (Rcpt, "550 5.1.8 bad sender", "rest"),
        (Rcpt, "554 5.7.1 relay access denied", "rest"),
        (Rcpt, "504 5.5.2 helo rejected", "rest"),
        (Rcpt, "530 5.7.0 authenticate first", "rest"),
        (Rcpt, "554 no", "rest"),
        (Rcpt, "535 no", "rest"),
        (Rcpt, "450 4.2.0 greylisted", "later, this recipient"),
        (Rcpt, "421 later", "later, this recipient"),
        (Data, "554 5.1.1 no valid recipients", "permanent"),
        (Data, "554 no valid recipients", "rest"),
        (Data, "451 later", "later, this one"),
        (End, "554 5.7.1 looks like spam", "rest"),
        (End, "552 too big", "permanent"),
        (End, "554 5.6.0 broken", "permanent"),
        (End, "550 5.3.4 too big", "permanent"),
        (End, "554 5.3.0 no", "rest"),
        (End, "451 4.3.0 filter is busy", "later, this one"),
        (End, "421 closing", "later, this recipient"),
        (End, "354 more", "unknown"),
    ] {
        let (outcome, _) = plain(at, Act::Say(said)).await;
        assert_eq!(word(&outcome), want, "{said} at {at:?}: {outcome:?}");
        let text = format!("{outcome:?}");
        assert!(text.contains(&said[..3]), "{said} at {at:?}: {text}");
    }
}

#[tokio::test]
async fn an_answer_shows_no_secret() {
    let script = Script {
        faults: vec![(
            At::Mail,
            None,
            9,
            Act::Say("550 who is kim@test with pa55word?"),
        )],
        ..Script::default()
    };
    let secrets = ["kim@test", "pa55word"].map(str::to_owned);
    let (outcome, _) = send(script, SmtpTls::None, PATIENT, |smtp| {
        smtp.masks = Masks::new(secrets);
    })
    .await;
    let text = format!("{outcome:?}");
    assert!(text.contains("550 who is *** with ***?"), "{text}");
}

#[tokio::test]
async fn a_cut_connection_is_known_by_its_step() {
    use At::{Data, Ehlo, End, Greeting, Mail, Rcpt};
    for (at, want, came) in [
        (Greeting, "later, all of it", 0),
        (Ehlo, "later, all of it", 0),
        (Mail, "later, all of it", 0),
        (Rcpt, "later, this recipient", 0),
        (Data, "later, this recipient", 0),
        (End, "unknown", 1),
    ] {
        let (outcome, arrived) = plain(at, Act::Cut).await;
        assert_eq!(
            (word(&outcome), arrived),
            (want, came),
            "cut at {at:?}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_left_in_time() {
    use At::{Data, Ehlo, End, Greeting, Mail, Rcpt};
    for (at, want) in [
        (Greeting, "later, all of it"),
        (Ehlo, "later, all of it"),
        (Mail, "later, all of it"),
        (Rcpt, "later, this recipient"),
        (Data, "later, this recipient"),
        (End, "unknown"),
    ] {
        let script = Script {
            faults: vec![(at, None, 9, Act::Hang)],
            ..Script::default()
        };
        let sending = send(script, SmtpTls::None, Duration::from_secs(2), |_| ());
        let (outcome, _) = tokio::time::timeout(PATIENT, sending).await.unwrap();
        assert_eq!(word(&outcome), want, "hanging at {at:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let server = Server::start(Script::default()).await;
    let settings = settings(&server, SmtpTls::None, PATIENT);
    drop(server);
    // The port is free again once the listener's task was dropped.
    tokio::task::yield_now().await;
    let mailer = Mailer::new(&settings).unwrap();
    let outcome = mailer
        .send(&mail(), &address("ops@example.com"), ready(Ok(())))
        .await;
    assert_eq!(word(&outcome), "later, all of it", "{outcome:?}");
}

#[tokio::test]
async fn tls_is_never_skipped() {
    let root = Pair::authority("Test Root", None, -10, 3650);
    let leaf = Pair::leaf(&["localhost"], Some(&root), -1, 90);
    let other = Pair::leaf(&["other.test"], Some(&root), -1, 90);
    let script = |pair: &Pair, implicit| Script {
        tls: Some(Arc::new(pair.server(&[]))),
        implicit,
        ..Script::default()
    };
    let trust = |smtp: &mut SmtpServer| smtp.ca_pem = Some(root.pem.as_bytes().into());
    for (case, script, tls, trusted, want) in [
        (
            "starttls",
            script(&leaf, false),
            SmtpTls::Starttls,
            true,
            "accepted",
        ),
        (
            "implicit",
            script(&leaf, true),
            SmtpTls::Implicit,
            true,
            "accepted",
        ),
        (
            "not offered",
            Script::default(),
            SmtpTls::Starttls,
            true,
            "pause",
        ),
        (
            "unknown issuer",
            script(&leaf, false),
            SmtpTls::Starttls,
            false,
            "pause",
        ),
        (
            "unknown issuer",
            script(&leaf, true),
            SmtpTls::Implicit,
            false,
            "pause",
        ),
        (
            "another name",
            script(&other, false),
            SmtpTls::Starttls,
            true,
            "pause",
        ),
        (
            "no TLS there",
            Script::default(),
            SmtpTls::Implicit,
            true,
            "pause",
        ),
    ] {
        let (outcome, _) = send(script, tls, PATIENT, |smtp| {
            if trusted {
                trust(smtp);
            }
        })
        .await;
        assert_eq!(word(&outcome), want, "{case}, {tls:?}: {outcome:?}");
    }
    let refusing = Script {
        faults: vec![(At::StartTls, None, 9, Act::Say("454 not now"))],
        ..script(&leaf, false)
    };
    let (outcome, _) = send(refusing, SmtpTls::Starttls, PATIENT, trust).await;
    assert_eq!(word(&outcome), "later, all of it", "{outcome:?}");
}

#[tokio::test]
async fn a_wrong_password_pauses_the_way_out() {
    let script = |faults| Script {
        auth: true,
        faults,
        ..Script::default()
    };
    let login = |smtp: &mut SmtpServer| smtp.login = Some(("me".into(), Secret::new("hunter22")));
    let wrong = vec![(At::Auth, None, 9, Act::Say("535 5.7.8 bad credentials"))];
    for (faults, want) in [
        (vec![], "accepted"),
        (wrong, "pause"),
        (
            vec![(At::Auth, None, 9, Act::Say("454 4.7.0 later"))],
            "later, all of it",
        ),
        (vec![(At::Auth, None, 9, Act::Cut)], "later, all of it"),
    ] {
        let (outcome, _) = send(script(faults), SmtpTls::None, PATIENT, login).await;
        assert_eq!(word(&outcome), want, "{outcome:?}");
        assert!(!format!("{outcome:?}").contains("hunter22"));
    }
    let (outcome, _) = send(Script::default(), SmtpTls::None, PATIENT, login).await;
    assert_eq!(
        word(&outcome),
        "pause",
        "no mechanism in common: {outcome:?}"
    );
}

#[tokio::test]
async fn what_arrives_is_what_was_sent() {
    let server = Server::start(Script::default()).await;
    let mailer = Mailer::new(&settings(&server, SmtpTls::None, PATIENT)).unwrap();
    let outcome = mailer
        .send(&mail(), &address("ops@example.com"), ready(Ok(())))
        .await;
    assert_eq!(outcome, Outcome::Accepted("250 2.0.0 queued as 4F1".into()));
    let came = server.came();
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].to, "ops@example.com");
    assert_eq!(came[0].field("Message-ID"), Some("<0123@example.com>"));
    assert_eq!(
        came[0].field("To"),
        Some("ops@example.com, boss@example.com")
    );
    let parsed = mail_parser::MessageParser::default()
        .parse(came[0].data.as_bytes())
        .unwrap();
    assert_eq!(
        parsed.body_text(0).unwrap().trim_end(),
        "From here\r\n.\r\nto there"
    );
}

/// The sentences are those of sites, with the key of `[email]` that helps, and nothing of a library's own words.
#[tokio::test]
async fn a_mail_server_is_judged_as_a_site_and_told_with_the_key_to_change() {
    let root = Pair::authority("Test Root", None, -10, 3650);
    let own = Pair::as_openssl_makes_it(&["localhost"]);
    let stranger = Pair::authority("Stranger", None, -10, 3650);
    let below = |names: &[&str], from, to| Pair::leaf(names, Some(&root), from, to);
    for (case, pair, trusted, want, says) in [
        (
            "its own anchor",
            &Pair::leaf(&["localhost"], None, -1, 90),
            None,
            "accepted",
            "",
        ),
        ("its own authority", &own, None, "accepted", ""),
        (
            "below a root",
            &below(&["localhost"], -1, 90),
            Some(&root),
            "accepted",
            "",
        ),
        (
            "not trusted",
            &Pair::leaf(&["localhost"], None, -1, 90),
            Some(&root),
            "pause",
            "the certificate is self-signed",
        ),
        (
            "an authority's, not trusted",
            &own,
            Some(&root),
            "pause",
            "set [email].ca_file to a file",
        ),
        (
            "unknown root",
            &Pair::leaf(&["localhost"], Some(&stranger), -1, 90),
            Some(&root),
            "pause",
            "set [email].ca_file to a file",
        ),
        (
            "another name",
            &below(&["mail.example.com", "smtp.example.com"], -1, 90),
            Some(&root),
            "pause",
            "mail.example.com, smtp.example.com; set [email].host to a name that the certificate has",
        ),
        (
            "a name in the CN only",
            &Pair::leaf_with_cn_only("localhost", &root),
            Some(&root),
            "pause",
            "no subject alternative name",
        ),
        (
            "ended",
            &below(&["localhost"], -90, -1),
            Some(&root),
            "pause",
            "it has to be renewed on the mail server",
        ),
        (
            "begins later",
            &below(&["localhost"], 2, 90),
            Some(&root),
            "pause",
            "look at the clocks of this host and of the mail server",
        ),
    ] {
        let script = Script {
            tls: Some(Arc::new(pair.server(&[]))),
            ..Script::default()
        };
        let (outcome, came) = send(script, SmtpTls::Starttls, PATIENT, |smtp| {
            smtp.ca_pem = Some(trusted.unwrap_or(pair).pem.as_bytes().into());
        })
        .await;
        let text = format!("{outcome:?}");
        assert_eq!(word(&outcome), want, "{case}: {text}");
        assert_eq!(came, usize::from(want == "accepted"), "{case}: {text}");
        assert!(text.contains(says), "{case}: {text}");
        for strange in ["Error(", "Context", "UnknownIssuer", "CaUsedAs", "NotValid"] {
            assert!(!text.contains(strange), "{case}: {text}");
        }
    }
}
