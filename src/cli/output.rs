//! The one file that prints: results to standard output, messages to standard error.

use std::fmt;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::time::Duration;

use crate::config::Environment;
use crate::daemon::logging;
use crate::domain::safe_text;
use crate::view::terminal::{Screen, Tone};

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
#[expect(missing_docs, reason = "clap would print them as a list of their own")]
pub enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

/// Terminals that report no width, and widths nobody has.
const COLUMNS_DEFAULT: u16 = 80;
const COLUMNS_MIN: u16 = 20;
const ROWS_DEFAULT: u16 = 24;

/// A daemon that ends waits this long for somebody to read its last message.
const LAST_MESSAGE_WITHIN: Duration = Duration::from_millis(500);

/// Standard output and standard error, each with what it can show.
///
/// Write results with `write!` (it is a [`fmt::Write`]); messages with [`Output::note`] and [`Output::warning`].
pub struct Output {
    out: Box<dyn Write>,
    screen: Screen,
    messages: Screen,
    failure: Option<io::Error>,
    waits_for_readers: bool,
    is_silent: bool,
}

impl Output {
    /// The streams of this process; each is judged by itself.
    pub fn of_process(colour: Colour, environment: &Environment) -> Self {
        let stdout = io::stdout();
        let screen = screen_of(colour, environment, stdout.is_terminal(), || {
            rustix::termios::tcgetwinsize(io::stdout())
                .map(|size| size.ws_col)
                .ok()
        });
        let messages = screen_of(colour, environment, io::stderr().is_terminal(), || {
            rustix::termios::tcgetwinsize(io::stderr())
                .map(|size| size.ws_col)
                .ok()
        });
        Self {
            out: Box::new(BufWriter::with_capacity(64 * 1024, stdout)),
            screen,
            messages,
            failure: None,
            waits_for_readers: true,
            is_silent: false,
        }
    }

    /// For a daemon: writing never waits, even if nobody reads.
    pub fn wait_for_no_reader(&mut self) {
        self.waits_for_readers = false;
    }

    /// Waits for a time, and says whether the reader of standard output is gone by then.
    pub fn wait(&self, time: std::time::Duration) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let stdout = rustix::stdio::stdout();
        let mut places = [PollFd::new(&stdout, PollFlags::empty())];
        let time = Timespec::try_from(time).unwrap_or_default();
        // A signal ends the wait early, which does no harm.
        let _ = poll(&mut places, Some(&time));
        places[0]
            .revents()
            .intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL)
    }

    /// From here on no messages are printed: somebody types, or looks at a picture that they would break.
    pub fn silence(&mut self) {
        self.is_silent = true;
    }

    /// Measures the terminal again, whose window may have another size now; answers its rows.
    pub fn measure(&mut self, environment: &Environment) -> usize {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let columns = || size.map(|size| size.ws_col);
        self.screen.columns = columns_of(environment, self.screen.is_terminal, columns);
        let rows = size.map_or(0, |size| size.ws_row);
        usize::from(if rows == 0 { ROWS_DEFAULT } else { rows })
    }

    /// The screen of standard output.
    pub const fn screen(&self) -> Screen {
        self.screen
    }

    /// The screen of standard error.
    pub const fn message_screen(&self) -> Screen {
        self.messages
    }

    /// Sends what was written so far: for results that come one by one.
    ///
    /// # Errors
    /// If standard output takes no more.
    pub fn flush(&mut self) -> io::Result<()> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    /// Prints a message that is not a result: one line on standard error.
    pub fn note(&mut self, message: &str) {
        self.message(message);
    }

    /// Prints a warning.
    pub fn warning(&mut self, message: &str) {
        let label = self.messages.paint(Tone::Warning, "warning:").into_owned();
        self.message(&format!("{label} {message}"));
    }

    /// Prints why the command failed.
    pub fn error(&mut self, message: &str) {
        let label = self.messages.paint(Tone::Bad, "error:").into_owned();
        self.message(&format!("{label} {message}"));
    }

    /// Text for standard error that has its own form (help, diagnostics with carets).
    pub fn message(&mut self, text: &str) {
        if self.is_silent {
            return;
        }
        // Results come before the messages that follow them, also where both are one terminal.
        let _ = self.out.flush();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        if !self.waits_for_readers {
            logging::say_within(format!("{text}{end}"), LAST_MESSAGE_WITHIN);
            return;
        }
        let mut stderr = io::stderr().lock();
        // Nobody is left to tell when standard error is closed.
        let _ = write!(stderr, "{text}{end}");
    }

    /// The cause of the last [`fmt::Error`] that writing gave.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.failure = Some(error);
            fmt::Error
        })
    }
}

