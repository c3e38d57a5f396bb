//! The log: fields in the journal, lines for people on a terminal, JSON where it is asked for.

use std::borrow::Cow;
use std::fmt;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::panic::{self, PanicHookInfo};
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::filter::{self, EnvFilter};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use super::journal::{self, Journal};
use super::queue::{Outlet, Queue};
use super::targets;
use crate::clock;

/// What still waits at the end is given this long to leave.
const LAST_LINES: Duration = Duration::from_millis(500);

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The journal's own fields where stderr is the journal, else lines.
    Auto,
    /// Lines.
    Lines,
    /// One JSON object a line.
    Json,
}

/// What of the environment decides about the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogEnvironment<'a> {
    /// `$RUST_LOG`: goes before the configuration.
    pub rust_log: Option<&'a str>,
    /// `$JOURNAL_STREAM`: device and inode of the journal's stream, if we were started with one.
    pub journal_stream: Option<&'a str>,
    /// `$NO_COLOR`
    pub no_color: bool,
}

/// Why no log can be written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not understood.
    #[error(
        "read the log filter `{filter}`: {source}; write a level (\"info\") or \"info,sitewatch::mail=debug\""
    )]
    Filter {
        /// As written.
        filter: String,
        /// What is wrong with it.
        source: filter::ParseError,
    },
    /// The log is set up already: only once a process.
    #[error("set up the log a second time")]
    Twice,
    /// There is no thread that could write it.
    #[error(
        "start: the system gives no thread; raise the limit (TasksMax= or LimitNPROC= of the unit, `ulimit -u`)"
    )]
    Thread,
}

/// The log of this process; when it is dropped, the last lines leave, as far as somebody takes them at once.
#[derive(Debug)]
pub struct Log(Queue);

impl Drop for Log {
    fn drop(&mut self) {
        self.0.flush(LAST_LINES);
    }
}

/// Sets up the log of the process; from here on what a panic says goes there as well.
///
/// # Errors
/// When the filter is not understood, there is a log already, or no thread can be had for it.
pub fn start(form: Form, level: &str, environment: LogEnvironment<'_>) -> Result<Log, LogError> {
    let text = environment
        .rust_log
        .filter(|text| !text.trim().is_empty())
        .unwrap_or(level);
    let filter = EnvFilter::builder()
        .parse(of_ours(text))
        .map_err(|source| LogError::Filter {
            filter: text.to_owned(),
            source,
        })?;
    let journal = match form {
        Form::Auto if is_journal(environment.journal_stream) => journal::connect().ok(),
        Form::Auto | Form::Lines | Form::Json => None,
    };
    let is_in_journal = journal.is_some();
    let outlet = journal.map_or(Outlet::Stderr, Outlet::Journal);
    let queue = Queue::start(outlet).map_err(|_| LogError::Thread)?;
    let output: AnyLayer = if is_in_journal {
        Journal(queue.clone()).boxed()
    } else {
        match form {
            Form::Json => json(&queue),
            Form::Auto | Form::Lines => lines(
                &queue,
                std::io::stderr().is_terminal(),
                environment.no_color,
            ),
        }
    };
    tracing_subscriber::registry()
        .with(output)
        .with(filter)
        .try_init()
        .map_err(|_| LogError::Twice)?;
    panic::set_hook(Box::new(of_a_panic));
    Ok(Log(queue))
}

/// The usual hook would write to a standard error that perhaps nobody reads.
fn of_a_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("without a message");
    match panic.location() {
        Some(place) => {
            tracing::error!(target: targets::TROUBLE, "a part broke at {place}: {said}; this is a bug");
        }
        None => tracing::error!(target: targets::TROUBLE, "a part broke: {said}; this is a bug"),
    }
}

/// A bare level is meant for what we say, not for the chatter of libraries. What quinn's socket cannot send is told by
/// the check, in words.
fn of_ours(text: &str) -> Cow<'_, str> {
    match text.trim().parse::<Level>() {
        Ok(level) => Cow::Owned(format!("warn,quinn_udp=error,sitewatch={level}")),
        Err(_) => Cow::Borrowed(text),
    }
}

type AnyLayer = Box<dyn Layer<Registry> + Send + Sync>;

fn json(queue: &Queue) -> AnyLayer {
    let queue = queue.clone();
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_timer(Clock::Utc)
        .log_internal_errors(false)
        .with_writer(move || queue.clone())
        .boxed()
}

fn lines(queue: &Queue, on_terminal: bool, no_color: bool) -> AnyLayer {
    let queue = queue.clone();
    tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(on_terminal && !no_color)
        .with_timer(if on_terminal {
            Clock::Local
        } else {
            Clock::Utc
        })
        .log_internal_errors(false)
        .with_writer(move || queue.clone())
        .boxed()
}

/// Whether stderr is the stream that the journal gave us: the variable alone may be inherited.
fn is_journal(journal_stream: Option<&str>) -> bool {
    let Some((device, inode)) = journal_stream.and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    let Ok(stat) = rustix::fs::fstat(std::io::stderr().as_fd()) else {
        return false;
    };
    device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino)
}

#[derive(Debug, Clone, Copy)]
enum Clock {
    Utc,
    Local,
}

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let now = clock::now();
        match self {
            Self::Utc => write!(writer, "{now}"),
            Self::Local => {
                let local = now.in_zone(&jiff::tz::TimeZone::system());
                write!(writer, "{}", local.strftime("%H:%M:%S%.3f"))
            }
        }
    }
}

/// Whether a text can be `[daemon].log`.
pub fn is_filter(text: &str) -> bool {
    text.parse::<Level>().is_ok() || EnvFilter::builder().parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters_are_understood() {
        assert!(is_filter("info"));
        assert!(is_filter("warn,sitewatch::mail_failed=debug"));
        assert!(!is_filter("info=loud=x"));
    }

    #[test]
    fn a_level_is_for_what_we_say() {
        assert_eq!(of_ours(" debug"), "warn,quinn_udp=error,sitewatch=DEBUG");
        assert_eq!(of_ours("info,hyper=debug"), "info,hyper=debug");
    }

    #[test]
    fn an_inherited_variable_is_no_journal() {
        assert!(!is_journal(None));
        assert!(!is_journal(Some("")));
        assert!(!is_journal(Some("8:1")));
        let stat = rustix::fs::fstat(std::io::stderr().as_fd()).unwrap();
        assert!(is_journal(Some(&format!(
            "{}:{}",
            stat.st_dev, stat.st_ino
        ))));
    }

    #[test]
    fn message_ids_are_128_bits_and_differ() {
        let mut ids: Vec<&str> = targets::MESSAGE_IDS.iter().map(|(_, id)| *id).collect();
        assert!(
            ids.iter()
                .all(|id| id.len() == 32 && u128::from_str_radix(id, 16).is_ok())
        );
        ids.dedup();
        assert_eq!(ids.len(), targets::MESSAGE_IDS.len());
    }
}
