//! `sitewatch report --email`: the periodic report, now and by this command itself.

use std::fmt::Write as _;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Outcome};
use crate::cli::resolve;
use crate::daemon::notifier::{flush_once, report_rows, run};
use crate::domain::address::Address;
use crate::domain::notification::{MailKind, News, Notice, Parcel};
use crate::domain::recipient::Recipient;
use crate::mail::mailer::{Mail, Mailer};
use crate::policy::outbox::message_id;
use crate::policy::outbox::retry;
use crate::policy::schedule::time_range::Period;
use crate::store::reader::Reader;
use crate::view::mail::context::Context as MailContext;
use crate::view::mail::render::render;
use crate::view::time_text::Clock;

/// Sends the report of a period to its recipients and says what the mail server answered.
pub fn send(
    context: &mut Context,
    reader: &Reader,
    period: Period,
    clock: &Clock,
) -> Result<Outcome, CliError> {
    let config = resolve::config(context)?;
    let email = config.email.as_ref().ok_or_else(|| {
        CliError::Configuration(format!(
            "error: {} has no [email]: nothing can be mailed",
            config.file.display()
        ))
    })?;
    let to = match &config.report {
        Some(report) if !report.to.is_empty() => &report.to,
        Some(_) | None => &email.to,
    };
    // What this command sends is mail.
    let channels: Vec<&str> = to
        .iter()
        .filter_map(|to| Some(to.channel()?.as_str()))
        .collect();
    let to: Vec<Address> = to.iter().filter_map(Recipient::address).cloned().collect();
    if to.is_empty() {
        let file = config.file.display();
        return Err(CliError::Usage(match channels.as_slice() {
            [] => format!("{file}: neither [report].to nor [email].to names anybody"),
            names => format!(
                "{file}: the report goes to {} only, and this command sends mail: nobody is mailed",
                channel_names(names)
            ),
        }));
    }
    let host = run::host();
    let report = report_rows::rows(reader, &config, period.from, period.to, clock.now)?;
    let end = period.to.min(clock.now);
    let objectives = report_rows::objectives(reader, &config, end, false, |_| true)?;
    let parcel = Parcel {
        kind: MailKind::Report,
        notices: vec![Notice {
            about: None,
            news: News::Report {
                from: period.from,
                to: period.to,
            },
            decided_at: clock.now,
        }],
    };
    let mail_context = MailContext {
        report,
        objectives,
        ..MailContext::bare(clock.now, clock.zone.clone(), &host)
    };
    let moment = clock.now.as_ms().to_string();
    let mail = Mail {
        message_id: message_id::make(&host, &["report", &moment], email.from.domain()),
        thread_roots: Vec::new(),
        everybody: to.clone(),
        queued_at: clock.now,
        date: clock.now,
        rendered: render(&parcel, &mail_context),
    };
    let mailer =
        Mailer::new(email).map_err(|error| CliError::Configuration(format!("error: {error}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::machine)?;
    let mut outcome = Outcome::Fine;
    for address in &to {
        let sent = runtime.block_on(mailer.send(&mail, address, std::future::ready(Ok(()))));
        if !matches!(sent, retry::Outcome::Accepted(_)) {
            outcome = Outcome::Bad;
        }
        writeln!(
            context.out,
            "{}: {}",
            address.mailbox(),
            flush_once::said(&sent)
        )?;
    }
    context.out.flush()?;
    context
        .out
        .note(&format!("sent by this command, {}", mailer.describe()));
    if !channels.is_empty() {
        context.out.note(&format!(
            "not sent to {}: this command sends mail, the daemon sends its reports there too",
            channel_names(&channels)
        ));
    }
    Ok(outcome)
}

/// `the channel oncall`, `the channels oncall, hook`
fn channel_names(names: &[&str]) -> String {
    let word = match names {
        [_] => "channel",
        _ => "channels",
    };
    format!("the {word} {}", names.join(", "))
}
