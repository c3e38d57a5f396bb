//! Whatever a site or mail server sends changes neither fields nor markup nor terminal.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use regex::Regex;
use sitewatch::domain::address::Address;
use sitewatch::domain::check::{
    Certificate, Chain, Check, Failure, FailureKind, Redirect, Verdict,
};
use sitewatch::domain::incident::Cause;
use sitewatch::domain::notification::{MailKind, News, Parcel};
use sitewatch::domain::safe_text::is_unsafe;
use sitewatch::mail::mailer::{Mail, Sender};
use sitewatch::mail::message;
use sitewatch::view::mail::context::{Acked, Delay};
use sitewatch::view::mail::render::render;

use super::samples;
use super::whole::is_broken_at_blanks;

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\nBcc: evil@example.com\r\n".to_owned()),
        Just("\n\n.\r\nMAIL FROM:<x@y>".to_owned()),
        Just("</p></div><script src=//evil.example></script>".to_owned()),
        Just("\"'><img src=x onerror=alert(1)>".to_owned()),
        Just("\u{1b}[31m\u{1b}]0;title\u{7}".to_owned()),
        Just("\u{202e}gnp.exe\u{2066}".to_owned()),
        Just("=?utf-8?q?=0D=0ABcc:=20evil@example.com?=".to_owned()),
        Just("\u{85}\u{2028}\u{0}\u{9b}2J".to_owned()),
        Just("';rm -rf /;'".to_owned()),
        Just("&amp;&lt;".to_owned()),
        "[a-z ]{0,30}",
        "\\PC{0,12}",
        any::<char>().prop_map(|c| c.to_string()),
        Just("x".repeat(300)),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn hostile_check(words: &[String], down: bool) -> Check {
    let mut check = samples::check(22, 503, 1001);
    let failure = Failure {
        kind: FailureKind::Body,
        detail: words[0].as_str().into(),
    };
    check.verdict = if down {
        Verdict::Down(failure)
    } else {
        Verdict::Up
    };
    check.excerpt = Some(words[1].as_str().into());
    check.chain = Arc::new(Chain {
        redirects: vec![Redirect {
            url: words[2].clone(),
            status: 302,
            location: Some(words[3].clone()),
            remote_addr: None,
        }],
        final_url: words[3].as_str().into(),
        remote_addr: None,
    });
    check.remarks = [words[4].clone()].into();
    check.certificate = check.certificate.map(|certificate| {
        Arc::new(Certificate {
            subject: words[5].clone(),
            issuer: words[6].clone(),
            ..(*certificate).clone()
        })
    });
    check
}

fn parcels(words: &[String]) -> Vec<Parcel> {
    let (bad, good) = (hostile_check(words, true), hostile_check(words, false));
    let cause = Cause {
        failure: bad.verdict.failure().unwrap().clone(),
        status: Some(200),
    };
    let down = News::Down {
        incident: samples::incident(),
        cause: cause.clone(),
        up_since: None,
        check: Box::new(bad.clone()),
        checks_failed: 3,
        last_good: Some(Box::new(good.clone())),
        held: Some(words[7].clone()),
        locations: Vec::new(),
    };
    let up = News::Up {
        incident: samples::incident(),
        cause,
        closed_at: samples::at(845),
        check: Box::new(good.clone()),
        checks_failed: 3,
        flapping_since: None,
    };
    let merged = vec![
        samples::one(down.clone(), 0).notices.remove(0),
        samples::one(up.clone(), 0).notices.remove(0),
    ];
    let mut trouble = samples::one(
        News::Trouble {
            what: words[0].clone(),
            detail: words[1].clone(),
        },
        0,
    );
    trouble.notices[0].about = None;
    vec![
        samples::one(down, 0),
        samples::one(up, 0),
        Parcel {
            kind: MailKind::WasDown,
            notices: merged.clone(),
        },
        Parcel {
            kind: MailKind::Digest,
            notices: merged,
        },
        samples::one(
            News::CertificateExpiring {
                check: Box::new(good.clone()),
                step: Duration::from_secs(86_400),
            },
            0,
        ),
        samples::one(
            News::RedirectChanged {
                before: Box::new((*bad.chain).clone()),
                check: Box::new(good),
                locations: Vec::new(),
            },
            0,
        ),
        trouble,
    ]
}

