//! The control socket's language and its client: one request a line, one answer a line, JSON both.
//!
//! The daemon serves it, every command that changes state speaks it. Requests carry no paths: the
//! daemon reads its own file.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::monitor::MonitorName;
use crate::domain::timestamp::Timestamp;

/// A request is a handful of names; more is a mistake or mischief.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;

/// An answer lists at most what a reload of 100 000 monitors changed.
pub const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// The line that a wrapper sends on its connection when the command exits.
pub const COMMAND_ENDED: &[u8] = b"{\"ended\":true}\n";

/// Longest window that can be ordered.
pub const WINDOW_MAX: Duration = Duration::from_secs(30 * 86_400);

/// A reload of 100 000 monitors takes seconds, a test mail at most `[email].timeout`.
const ANSWER_WAIT: Duration = Duration::from_secs(180);

/// A healthy daemon says how it is at once; whoever asks wants to know soon that it hangs.
pub const STATUS_WAIT: Duration = Duration::from_secs(2);

/// What a command asks of the running daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the daemon is doing.
    Status,
    /// Read the configuration again and go on with it if it is valid.
    Reload {
        /// Take lists that are shorter than `keep_at_least` allows.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        accept_lists: bool,
    },
    /// Check now, beside the grid, and say what came out.
    Recheck {
        /// The monitors that are meant.
        which: Which,
    },
    /// Stop checking.
    Pause {
        /// The monitors that are meant.
        which: Which,
    },
    /// Check again.
    Resume {
        /// The monitors that are meant.
        which: Which,
    },
    /// Mail nothing until then.
    Mute {
        /// The monitors that are meant.
        which: Which,
        /// For how long, in milliseconds.
        for_ms: u64,
    },
    /// Mail again.
    Unmute {
        /// The monitors that are meant.
        which: Which,
    },
    /// Somebody has seen the outage: rest the reminders.
    Ack {
        /// The monitors that are meant.
        which: Which,
        /// For how long, in milliseconds; none: until it is up again.
        for_ms: Option<u64>,
        /// A word for the others.
        note: Option<String>,
    },
    /// Open maintenance windows.
    Maintenance {
        /// The monitors that are meant.
        which: Which,
        /// For how long at most, in milliseconds.
        for_ms: u64,
        /// A word for the others.
        note: Option<String>,
        /// They end with a command: this connection stays open while it runs. See [`Held`].
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
    },
    /// End the windows that were opened by order.
    EndMaintenance {
        /// The monitors that are meant.
        which: Which,
    },
    /// The command of a window still runs: hold the window by this connection from now on, after a restart.
    HoldMaintenance {
        /// The window's number.
        window: u64,
    },
    /// Make an incident count otherwise.
    Amend {
        /// Its id, or a monitor's name for its open or else newest one.
        incident: String,
        /// `maintenance`, `false-alarm` or `real`.
        counts_as: String,
        /// The reason that was given, for the others.
        note: Option<String>,
    },
    /// Take the amendment of an incident back that is in force.
    UndoAmend {
        /// See [`Request::Amend`].
        incident: String,
    },
    /// Add a note to an incident.
    Note {
        /// See [`Request::Amend`].
        incident: String,
        /// One line.
        text: String,
        /// Whether everybody may read it.
        public: bool,
    },
    /// Send a test mail now and say what the server answered.
    EmailTest {
        /// To whom; empty: `[email].to`.
        to: Vec<String>,
    },
    /// Send a test message by a channel now and say what the service answered.
    ChannelTest {
        /// Its name.
        name: String,
    },
    /// Try all unsent mails now, the failed ones too.
    EmailRetry,
}

impl Request {
    /// The command's word, for the log.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Reload { .. } => "reload",
            Self::Recheck { .. } => "recheck",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Mute { .. } => "mute",
            Self::Unmute { .. } => "unmute",
            Self::Ack { .. } => "ack",
            Self::Maintenance { .. }
            | Self::EndMaintenance { .. }
            | Self::HoldMaintenance { .. } => "maintenance",
            Self::Amend { .. } | Self::UndoAmend { .. } => "amend",
            Self::Note { .. } => "note",
            Self::EmailTest { .. } => "email test",
            Self::ChannelTest { .. } => "channel test",
            Self::EmailRetry => "email retry",
        }
    }
}

/// The monitors that a request is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Every one.
    All,
    /// These; a name that is not known fails the whole request, nothing is done.
    Named(Vec<MonitorName>),
    /// Those that have any of these tags; a tag that none has fails the whole request.
    Tagged(Vec<String>),
}

