//! `sitewatch email`: test mail delivery, look at the queue, send it now.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::resolve::{self, Place};
use crate::clock;
use crate::config::Config;
use crate::control::{self, Answer, ControlError, Request};
use crate::daemon::notifier::{flush_once, run};
use crate::domain::incident::Beginnings;
use crate::domain::notification::MailKind;
use crate::domain::safe_text;
use crate::domain::settings::EmailSettings;
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::Mailer;
use crate::policy::outbox::held_by::{Way, held_by};
use crate::policy::outbox::plan::{self, Waits};
use crate::policy::outbox::queued::{RowId, Tries};
use crate::store::error::StoreError;
use crate::store::outbox::queries::{self, Queued};
use crate::store::outbox::{attempts, channels};
use crate::store::reader::Reader;
use crate::store::writer::Store;
use crate::view::channel;
use crate::view::csv;
use crate::view::json;
use crate::view::mail::context::Currents;
use crate::view::mail::render;
use crate::view::queue_object;
use crate::view::rows::{QueueHold, QueueRow};
use crate::view::table::{self, Cell, Column, Fit};
use crate::view::terminal::Tone;

/// Arguments of `sitewatch email`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: EmailCommand,
}

/// What to do with mail.
#[derive(Debug, clap::Subcommand)]
pub enum EmailCommand {
    /// Send a test mail and report the server's answers
    Test {
        /// To these addresses instead of the configured ones
        #[arg(long, value_name = "ADDRESS")]
        to: Vec<String>,
    },
    /// List mails and messages of channels that have not been sent
    Queue {
        /// Print CSV with a header, times in UTC
        #[arg(long, conflicts_with = "json")]
        csv: bool,
    },
    /// Send waiting and failed mails and messages of channels now
    Retry,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    match &args.command {
        EmailCommand::Test { to } => test(context, to),
        EmailCommand::Queue { csv } => queue(context, *csv),
        EmailCommand::Retry => retry(context),
    }
}

fn test(context: &mut Context, to: &[String]) -> Result<Outcome, CliError> {
    let config = resolve::config(context)?;
    let request = Request::EmailTest { to: to.to_vec() };
    if let Some(answer) = ask_daemon(&config, &request)? {
        context.out.note("asked the running daemon");
        return tell(context, answer);
    }
    let mailer = mailer(email(&config)?)?;
    context
        .out
        .note("no daemon runs: sending from this command");
    let answer = wait(run::test_mail(&mailer, &config, to, &run::host()))?;
    tell(context, answer)
}

fn retry(context: &mut Context) -> Result<Outcome, CliError> {
    let config = resolve::config(context)?;
    if let Some(answer) = ask_daemon(&config, &Request::EmailRetry)? {
        context.out.note("asked the running daemon");
        return tell(context, answer);
    }
    let mailer = match &config.email {
        Some(email) => Some(mailer(email)?),
        None if config.channels.is_empty() => return Err(nothing_to_send_with(&config)),
        None => None,
    };
    // Where there is none nothing waits, and one made here might belong to another user than the service's.
    drop(Reader::open(&config.daemon.database).map_err(|error| {
        let file = resolve::shown(&config.file);
        CliError::Machine(format!("{error}\n  the configuration is {file}"))
    })?);
    let mut store = Store::open(&config.daemon.database, clock::now())?;
    if store.hub_copy()?.is_some_and(|copy| copy.is_followed) {
        return Err(CliError::Machine(
            "this hub has a standby, and which of them leads only the daemon finds out: start it with `sitewatch run`"
                .to_owned(),
        ));
    }
    context
        .out
        .note("no daemon runs: sending from this command");
    let host = run::host();
    let emptied = wait(flush_once::empty(
        &mut store,
        &config,
        mailer.as_ref(),
        &host,
    ))??;
    for line in &emptied.lines {
        writeln!(context.out, "{}", safe_text::line(line, 500))?;
    }
    for line in &emptied.held {
        writeln!(context.out, "{line}")?;
    }
    let (sent, left) = (emptied.sent, emptied.left);
    let mails = if sent == 1 { "mail" } else { "mails" };
    let dropped = match emptied.dropped {
        0 => String::new(),
        many => {
            format!(", {many} dropped since their outage is over and their recipient was told so")
        }
    };
    writeln!(
        context.out,
        "{sent} {mails} sent{dropped}, {left} left in the queue"
    )?;
    Ok(if left == 0 {
        Outcome::Fine
    } else {
        Outcome::Bad
    })
}

/// The daemon's answer; none where no daemon runs.
pub(super) fn ask_daemon(config: &Config, request: &Request) -> Result<Option<Answer>, CliError> {
    match control::ask(&config.daemon.control_socket, request) {
        Ok(answer) => Ok(Some(answer)),
        Err(ControlError::NoDaemon { .. }) => Ok(None),
        Err(error) => Err(CliError::machine(error)),
    }
}

