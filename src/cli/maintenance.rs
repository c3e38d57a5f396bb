//! `sitewatch maintenance`: a window from now on, for a time or for as long as a command runs.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::signal::unix::{SignalKind, signal};

use super::context::Context;
use super::control::{self, Selection};
use super::error::{CliError, Outcome};
use crate::clock;
use crate::control::{Answer, Held, Request};
use crate::domain::duration_text::Written;

/// Our own fault, as `env` and `timeout` have it.
pub const OUR_FAULT: u8 = 125;
/// The command cannot be run.
const CANNOT_RUN: u8 = 126;
/// There is no such command.
const NOT_FOUND: u8 = 127;
/// A command that a signal ended ends with this and the signal's number.
const BY_SIGNAL: i32 = 128;

/// How often a daemon that went away is looked for.
const LOOKS_EVERY: Duration = Duration::from_millis(500);

/// After the command exits, this is how long we wait for a daemon that is restarting.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(5);

/// Signals that are passed on to the command.
const PASSED_ON: [(SignalKind, Signal); 6] = [
    (SignalKind::interrupt(), Signal::INT),
    (SignalKind::terminate(), Signal::TERM),
    (SignalKind::hangup(), Signal::HUP),
    (SignalKind::quit(), Signal::QUIT),
    (SignalKind::user_defined1(), Signal::USR1),
    (SignalKind::user_defined2(), Signal::USR2),
];

/// Arguments of `sitewatch maintenance`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "sitewatch maintenance NAME --for TIME [--note TEXT] [-- COMMAND...]\n       \
    sitewatch maintenance NAME --end",
    after_help = "Examples:\n  sitewatch maintenance shop --for 30m --note \"switch firmware\"\n  \
    sitewatch maintenance --tag prod --for 1h -- ./deploy.sh\n  sitewatch maintenance shop --end\n\n\
    With a command the window lasts until the command exits and the first\n\
    good check begun after that, at most --for. It ends with the status of the\n\
    command: 126 if it cannot be run, 127 if there is none, 128+N after signal\n\
    N, 125 for a fault of sitewatch. Without a daemon to talk to the command\n\
    runs all the same, unless --strict."
)]
pub struct Args {
    /// The monitors
    #[command(flatten)]
    pub selection: Selection,
    /// How long the window lasts, at most 30d; with a command, how long at most
    #[arg(
        long = "for",
        value_name = "TIME",
        required_unless_present = "end",
        value_parser = super::options::duration
    )]
    pub time: Option<Duration>,
    /// What is being done, for the others; the page shows it
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// End the windows of this command; those of the configuration stay
    #[arg(long, conflicts_with_all = ["time", "note", "command"])]
    pub end: bool,
    /// With a command: do not run it when no daemon opens the window
    #[arg(long, requires = "command")]
    pub strict: bool,
    /// Run this command, and end the window with it
    #[arg(last = true, value_name = "COMMAND", value_hint = clap::ValueHint::AnyPath)]
    pub command: Vec<OsString>,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    if args.command.is_empty() {
        let request = request(args, false)?;
        return control::ask(context, &request, CliError::Usage);
    }
    match wrap(context, args) {
        Ok(code) => Ok(Outcome::Exit(code)),
        Err(error) => {
            context.out.error(&error.to_string());
            Ok(Outcome::Exit(OUR_FAULT))
        }
    }
}

fn request(args: &Args, held: bool) -> Result<Request, CliError> {
    let which = control::which(&args.selection)?;
    match args.time {
        Some(time) if !args.end => Ok(Request::Maintenance {
            which,
            for_ms: control::milliseconds(time)?,
            note: args.note.clone(),
            held,
        }),
        Some(_) | None => Ok(Request::EndMaintenance { which }),
    }
}

/// Runs the command in a window, or without one; its exit code.
fn wrap(context: &mut Context, args: &Args) -> Result<u8, CliError> {
    let request = request(args, true)?;
    let opened = control::socket(context).and_then(|socket| {
        let opened = Held::open(&socket, &request).map_err(CliError::machine)?;
        Ok((socket, opened))
    });
    let (socket, held) = match opened {
        Ok((socket, Ok((held, lines)))) => {
            for line in lines {
                context.out.note(&line);
            }
            (socket, Some(held))
        }
        Ok((_, Err(Answer::Refused { lines }))) => return Err(CliError::Usage(lines.join("\n"))),
        Ok((_, Err(answer))) => {
            let why = match answer {
                Answer::Failed { lines } => lines.join("; "),
                _ => "the daemon is of another version".to_owned(),
            };
            unheld(context, args, CliError::Machine(why))?
        }
        Err(error) => unheld(context, args, error)?,
    };
    let line = Arc::new(Line::new(socket, held));
    let ended = command(context, &args.command, &line)?;
    if let Some(warning) = line.command_ended() {
        context.out.warning(&warning);
    }
    Ok(ended)
}

/// Without a window: the command runs after a warning, unless it must not.
fn unheld(
    context: &mut Context,
    args: &Args,
    why: CliError,
) -> Result<(PathBuf, Option<Held>), CliError> {
    if args.strict {
        return Err(why);
    }
    let why = why.line();
    context.out.warning(&format!(
        "no maintenance window: {why}; the command runs without one"
    ));
    Ok((PathBuf::new(), None))
}

/// The connection that holds the window, made again when the daemon was restarted.
struct Line {
    socket: PathBuf,
    held: Mutex<Option<Held>>,
    changed: Condvar,
    /// None where there never was a window.
    window: Option<u64>,
}