/// What the daemon says to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It is done; what to tell the person, a line each.
    Done {
        /// Lines for stdout.
        lines: Vec<String>,
    },
    /// It was tried and did not work; exit status 1.
    Failed {
        /// Lines for stderr.
        lines: Vec<String>,
    },
    /// The request or the configuration is wrong, nothing was changed; exit status 2.
    Refused {
        /// Lines for stderr.
        lines: Vec<String>,
    },
    /// A window is open for as long as this connection is, and until the line [`COMMAND_ENDED`] comes.
    Held {
        /// The window's number.
        window: u64,
        /// Lines for the person.
        lines: Vec<String>,
    },
    /// How the daemon is doing.
    Daemon(Box<DaemonStatus>),
}

/// What `status` says of the daemon beside the monitors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// When it started, by the clock of that moment.
    pub started_at: Timestamp,
    /// How long it has been up, whatever the clock did since; none: an older daemon, which does not say.
    #[serde(default)]
    pub up_s: Option<u64>,
    /// The configuration in force.
    pub config: PathBuf,
    /// The database that it names.
    #[serde(default)]
    pub database: PathBuf,
    /// That files of it were taken away, while they are.
    #[serde(default)]
    pub files: Option<String>,
    /// When that was read.
    pub configured_at: Timestamp,
    /// Monitors scheduled.
    pub monitors: u64,
    /// Checks on their way.
    pub in_flight: u64,
    /// Checks begun since the start.
    pub checks: u64,
    /// Slots missed since the start.
    pub missed: u64,
    /// Whether no check was later than its interval within the last minute.
    pub on_time: bool,
    /// Mails that have not left.
    pub mails_waiting: u64,
    /// Those of them that wait for the opening hours of their recipients.
    #[serde(default)]
    pub mails_for_hours: u64,
    /// Whether there is a way to send mail at all.
    pub mails: bool,
    /// Why no mail leaves, while the mail server refuses all of it.
    #[serde(default)]
    pub mail_pause: Option<String>,
    /// What keeps single mails, or all of them for a moment, a sentence each.
    #[serde(default)]
    pub mail_rests: Vec<String>,
    /// That we are offline, while we are.
    #[serde(default)]
    pub blind: Option<String>,
    /// Lines that the log lost since the start, since nobody read it.
    #[serde(default)]
    pub log_lines_lost: u64,
    /// Why this hub tells nothing, while another one leads or it is not known which.
    #[serde(default)]
    pub lease: Option<String>,
    /// That the pings of the heartbeat are not heard, while they are not.
    #[serde(default)]
    pub heartbeat: Option<String>,
    /// What is worth knowing of it and is no trouble, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What is wrong with the daemon itself, a sentence each.
    pub troubles: Vec<String>,
    /// The one line of the unit's status.
    pub line: String,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nothing is listening there.
    #[error("no daemon is running: nothing listens on {}; start it with `sitewatch run` or `systemctl start sitewatch`", path.display())]
    NoDaemon {
        /// The socket.
        path: PathBuf,
    },
    /// The socket's mode is not for us.
    #[error("permission denied on {}: run it with sudo, or join the group of the socket (`sudo adduser $USER sitewatch`) and log in again", path.display())]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// The connection broke.
    #[error("cannot talk to the daemon on {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon ended, or closed the line, before it answered.
    #[error("the daemon closed the connection without an answer; its log says why")]
    NoAnswer,
    /// Nothing came in time.
    #[error("the daemon did not answer within {} s; its log says what it is at", after.as_secs())]
    Late {
        /// How long was waited.
        after: Duration,
    },
    /// An answer of another version.
    #[error("the daemon's answer is not understood ({0}); is it of another version?")]
    Garbled(serde_json::Error),
}

/// Asks the daemon behind `socket` and waits for its answer.
///
/// # Errors
/// When no daemon is there, the socket is not for us, or no answer comes.
pub fn ask(socket: &Path, request: &Request) -> Result<Answer, ControlError> {
    ask_within(socket, request, ANSWER_WAIT)
}

/// [`ask`], for a request that takes no time: a daemon that is silent for longer than `wait` hangs.
///
/// # Errors
/// As [`ask`].
pub fn ask_within(
    socket: &Path,
    request: &Request,
    wait: Duration,
) -> Result<Answer, ControlError> {
    let stream = connect(socket, wait)?;
    exchange(socket, &stream, &line(request), wait)
}

