//! A test mail, beside the outbox: what the server says is wanted now, not later.

use std::future::ready;

use super::flush_once::said;
use crate::clock;
use crate::config::Config;
use crate::control::Answer;
use crate::domain::address::Address;
use crate::domain::notification::{MailKind, News, Notice, Parcel};
use crate::domain::recipient::Recipient;
use crate::mail::mailer::{Mail, Mailer};
use crate::mail::smtp::Line;
use crate::policy::outbox::message_id;
use crate::policy::outbox::retry::Outcome;
use crate::view::mail::context::Context;
use crate::view::mail::render::render;

/// Sends a test mail to each address and tells what was answered.
pub async fn test_mail(mailer: &Mailer, config: &Config, to: &[String], host: &str) -> Answer {
    let Some(email) = &config.email else {
        return no_email();
    };
    let mut addresses = Vec::new();
    for text in to {
        match Address::parse(text) {
            Ok(address) => addresses.push(address),
            Err(error) => {
                return Answer::Refused {
                    lines: vec![error.to_string()],
                };
            }
        }
    }
    if addresses.is_empty() {
        addresses.extend(email.to.iter().filter_map(Recipient::address).cloned());
    }
    if addresses.is_empty() {
        return Answer::Refused {
            lines: vec!["[email].to is empty; name an address with `--to`".to_owned()],
        };
    }
    let now = clock::now();
    let parcel = Parcel {
        kind: MailKind::Test,
        notices: vec![Notice {
            about: None,
            news: News::Test,
            decided_at: now,
        }],
    };
    let context = Context::bare(now, config.daemon.timezone.clone(), host);
    let moment = now.as_ms().to_string();
    let mail = Mail {
        message_id: message_id::make(host, &["test", &moment], email.from.domain()),
        thread_roots: Vec::new(),
        everybody: addresses.clone(),
        queued_at: now,
        date: now,
        rendered: render(&parcel, &context),
    };
    let mut lines = vec![format!("by {}", mailer.describe())];
    let mut all_well = true;
    let mut connection = Line::default();
    for to in &addresses {
        let outcome = mailer
            .send_over(&mut connection, &mail, to, ready(Ok(())))
            .await;
        let well = matches!(outcome, Outcome::Accepted(_));
        all_well &= well;
        lines.push(format!("{}: {}", to.mailbox(), said(&outcome)));
    }
    mailer.close(&mut connection).await;
    if all_well {
        Answer::Done { lines }
    } else {
        Answer::Failed { lines }
    }
}

/// The answer where nothing can be mailed.
pub(super) fn no_email() -> Answer {
    Answer::Refused {
        lines: vec![
            "there is no [email] and no [[channel]] in the configuration: nothing is sent"
                .to_owned(),
        ],
    }
}