impl Line {
    fn new(socket: PathBuf, held: Option<Held>) -> Self {
        Self {
            window: held.as_ref().map(|held| held.window),
            held: Mutex::new(held),
            changed: Condvar::new(),
            socket,
        }
    }

    /// Keeps the window for as long as this process lives.
    fn keep(&self) {
        let Some(window) = self.window else { return };
        loop {
            let held = self.current();
            match held {
                Some(held) => held.lost(),
                None => self.rest(),
            }
            match hold_again(&self.socket, window) {
                Ok(Some(held)) => self.set(Some(held)),
                // It is over: there is nothing left to keep.
                Ok(None) => return self.set(None),
                Err(()) => self.set(None),
            }
        }
    }

    fn current(&self) -> Option<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().and_then(|held| held.also().ok())
    }

    fn set(&self, new: Option<Held>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = new;
        self.changed.notify_all();
    }

    /// Waits a moment, or until the connection is there again.
    fn rest(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.changed.wait_timeout(held, LOOKS_EVERY);
    }

    /// Tells the daemon that the command exited; a warning if that was not possible.
    fn command_ended(&self) -> Option<String> {
        let window = self.window?;
        let until = clock::tick() + LAST_WORD_WITHIN;
        loop {
            let told = self
                .current()
                .is_some_and(|held| held.command_ended().is_ok());
            if told {
                return None;
            }
            match hold_again(&self.socket, window) {
                Ok(Some(held)) => self.set(Some(held)),
                Ok(None) => {
                    return Some("the maintenance window was over before the command".to_owned());
                }
                Err(()) if clock::tick() < until => self.rest(),
                Err(()) => {
                    return Some(format!(
                        "no daemon answered within {}: the maintenance window ends half a minute after the daemon starts again",
                        Written(LAST_WORD_WITHIN)
                    ));
                }
            }
        }
    }
}

/// Holds a window again; `Ok(None)` if it is over, an error while no daemon answers.
fn hold_again(socket: &Path, window: u64) -> Result<Option<Held>, ()> {
    match Held::open(socket, &Request::HoldMaintenance { window }) {
        Ok(Ok((held, _))) => Ok(Some(held)),
        Ok(Err(_)) => Ok(None),
        Err(_) => Err(()),
    }
}

/// Runs the command and passes signals on to it; its exit code.
fn command(context: &mut Context, words: &[OsString], line: &Arc<Line>) -> Result<u8, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::Machine(format!("cannot wait for signals: {error}")))?;
    // Before the command runs: a signal that comes from now on is for it.
    let signals = {
        let _inside = runtime.enter();
        let ignored = ignored();
        let signals: io::Result<Vec<_>> = PASSED_ON
            .into_iter()
            .filter(|(_, passed)| !is_in(ignored, *passed))
            .map(|(kind, passed)| Ok((signal(kind)?, passed)))
            .collect();
        signals.map_err(|error| CliError::Machine(format!("cannot wait for signals: {error}")))?
    };
    let mut child = match start(words) {
        Ok(child) => child,
        Err(error) => {
            let shown = words
                .first()
                .map(|word| word.to_string_lossy().into_owned());
            let shown = shown.unwrap_or_default();
            context.out.error(&format!("run `{shown}`: {error}"));
            return Ok(match error.kind() {
                io::ErrorKind::NotFound => NOT_FOUND,
                _ => CANNOT_RUN,
            });
        }
    };
    let keeping = Arc::clone(line);
    // Ends with the process.
    thread::spawn(move || keeping.keep());
    let pid = Pid::from_child(&child);
    runtime.block_on(async move {
        for (mut signals, passed) in signals {
            // The terminal sends these to the command as well.
            let may_be_doubled = matches!(passed, Signal::INT | Signal::QUIT);
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    // Asked each time: a shell moves its jobs to the front and back.
                    if !(may_be_doubled && is_in_front()) {
                        let _ = rustix::process::kill_process(pid, passed);
                    }
                }
            });
        }
        let waited = tokio::task::spawn_blocking(move || child.wait()).await;
        match waited {
            Ok(Ok(status)) => Ok(code(status)),
            Ok(Err(error)) => Err(CliError::Machine(format!("wait for the command: {error}"))),
            Err(_) => Err(CliError::Machine("wait for the command".to_owned())),
        }
    })
}

fn start(words: &[OsString]) -> io::Result<Child> {
    match words.split_first() {
        Some((program, arguments)) => Command::new(program).args(arguments).spawn(),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// The signals that this process was told to ignore, as `nohup` does, a bit each. The command must go on ignoring them,
/// and a handler of ours would end that.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn is_in(mask: u64, signal: Signal) -> bool {
    mask >> (signal.as_raw() - 1) & 1 == 1
}

/// Whether the keyboard's signals reach this process and the command alike.
fn is_in_front() -> bool {
    let group = rustix::process::getpgrp();
    std::fs::File::open("/dev/tty")
        .is_ok_and(|tty| rustix::termios::tcgetpgrp(&tty).is_ok_and(|front| front == group))
}

fn code(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => BY_SIGNAL + signal,
        (None, None) => i32::from(OUR_FAULT),
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_passed_on_and_signals_are_numbers() {
        for exit in 0..=255_i32 {
            let status = ExitStatus::from_raw(exit << 8);
            assert_eq!(i32::from(code(status)), exit);
        }
        assert_eq!(code(ExitStatus::from_raw(9)), 137);
        assert_eq!(code(ExitStatus::from_raw(15)), 143);
    }
}
