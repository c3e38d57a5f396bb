//! `sitewatch events`: what happened, once and in order, for scripts that hang on it.

use std::time::Duration;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::{history, resolve};
use crate::store::error::StoreError;
use crate::store::reader::Reader;
use crate::view::events as view;
use crate::view::time_text::Clock;

/// How often it is looked for new ones.
const LOOKS_EVERY: Duration = Duration::from_millis(250);

/// So many looks at one opening of the database: its file may be another one by then.
const LOOKS_MAX: u32 = 40;

/// Events in memory at a time.
const PORTION: u32 = 1000;

/// The cursor before the first event that is kept.
const OLDEST: &str = "oldest";

/// Arguments of `sitewatch events`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sitewatch events --since 7d\n  \
    sitewatch events --follow --json --after oldest\n\n\
    Each change comes once. To go on after a crash, give the cursor of the last\n\
    event that was handled to --after. If that one is no longer kept, the exit\n\
    status is 1, and stderr names the oldest that is. Events are kept as long as\n\
    checks.")]
pub struct Args {
    /// Wait for more, and print them as they come
    #[arg(long)]
    pub follow: bool,
    /// Only events after this one, by its `cursor`; "oldest" begins with the first that is kept
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    /// Only events since this time: 7d (ago), yesterday, 2026-10
    #[arg(
        long,
        value_name = "TIME",
        default_value = "24h",
        conflicts_with = "after"
    )]
    pub since: String,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let place = resolve::brief(context)?;
    let mut clock = place.clock();
    let mut reader = place.reader()?;
    let mut cursor = first(&reader, args, &clock)?;
    loop {
        for _ in 0..LOOKS_MAX {
            cursor = print(context, &reader, cursor, &clock)?;
            if !args.follow {
                return Ok(Outcome::Fine);
            }
            if context.out.wait(LOOKS_EVERY) {
                return Ok(Outcome::Fine);
            }
        }
        match Reader::open(&place.database) {
            Ok(opened) => reader = opened,
            // The daemon is just putting the file in order: the one that is open is still it.
            Err(StoreError::Busy) => {}
            Err(_) => reader = place.reader()?,
        }
        clock = place.clock();
        is_kept(&reader, cursor)?;
    }
}

/// The cursor to begin after.
fn first(reader: &Reader, args: &Args, clock: &Clock) -> Result<i64, CliError> {
    match args.after.as_deref() {
        None => {
            let (since, _) = history::between(Some(&args.since), None, clock)?;
            Ok(reader.cursor_before(since.unwrap_or(clock.now))?)
        }
        Some(OLDEST) => Ok(reader.events_kept()?.oldest - 1),
        Some(text) => {
            let cursor = text.parse().map_err(|_| {
                CliError::Usage(format!(
                    "--after takes the `cursor` of an event, or {OLDEST}"
                ))
            })?;
            is_kept(reader, cursor)?;
            Ok(cursor)
        }
    }
}

/// Whether nothing between a cursor and now was forgotten.
fn is_kept(reader: &Reader, cursor: i64) -> Result<(), CliError> {
    let span = match reader.events_kept() {
        Err(StoreError::Busy) => return Ok(()),
        span => span?,
    };
    if cursor > span.newest {
        return Err(CliError::Machine(format!(
            "cursor {cursor} is not of this database: the newest is {}",
            span.newest
        )));
    }
    if cursor < span.oldest - 1 {
        return Err(CliError::Machine(format!(
            "cursor {cursor} is gone: the oldest is {}; `--after {OLDEST}` begins with it",
            span.oldest
        )));
    }
    Ok(())
}

/// Prints what came after a cursor; the last one that was printed.
fn print(
    context: &mut Context,
    reader: &Reader,
    mut cursor: i64,
    clock: &Clock,
) -> Result<i64, CliError> {
    loop {
        let events = match reader.events_after(cursor, PORTION) {
            // The daemon is just putting the file in order after a crash.
            Err(StoreError::Busy) => return Ok(cursor),
            events => events?,
        };
        let Some(last) = events.last() else {
            return Ok(cursor);
        };
        cursor = last.cursor;
        let screen = context.out.screen();
        for event in &events {
            match context.options.json {
                true => view::json_line(event, &mut context.out)?,
                false => view::line(event, clock, screen, &mut context.out)?,
            }
        }
        context.out.flush()?;
    }
}