fn nothing_to_send_with(config: &Config) -> CliError {
    let file = config.file.display();
    CliError::Configuration(format!(
        "error: {file} has no [email] and no [[channel]]: nothing is sent"
    ))
}

fn email(config: &Config) -> Result<&EmailSettings, CliError> {
    config.email.as_ref().ok_or_else(|| {
        let file = config.file.display();
        CliError::Configuration(format!("error: {file} has no [email]: nothing is mailed"))
    })
}

fn mailer(email: &EmailSettings) -> Result<Mailer, CliError> {
    Mailer::new(email).map_err(|error| CliError::Configuration(error.to_string()))
}

pub(super) fn wait<T>(work: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::machine)?;
    Ok(runtime.block_on(work))
}

pub(super) fn tell(context: &mut Context, answer: Answer) -> Result<Outcome, CliError> {
    if context.options.json {
        let line = control::line(&answer);
        context.out.write_str(&String::from_utf8_lossy(&line))?;
    }
    match answer {
        Answer::Done { lines } => {
            if !context.options.json {
                for line in lines {
                    writeln!(context.out, "{line}")?;
                }
            }
            Ok(Outcome::Fine)
        }
        // No mail holds a window; it is told as what went wrong.
        Answer::Failed { lines } | Answer::Held { lines, .. } => {
            Err(CliError::Machine(lines.join("\n")))
        }
        Answer::Refused { lines } => Err(CliError::Usage(lines.join("\n"))),
        Answer::Daemon(status) => Err(CliError::Machine(status.line)),
    }
}

fn queue(context: &mut Context, as_csv: bool) -> Result<Outcome, CliError> {
    let place = resolve::brief(context)?;
    let reader = place.reader()?;
    let clock = place.clock();
    let host = run::host();
    let queued = queries::queue(reader.outbox()).map_err(StoreError::from)?;
    let pause = attempts::pause(reader.outbox()).map_err(StoreError::from)?;
    if let Some(pause) = &pause {
        context.out.note(&format!(
            "MAIL IS STUCK since {}: {}; a running daemon tries again every 15 minutes, at a reload and by \
             `sitewatch email retry`",
            clock.short(pause.since),
            safe_text::line(&pause.why, 500)
        ));
    }
    let mut paused = channels::pauses(reader.outbox()).map_err(StoreError::from)?;
    // One whose time is over matters where something waits for it.
    paused.retain(|(name, pause)| {
        let waits = |queued: &Queued| !queued.failed && queued.mail.to.key() == name;
        pause.rests(clock.now) || queued.iter().any(waits)
    });
    for (name, pause) in &paused {
        context.out.note(&format!(
            "THE CHANNEL {name} IS STUCK since {}: {}; a running daemon tries again every 15 minutes, at a \
             reload and by `sitewatch email retry`",
            clock.short(pause.since),
            safe_text::line(&pause.why, 500)
        ));
    }
    let notices = queued.iter().flat_map(|queued| &queued.mail.parcel.notices);
    let beginnings = reader.beginnings(notices.filter_map(|notice| notice.news.incident()))?;
    let (waits, rests) = waits_and_rests(&place, &reader, &queued, clock.now)?;
    let lease = lease(&reader, place.control_socket.as_deref())?;
    if let Some(why) = &lease {
        context.out.note(&format!(
            "nothing leaves from this hub: {}",
            safe_text::line(why, 200)
        ));
    }
    let mut rows: Vec<QueueRow> = queued
        .iter()
        .map(|queued| {
            let waits = waits.get(&queued.mail.row.id).copied();
            let channel = queued.mail.to.channel();
            let pause = match channel {
                None => pause.as_ref(),
                Some(name) => paused
                    .iter()
                    .find(|(paused, _)| paused == name.as_str())
                    .map(|(_, pause)| pause),
            };
            let rest = rests.get(&channel.map(ToString::to_string)).copied();
            let way = Way { pause, rest };
            row(queued, waits, &host, way, &beginnings, clock.now)
        })
        .collect();
    if lease.is_some() {
        for row in rows
            .iter_mut()
            .filter(|row| !row.failed && row.held.is_none())
        {
            row.held = Some(QueueHold {
                by: "lease",
                until: None,
            });
            row.next_attempt_at = None;
        }
    }
    if context.options.json {
        for row in &rows {
            json::line(&queue_object::queued_mail(row), &mut context.out)?;
        }
        return Ok(Outcome::Fine);
    }
    if as_csv {
        writeln!(context.out, "{}", csv::QUEUE_HEADER)?;
        for row in &rows {
            csv::queued_mail(row, &mut context.out)?;
        }
        return Ok(Outcome::Fine);
    }
    let screen = context.out.screen();
    if rows.is_empty() {
        context.out.note("no mail is waiting");
        return Ok(Outcome::Fine);
    }
    let columns = [
        Column::left("STATE"),
        Column::left("TO").fit(Fit::Cut(16)),
        Column::left("SUBJECT").fit(Fit::Name), // what tells rows of one recipient apart
        Column::left("QUEUED").fit(Fit::Drop(2)),
        Column::right("TRIES").fit(Fit::Drop(1)),
        Column::left("NEXT"),
        Column::left("LAST ERROR").fit(Fit::Cut(16)),
    ];
    let cells = rows.iter().map(|row| {
        vec![
            match (row.failed, row.held) {
                (true, _) => Cell::toned("failed", Tone::Bad),
                (false, Some(held)) => format!("held: {}", held.by).into(),
                (false, None) => "waiting".into(),
            },
            row.to.as_str().into(),
            row.subject.as_str().into(),
            clock.short(row.queued_at).into(),
            row.attempts.to_string().into(),
            match (row.held, row.next_attempt_at) {
                (_, Some(at)) => clock.short(at),
                (Some(held), None) => format!("after the {}", held.by),
                (None, None) => "-".to_owned(),
            }
            .into(),
            row.last_error.as_deref().unwrap_or("").into(),
        ]
    });
    table::write(&columns, cells, screen, &mut context.out)?;
    Ok(Outcome::Fine)
}