/// The tags that our own layout is made of. Attributes hold no quote of their own.
const TAG: &str = "^<(!DOCTYPE html|/?(html|head|body|div|p|span|h1|h2|table|tr|td|th|blockquote|hr|title|style|a|meta|strong|br|wbr)\
                   ( (lang|charset|name|content|class|style|role|cellpadding|cellspacing|scope|href)=\"[^\"<>]*\")*)>$";

const USUAL_FIELDS: [&str; 14] = [
    "Auto-Submitted",
    "Content-Type",
    "Date",
    "From",
    "List-Id",
    "MIME-Version",
    "Message-ID",
    "Subject",
    "To",
    "X-Auto-Response-Suppress",
    "X-Sitewatch-Incident",
    "X-Sitewatch-Monitor",
    "X-Sitewatch-State",
    "Content-Transfer-Encoding",
];

fn check_mail(parcel: &Parcel, words: &[String]) -> Result<(), TestCaseError> {
    let around = &samples::all()[0].2;
    let mut context = around.context();
    context.delay = Some(Delay {
        what: "mail",
        by: Duration::from_secs(600),
        why: words[7].clone(),
    });
    context.history.causes = vec![(words[0].clone(), 3)];
    let incidents = parcel.notices.iter().filter_map(|n| n.news.incident());
    context.acks = incidents
        .map(|incident| Acked {
            incident,
            at: samples::at(0),
            note: Some(words[1].as_str().into()),
        })
        .collect();
    let rendered = render(parcel, &context);
    prop_assert!(
        !rendered.subject.chars().any(is_unsafe),
        "{:?}",
        rendered.subject
    );
    for line in rendered.text.lines() {
        prop_assert!(is_broken_at_blanks(line), "{line:?}");
        prop_assert!(!line.chars().any(is_unsafe), "{line:?}");
    }
    let tag = Regex::new(TAG).unwrap();
    let mut tags = 0;
    for found in Regex::new("<[^>]*>").unwrap().find_iter(&rendered.html) {
        tags += 1;
        prop_assert!(tag.is_match(found.as_str()), "{}", found.as_str());
    }
    prop_assert_eq!(rendered.html.matches('<').count(), tags);
    prop_assert!(!rendered.html.chars().any(|c| is_unsafe(c) && c != '\n'));

    let address = |text: &str| Address::parse(text).unwrap();
    let ops = address("ops@example.com");
    let mail = Mail {
        message_id: "0123@example.com".into(),
        thread_roots: Vec::new(),
        everybody: vec![ops.clone()],
        queued_at: samples::at(0),
        date: samples::at(1),
        rendered,
    };
    let sender = Sender {
        from: address("Sitewatch <alerts@example.com>"),
        reply_to: None,
    };
    let bytes = message::bytes(&sender, &mail, &ops, false).unwrap();
    prop_assert!(bytes.is_ascii());
    let parsed = mail_parser::MessageParser::default().parse(&bytes).unwrap();
    for header in parsed.headers() {
        let usual = USUAL_FIELDS
            .iter()
            .any(|field| field.eq_ignore_ascii_case(header.name()));
        prop_assert!(usual, "{}", header.name());
    }
    prop_assert_eq!(
        parsed.subject().unwrap_or(""),
        mail.rendered.subject.as_str()
    );
    let text = parsed.body_text(0).unwrap().replace("\r\n", "\n");
    prop_assert_eq!(text.trim_end(), mail.rendered.text.trim_end());
    let html = parsed.body_html(0).unwrap().replace("\r\n", "\n");
    prop_assert_eq!(html.trim_end(), mail.rendered.html.trim_end());
    Ok(())
}

proptest! {
    #![proptest_config(crate::support::cases::cases(48))]
    #[test]
    fn hostile_words_stay_words(words in prop::collection::vec(hostile(), 8)) {
        for parcel in parcels(&words) {
            check_mail(&parcel, &words)?;
        }
    }
}