/// Whether an error only means that the reader closed the pipe.
pub fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == ErrorKind::BrokenPipe
}

/// One safe line of a text that came from outside, for a message.
pub fn quoted(raw: &str) -> String {
    safe_text::line(raw, 200).into_owned()
}

fn screen_of(
    colour: Colour,
    environment: &Environment,
    is_terminal: bool,
    columns: impl FnOnce() -> Option<u16>,
) -> Screen {
    let dumb = environment.get("TERM") == Some("dumb");
    let forced = ["CLICOLOR_FORCE", "FORCE_COLOR"]
        .iter()
        .any(|name| environment.get(name).is_some_and(|value| value != "0"));
    let by_itself = (is_terminal || forced) && environment.get("NO_COLOR").is_none() && !dumb;
    Screen {
        columns: columns_of(environment, is_terminal, columns),
        is_terminal,
        colour: match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => by_itself,
        },
        unicode: !is_terminal || (!dumb && speaks_utf8(environment)),
    }
}

/// The width that `COLUMNS` asks for, else the terminal's; `None` for a file or a pipe: as wide as a table needs.
fn columns_of(
    environment: &Environment,
    is_terminal: bool,
    of_terminal: impl FnOnce() -> Option<u16>,
) -> Option<u16> {
    let asked = environment
        .get("COLUMNS")
        .and_then(|value| value.parse().ok())
        .filter(|columns| *columns > 0);
    let columns = match (asked, is_terminal) {
        (None, false) => return None,
        (Some(asked), _) => asked,
        (None, true) => of_terminal()
            .filter(|columns| *columns > 0)
            .unwrap_or(COLUMNS_DEFAULT),
    };
    Some(columns.max(COLUMNS_MIN))
}

/// By POSIX: the first of LC_ALL, LC_CTYPE and LANG that is set decides. None set (a container): yes.
fn speaks_utf8(environment: &Environment) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| environment.get(name))
        .is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(colour: Colour, terminal: bool, variables: &[(&str, &str)]) -> Screen {
        let environment = Environment {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Environment::default()
        };
        screen_of(colour, &environment, terminal, || Some(120))
    }

    #[test]
    fn colour_and_width_follow_the_terminal_and_the_user() {
        let plain = screen(Colour::Auto, false, &[]);
        assert_eq!((plain.columns, plain.colour), (None, false));
        let asked = screen(Colour::Auto, false, &[("COLUMNS", "100")]);
        assert_eq!((asked.columns, asked.colour), (Some(100), false));
        let seen = screen(Colour::Auto, true, &[]);
        assert_eq!((seen.columns, seen.colour), (Some(120), true));
        assert!(!screen(Colour::Auto, true, &[("NO_COLOR", "1")]).colour);
        assert!(!screen(Colour::Auto, true, &[("TERM", "dumb")]).colour);
        assert!(screen(Colour::Always, false, &[("NO_COLOR", "1")]).colour);
        assert!(screen(Colour::Auto, false, &[("FORCE_COLOR", "1")]).colour);
        assert!(!screen(Colour::Never, true, &[("FORCE_COLOR", "1")]).colour);
        assert_eq!(
            screen(Colour::Auto, true, &[("COLUMNS", "1")]).columns,
            Some(20)
        );
        assert!(!screen(Colour::Auto, true, &[("LANG", "C")]).unicode);
        assert!(screen(Colour::Auto, true, &[("LANG", "en_US.UTF-8")]).unicode);
    }
}