/// Until when ways rest, by the name of the channel; `None` is the mail server.
type Rests = BTreeMap<Option<String>, Timestamp>;

/// What rows wait for, and until when.
type RowWaits = BTreeMap<RowId, (Waits, Timestamp)>;

/// What the rows of the queue wait for, and the ways that rest.
fn waits_and_rests(
    place: &Place,
    reader: &Reader,
    queued: &[Queued],
    now: Timestamp,
) -> Result<(RowWaits, Rests), StoreError> {
    let mut waits = RowWaits::new();
    if let Some(config) = &place.config {
        for lane in queries::lanes(reader.outbox())? {
            let alerts = config.alerts_for(&lane.to);
            waits.extend(plan::waits(&alerts, &lane, &config.hours, now));
        }
    }
    let mut rests = Rests::new();
    for queued in queued {
        let channel = queued.mail.to.channel().map(ToString::to_string);
        if rests.contains_key(&channel) {
            continue;
        }
        if let Some(until) = attempts::rests_until(reader.outbox(), channel.as_deref(), now)? {
            rests.insert(channel, until);
        }
    }
    Ok((waits, rests))
}

/// Why a hub with a standby tells nothing now, as its daemon says.
fn lease(reader: &Reader, socket: Option<&Path>) -> Result<Option<String>, CliError> {
    if reader.hub_copy()?.is_none() {
        return Ok(None);
    }
    let asked =
        socket.map(|socket| control::ask_within(socket, &Request::Status, control::STATUS_WAIT));
    Ok(match asked {
        Some(Ok(Answer::Daemon(status))) => status.lease,
        Some(Ok(_) | Err(_)) | None => None,
    })
}

/// One mail of the queue, as it is listed.
pub fn row(
    queued: &Queued,
    waits: Option<(Waits, Timestamp)>,
    host: &str,
    way: Way<'_>,
    beginnings: &Beginnings,
    now: Timestamp,
) -> QueueRow {
    let mail = &queued.mail;
    let about = mail
        .parcel
        .notices
        .first()
        .and_then(|notice| notice.about.as_ref());
    let due_at = match mail.row.tries {
        Tries::None => mail.row.waits_since(),
        Tries::Failed { next_at, .. } => next_at,
    };
    let paused = way.pause.filter(|pause| pause.rests(now));
    let rests = paused.map(|pause| pause.until).max(way.rest);
    let due_at = due_at.max(rests.unwrap_or(Timestamp::MIN));
    let due_at = due_at.max(waits.map_or(Timestamp::MIN, |(_, until)| until));
    let held = held_by(&mail.row, &mail.to, waits, way, now);
    let held = held.filter(|held| !queued.failed && !held.is_on_its_way);
    let is_closed = matches!(waits, Some((Waits::ForHours, _)));
    let is_silenced = mail.row.is_held() && !is_closed;
    let held = held.map(|held| QueueHold {
        by: held.by,
        until: (!is_silenced).then_some(due_at),
    });
    let subject = render::subject(&mail.parcel, host, now, beginnings, &Currents::new());
    let subject = match &mail.channel {
        None => subject,
        Some(_) => {
            let is_of_one = mail.parcel.kind != MailKind::Digest && about.is_some();
            channel::summary(&subject, is_of_one)
        }
    };
    QueueRow {
        id: mail.row.id.0,
        monitor: about
            .filter(|_| mail.row.monitor.is_some())
            .map(|about| about.name.as_str().to_owned()),
        kind: mail.parcel.kind,
        to: mail.to.key().to_owned(),
        channel: mail.channel.clone(),
        subject,
        message_id: mail.message_id.clone(),
        queued_at: mail.row.queued_at,
        attempts: mail.row.attempts(),
        next_attempt_at: (!queued.failed && !is_silenced).then_some(due_at),
        held,
        last_error: mail
            .last_error
            .as_deref()
            .map(|error| safe_text::line(error, 300).into_owned()),
        failed: queued.failed,
    }
}
