//! `sitewatch status --watch`: the table on a screen of its own, drawn again and again until somebody has seen enough.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read as _};
use std::time::Duration;

use rustix::process::{self, Signal as Kind};
use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::context::Context;
use super::error::{CliError, Outcome};
use super::output::Output;
use super::status::{Args, Seen};

/// More often would only make the machine busy.
const EVERY_MIN: Duration = Duration::from_millis(200);

/// The alternate screen, without a cursor.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
/// Back, with the cursor.
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
/// To the first line.
const HOME: &str = "\u{1b}[H";
/// What is left of the line that was there before.
const CLEAR_LINE: &str = "\u{1b}[K";
/// What is left of the picture that was there before.
const CLEAR_BELOW: &str = "\u{1b}[J";

/// Runs it.
///
/// # Errors
/// Without a terminal, or if the first look fails. Later failures are shown in the place of the table.
pub fn run(context: &mut Context, args: &Args, every: Duration) -> Result<Outcome, CliError> {
    if !context.out.screen().is_terminal {
        return Err(CliError::Usage(
            "`--watch` needs a terminal; for a pipe or a file leave it out, for programs use --json".to_owned(),
        ));
    }
    let first = Seen::look(context, args, false)?;
    context.out.silence();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::machine)?;
    runtime.block_on(watch(context, args, every.max(EVERY_MIN), first))?;
    Ok(Outcome::Fine)
}

async fn watch(
    context: &mut Context,
    args: &Args,
    every: Duration,
    first: Seen,
) -> Result<(), CliError> {
    let mut signals = Signals::new().map_err(CliError::machine)?;
    let mut keyboard = Keyboard::open();
    let mut seen = Ok(first);
    context.out.write_str(ENTER)?;
    let result = loop {
        if let Err(error) = draw(context, &seen) {
            break Err(error);
        }
        let event = tokio::select! {
            () = tokio::time::sleep(every) => Event::Time,
            event = signals.next() => event,
            event = Keyboard::next(keyboard.as_mut()) => event,
        };
        match event {
            Event::Time => seen = Seen::look(context, args, false),
            Event::Resized => {}
            Event::End => break Ok(()),
            Event::Suspend => {
                if let Err(error) = suspend(&mut context.out, keyboard.as_ref()) {
                    break Err(error);
                }
            }
        }
    };
    // The terminal may be gone: then nothing is left to be put in order.
    let _ = context.out.write_str(LEAVE);
    let _ = context.out.flush();
    drop(keyboard);
    result?;
    // What was seen last stays.
    if let Ok(seen) = &seen {
        let screen = context.out.screen();
        let rows = context.out.measure(&context.environment);
        seen.draw(screen, rows, &mut context.out)?;
    }
    Ok(context.out.flush()?)
}

fn draw(context: &mut Context, seen: &Result<Seen, CliError>) -> Result<(), CliError> {
    let rows = context.out.measure(&context.environment);
    let screen = context.out.screen();
    let mut picture = String::new();
    match seen {
        // The last line of the screen stays empty: a line break there would move everything up.
        Ok(seen) => seen.draw(screen, rows.saturating_sub(1), &mut picture)?,
        Err(error) => writeln!(picture, "{}", screen.broken(&error.to_string()))?,
    }
    context.out.write_str(HOME)?;
    for line in picture.lines().take(rows.saturating_sub(1)) {
        write!(context.out, "{line}{CLEAR_LINE}\r\n")?;
    }
    context.out.write_str(CLEAR_BELOW)?;
    Ok(context.out.flush()?)
}

/// Stops this process as Ctrl-Z does, with the terminal in order meanwhile.
fn suspend(out: &mut Output, keyboard: Option<&Keyboard>) -> Result<(), CliError> {
    out.write_str(LEAVE)?;
    out.flush()?;
    if let Some(keyboard) = keyboard {
        keyboard.restore();
    }
    process::kill_process(process::getpid(), Kind::STOP).map_err(CliError::machine)?;
    if let Some(keyboard) = keyboard {
        keyboard.quiet();
    }
    out.write_str(ENTER)?;
    Ok(())
}

enum Event {
    Time,
    Resized,
    Suspend,
    End,
}

struct Signals {
    ends: [Signal; 4],
    resized: Signal,
    suspend: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            ends: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::quit())?,
            ],
            resized: signal(SignalKind::window_change())?,
            suspend: signal(SignalKind::from_raw(Kind::TSTP.as_raw()))?,
        })
    }

    async fn next(&mut self) -> Event {
        let [interrupt, terminate, hangup, quit] = &mut self.ends;
        tokio::select! {
            _ = interrupt.recv() => Event::End,
            _ = terminate.recv() => Event::End,
            _ = hangup.recv() => Event::End,
            _ = quit.recv() => Event::End,
            _ = self.resized.recv() => Event::Resized,
            _ = self.suspend.recv() => Event::Suspend,
        }
    }
}

/// The terminal's keys, one by one and not echoed while this lives.
struct Keyboard {
    /// Something was typed that ends the picture.
    ended: UnboundedReceiver<()>,
    before: Termios,
}

impl Keyboard {
    /// `None` if standard input is no terminal: then only signals end the picture.
    fn open() -> Option<Self> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let before = termios::tcgetattr(io::stdin()).ok()?;
        let (ends, ended) = mpsc::unbounded_channel();
        // It reads until it is answered or the process ends: a read of a terminal cannot be broken off otherwise.
        std::thread::Builder::new()
            .spawn(move || {
                let mut keys = [0; 64];
                loop {
                    let read = io::stdin().lock().read(&mut keys).unwrap_or(0);
                    let is_end = |key: &u8| b"qQ\x04".contains(key);
                    if read == 0 || keys.iter().take(read).any(is_end) {
                        // Nobody listens any more once the picture is closed.
                        let _ = ends.send(());
                        return;
                    }
                }
            })
            .ok()?;
        let keyboard = Self { ended, before };
        keyboard.quiet();
        Some(keyboard)
    }

    fn quiet(&self) {
        let mut modes = self.before.clone();
        modes
            .local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        // If the terminal refuses, keys are only seen after Return.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }

    fn restore(&self) {
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }

    async fn next(keyboard: Option<&mut Self>) -> Event {
        let Some(keyboard) = keyboard else {
            return std::future::pending().await;
        };
        keyboard.ended.recv().await;
        Event::End
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.restore();
    }
}