fn connect(socket: &Path, wait: Duration) -> Result<UnixStream, ControlError> {
    let path = || socket.to_owned();
    let stream = UnixStream::connect(socket).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ControlError::NoDaemon { path: path() }
        }
        io::ErrorKind::PermissionDenied => ControlError::NotAllowed { path: path() },
        _ => ControlError::Io {
            path: path(),
            source,
        },
    })?;
    stream
        .set_read_timeout(Some(wait))
        .and_then(|()| stream.set_write_timeout(Some(wait)))
        .map_err(|source| ControlError::Io {
            path: path(),
            source,
        })?;
    Ok(stream)
}

fn exchange(
    socket: &Path,
    stream: &UnixStream,
    request: &[u8],
    wait: Duration,
) -> Result<Answer, ControlError> {
    let mut stream = stream;
    let broken = |source: io::Error| match source.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ControlError::Late { after: wait },
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ControlError::NoAnswer,
        _ => ControlError::Io {
            path: socket.to_owned(),
            source,
        },
    };
    stream.write_all(request).map_err(broken)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX))
        .read_until(b'\n', &mut answer)
        .map_err(broken)?;
    if !answer.ends_with(b"\n") {
        return Err(ControlError::NoAnswer);
    }
    serde_json::from_slice(&answer).map_err(ControlError::Garbled)
}

/// A connection that holds a maintenance window open.
#[derive(Debug)]
pub struct Held {
    stream: UnixStream,
    /// The window's number.
    pub window: u64,
}

impl Held {
    /// Opens windows that last as long as the connection, or holds one again after the daemon was restarted. Where the
    /// daemon answers anything else, that answer.
    ///
    /// # Errors
    /// As [`ask`].
    pub fn open(
        socket: &Path,
        request: &Request,
    ) -> Result<Result<(Self, Vec<String>), Answer>, ControlError> {
        let stream = connect(socket, ANSWER_WAIT)?;
        match exchange(socket, &stream, &line(request), ANSWER_WAIT)? {
            Answer::Held { window, lines } => Ok(Ok((Self { stream, window }, lines))),
            other => Ok(Err(other)),
        }
    }

    /// Waits until the daemon closes the connection: it ends, or was killed.
    pub fn lost(&self) {
        let _ = self.stream.set_read_timeout(None);
        let mut rest = [0; 64];
        while matches!((&self.stream).read(&mut rest), Ok(read) if read > 0) {}
    }

    /// A second handle of the same connection.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn also(&self) -> io::Result<Self> {
        Ok(Self {
            stream: self.stream.try_clone()?,
            window: self.window,
        })
    }

    /// Says that the command exited.
    ///
    /// # Errors
    /// When the daemon is gone.
    pub fn command_ended(&self) -> io::Result<()> {
        (&self.stream).write_all(COMMAND_ENDED)
    }
}

/// A request or answer as one line of JSON with its line feed.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec(value).expect("requests and answers are plain structs with string keys");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    fn answered_with(bytes: &'static [u8]) -> Result<Answer, ControlError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            BufReader::new(&stream).read_line(&mut request).unwrap();
            (&stream).write_all(bytes).unwrap();
            request
        });
        let answer = ask(&path, &Request::Pause { which: Which::All });
        assert_eq!(
            server.join().unwrap(),
            "{\"command\":\"pause\",\"which\":\"all\"}\n"
        );
        answer
    }

    #[test]
    fn an_answer_comes_back() {
        let answer = answered_with(b"{\"answer\":\"done\",\"lines\":[\"3 monitors paused\"]}\n");
        let expected = Answer::Done {
            lines: vec!["3 monitors paused".into()],
        };
        assert_eq!(answer.unwrap(), expected);
    }

    #[test]
    fn half_an_answer_is_none() {
        let error = answered_with(b"{\"answer\":").unwrap_err();
        assert!(matches!(error, ControlError::NoAnswer), "{error}");
        let error = answered_with(b"hello\n").unwrap_err();
        assert!(matches!(error, ControlError::Garbled(_)), "{error}");
    }

    #[test]
    fn a_daemon_that_hangs_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let error = ask_within(&path, &Request::Status, Duration::from_millis(20)).unwrap_err();
        assert!(matches!(error, ControlError::Late { .. }), "{error}");
        drop(listener);
    }

    #[test]
    fn nobody_there_says_what_to_do() {
        let error = ask(
            Path::new("/nonexistent/control.sock"),
            &Request::Reload {
                accept_lists: false,
            },
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no daemon is running: nothing listens on /nonexistent/control.sock; start it with \
             `sitewatch run` or `systemctl start sitewatch`"
        );
    }
}
