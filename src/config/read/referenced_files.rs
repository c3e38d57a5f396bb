//! The files that a configuration names: passwords, certificates, bodies.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::reader::Reading;
use super::table::{Placed, Table, Text};
use crate::config::diagnostic::problem::Fault;
use crate::config::diagnostic::source_map::Place;
use crate::config::environment::Environment;
use crate::config::syntax::odd_characters;
use crate::domain::certificates;
use crate::domain::safe_text;
use crate::domain::secret::Secret;

/// A password or a token is one line.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// More than every trust store there is.
const PEM_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A template is rendered to at most 256 KiB.
pub(super) const TEMPLATE_BYTES_MAX: u64 = 256 * 1024;
/// A request body is sent with every check.
const BODY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A program that writes a configuration into a pipe may ask for a password first; nobody waits longer for it.
const PIPE_SILENT_MAX: Duration = Duration::from_secs(60);

/// What is shown of where a link leads.
const LINK_CHARS_MAX: usize = 200;

/// Whether a pipe is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Pipes {
    /// `--config /dev/stdin` and `--config <(..)`. A FIFO in a folder is still refused: it may wait for ever.
    Read,
    /// Only regular files.
    Refused,
}

/// Reads a file of at most `max` bytes. Nothing but a file is opened, so that nothing is waited for.
pub(in crate::config) fn read(path: &Path, max: u64, pipes: Pipes) -> Result<Vec<u8>, String> {
    let open = || -> io::Result<Result<Vec<u8>, String>> {
        // Opening some devices does something by itself.
        if let Err(why) = may_be_read(path, &std::fs::metadata(path)?, pipes) {
            return Ok(Err(why));
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let metadata = file.metadata()?;
        if let Err(why) = may_be_read(path, &metadata, pipes) {
            return Ok(Err(why));
        }
        let mut bytes = Vec::new();
        match metadata.file_type().is_fifo() {
            true => match read_pipe(&file, max, PIPE_SILENT_MAX, &mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Ok(Err(format!(
                        "it is a pipe, and nothing came through it for {} seconds",
                        PIPE_SILENT_MAX.as_secs()
                    )));
                }
                read => read?,
            },
            false => {
                file.take(max + 1).read_to_end(&mut bytes)?;
            }
        }
        if bytes.len() as u64 > max {
            return Ok(Err(format!("it is larger than {max} bytes")));
        }
        Ok(Ok(bytes))
    };
    open().unwrap_or_else(|error| match std::fs::read_link(path) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => Err(format!(
            "it is a link to `{}`, which is not there",
            safe_text::line(&target.to_string_lossy(), LINK_CHARS_MAX)
        )),
        Ok(_) | Err(_) => Err(reason(&error)),
    })
}

/// Reads a pipe to its end, but waits only so long for each piece: a service must not wait for ever.
fn read_pipe(file: &File, max: u64, silent_max: Duration, bytes: &mut Vec<u8>) -> io::Result<()> {
    let timeout = rustix::time::Timespec {
        tv_sec: i64::try_from(silent_max.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: silent_max.subsec_nanos().into(),
    };
    let mut piece = vec![0; 64 * 1024];
    while bytes.len() as u64 <= max {
        let mut waiting = [PollFd::new(file, PollFlags::IN)];
        match rustix::event::poll(&mut waiting, Some(&timeout)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut reader = file;
        match reader.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Why something is no file to read.
fn may_be_read(path: &Path, metadata: &Metadata, pipes: Pipes) -> Result<(), String> {
    let kind = metadata.file_type();
    let is_own_descriptor = path.starts_with("/dev") || path.starts_with("/proc");
    let is_null = kind.is_char_device() && path == Path::new("/dev/null");
    let is_own_pipe = kind.is_fifo() && pipes == Pipes::Read && is_own_descriptor;
    let what = if kind.is_file() || is_null || is_own_pipe {
        return Ok(());
    } else if kind.is_dir() {
        return Err("it is a directory".to_owned());
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(format!("it is {what}, and a regular file is needed"))
}

/// Why the system refuses, without its error number.
pub(in crate::config) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => {
            let text = error.to_string();
            let without_number = text.split(" (os error").next().unwrap_or_default();
            without_number.to_lowercase()
        }
    }
}

/// Whether everybody on the machine may read a file.
pub(super) fn everybody_reads(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
}

/// A path of the configuration in full: relative ones are relative to the file that names them.
pub(in crate::config) fn resolve(directory: &Path, written: &str) -> PathBuf {
    let path = directory.join(written);
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// The fault of a path with a control character: `"C:\new"` holds a line break.
pub(in crate::config) fn escaped(text: &Text<'_>) -> Option<Fault> {
    let (at, c) = text.value.char_indices().find(|(_, c)| c.is_control())?;
    let what = match c {
        '\n' => "a line break (`\\n`)",
        '\t' => "a tab (`\\t`)",
        '\r' => "a carriage return (`\\r`)",
        '\u{8}' => "a backspace (`\\b`)",
        '\u{c}' => "a form feed (`\\f`)",
        '\u{1b}' => "an escape character (`\\e`)",
        _ => "a control character",
    };
    let label = match text.came_by_name {
        true => "look at the value of the variable",
        false => "a backslash in double quotes begins an escape: put the path in single quotes",
    };
    let place = text.part(Some(at..at + c.len_utf8()));
    Some(Fault::new(
        place,
        format!("there is {what} in this path"),
        label,
    ))
}

impl Reading<'_> {
    /// The path that a key gives.
    pub(in crate::config) fn path(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
    ) -> Option<Placed<PathBuf>> {
        let found = table.get(key)?;
        let text = self.text(found, "a path")?;
        if text.value.is_empty() {
            return None;
        }
        if let Some(fault) = escaped(&text) {
            if !text.inherited {
                self.fault(fault);
            }
            return None;
        }
        let directory = self.directory_of(found.place.file).to_owned();
        Some(Placed {
            it: resolve(&directory, &text.value),
            place: text.place,
            inherited: text.inherited,
        })
    }

    /// The content of the file that a key names; each file is read once.
    pub(in crate::config) fn content(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
        max: u64,
    ) -> Option<Placed<(PathBuf, Arc<[u8]>)>> {
        let Placed {
            it: path,
            place,
            inherited,
        } = self.path(table, key)?;
        let content = self
            .contents
            .entry(path.clone())
            .or_insert_with(|| read(&path, max, Pipes::Refused).map(Arc::from))
            .clone();
        match content {
            Ok(bytes) => Some(Placed {
                it: (path, bytes),
                place,
                inherited,
            }),
            Err(why) => {
                if !inherited {
                    let is_relative = table.get(key).is_some_and(|found| {
                        !found
                            .value
                            .as_str()
                            .unwrap_or_default()
                            .starts_with(['/', '$'])
                    });
                    let written = table.get(key).and_then(|found| found.value.as_str());
                    let odd = written.and_then(odd_characters::first_invisible);
                    let label = match odd {
                        Some((_, odd)) => format!("it has {} in it: {}", odd.name(), odd.advice()),
                        None if is_relative && why.starts_with("there is no") => {
                            "relative paths are relative to this file".to_owned()
                        }
                        None => String::new(),
                    };
                    // What came by `${NAME}` is not for every log.
                    let shown = match written.filter(|written| written.contains("${")) {
                        Some(written) => written.to_owned(),
                        None => path.display().to_string(),
                    };
                    self.fault(Fault::new(
                        place,
                        format!("cannot read `{shown}`: {why}"),
                        label,
                    ));
                }
                None
            }
        }
    }

    /// The secret that a key's file holds, without the line break at its end.
    pub(in crate::config) fn secret_file(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
    ) -> Option<Secret> {
        let Placed {
            it: (path, bytes),
            place,
            inherited,
        } = self.content(table, key, SECRET_BYTES_MAX)?;
        match secret(&bytes) {
            Ok(secret) => {
                if !inherited && everybody_reads(&path) {
                    self.warn(
                        place,
                        format!(
                            "`{0}` holds a secret and is world-readable; run `chmod 640 {0}`",
                            path.display()
                        ),
                    );
                }
                Some(secret)
            }
            Err(why) => {
                if !inherited {
                    self.fault(Fault::new(place, format!("`{}` {why}", path.display()), ""));
                }
                None
            }
        }
    }

    /// A secret that stands in the configuration itself, or came by `${NAME}`.
    pub(super) fn secret_text(&mut self, table: &Table<'_>, key: &'static str) -> Option<Secret> {
        let text = self.some_text(table, key)?;
        if !text.came_by_name && !text.inherited {
            self.literal_secrets.push((text.place, key));
        }
        Some(Secret::new(text.value.as_ref()))
    }

    /// The certificates that a key's file holds, PEM.
    pub(in crate::config) fn certificates(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
    ) -> Option<Arc<[u8]>> {
        let Placed {
            it: (path, bytes),
            place,
            inherited,
        } = self.content(table, key, PEM_BYTES_MAX)?;
        let why = match certificates::of_file(&bytes) {
            Ok(_) => return Some(bytes),
            Err(why) => why,
        };
        if !inherited {
            self.fault(Fault::new(
                place,
                format!("`{}` {why}", path.display()),
                "a file with -----BEGIN CERTIFICATE----- is needed",
            ));
        }
        None
    }

    /// The private key that a key's file holds, PEM.
    pub(super) fn private_key(&mut self, table: &Table<'_>, key: &'static str) -> Option<Secret> {
        let Placed {
            it: (path, bytes),
            place,
            inherited,
        } = self.content(table, key, PEM_BYTES_MAX)?;
        let text = std::str::from_utf8(&bytes).ok();
        match text.filter(|_| PrivateKeyDer::from_pem_slice(&bytes).is_ok()) {
            Some(pem) => Some(Secret::new(pem)),
            None => {
                if !inherited {
                    self.fault(Fault::new(
                        place,
                        format!("`{}` holds no private key in PEM", path.display()),
                        "a file with -----BEGIN PRIVATE KEY-----, not encrypted, is needed",
                    ));
                }
                None
            }
        }
    }

    /// The request body that a key's file holds.
    pub(in crate::config) fn body_file(
        &mut self,
        table: &Table<'_>,
        key: &'static str,
    ) -> Option<Arc<[u8]>> {
        self.content(table, key, BODY_BYTES_MAX)
            .map(|content| content.it.1)
    }

    /// What is said of secrets in clear that everybody may read: one word per file.
    pub(in crate::config) fn warn_of_literal_secrets(&mut self) {
        let secrets = std::mem::take(&mut self.literal_secrets);
        let mut warned: Vec<PathBuf> = Vec::new();
        for (place, key) in secrets {
            let Some(source) = self.sources.get(place.file as usize) else {
                continue;
            };
            if warned.contains(&source.path) || !everybody_reads(&source.path) {
                continue;
            }
            warned.push(source.path.clone());
            let message = format!(
                "a secret (`{key}`) is in a world-readable file; \
                 write \"${{NAME}}\" or a file's name instead, or run `chmod 640 {}`",
                source.shown
            );
            self.warnings.push((Some(place), message));
        }
    }
}

/// The secret in a file: its text without the line break at the end.
pub(in crate::config) fn secret(bytes: &[u8]) -> Result<Secret, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.trim_end_matches(['\n', '\r']);
    match text {
        "" => Err("is empty".to_owned()),
        text if text.contains(['\n', '\r', '\0']) => Err("holds more than one line".to_owned()),
        text => Ok(Secret::new(text)),
    }
}

/// Where the unit's `LoadCredential=smtp-password:sitewatch.smtp-password` finds it (systemd.exec(5)), in this order.
const CREDENTIAL_STORES: [&str; 3] = ["/etc/credstore", "/run/credstore", "/usr/lib/credstore"];

/// The systemd credential `smtp-password`, where there is one: the service's own; for the machine's file in a shell,
/// what the service would be given, so that `config check` judges as the service will.
pub(super) fn smtp_credential(
    environment: &Environment,
    of_machine: bool,
) -> Option<(PathBuf, Result<Secret, String>)> {
    match environment.get("CREDENTIALS_DIRECTORY") {
        Some(directory) => {
            let path = Path::new(directory).join("smtp-password");
            path.exists().then(|| credential(path))
        }
        None if of_machine => stored_credential(CREDENTIAL_STORES.map(Path::new)),
        None => None,
    }
}

/// The first that is there or that we may not look for.
fn stored_credential(stores: [&Path; 3]) -> Option<(PathBuf, Result<Secret, String>)> {
    stores
        .into_iter()
        .map(|store| store.join("sitewatch.smtp-password"))
        .find(|path| path.try_exists().unwrap_or(true))
        .map(credential)
}

fn credential(path: PathBuf) -> (PathBuf, Result<Secret, String>) {
    let secret = read(&path, SECRET_BYTES_MAX, Pipes::Refused)
        .map_err(|why| format!("cannot be read: {why}"))
        .and_then(|bytes| secret(&bytes));
    (path, secret)
}

/// Where a fault of a credential is shown.
pub(super) fn credential_fault(header: Place, path: &Path, why: &str) -> Fault {
    Fault::new(
        header,
        format!("the credential `{}` {why}", path.display()),
        "the password comes from there: in a shell use sudo; the service is given it when it starts",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credential_of_the_machine_is_what_the_service_would_be_given() {
        let stores = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let paths = [0, 1, 2].map(|index| stores[index].path());
        assert!(stored_credential(paths).is_none());
        let second = paths[1].join("sitewatch.smtp-password");
        std::fs::write(&second, "correct-horse\n").unwrap();
        std::fs::write(paths[2].join("sitewatch.smtp-password"), "other\n").unwrap();
        let (path, secret) = stored_credential(paths).unwrap();
        assert_eq!((path, secret.unwrap().reveal()), (second, "correct-horse"));
        std::fs::write(paths[0].join("sitewatch.smtp-password"), "\n").unwrap();
        let (_, secret) = stored_credential(paths).unwrap();
        assert_eq!(secret.unwrap_err(), "is empty");
    }

    /// What a pipe gives to a reader that waits `silent_max`, and how many bytes came.
    fn piped(
        silent_max: u64,
        max: u64,
        write: impl FnOnce(io::PipeWriter) + Send + 'static,
    ) -> (Result<(), io::ErrorKind>, usize) {
        let (reader, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(reader));
        let writing = std::thread::spawn(move || write(writer));
        let mut bytes = Vec::new();
        let read = read_pipe(&file, max, Duration::from_millis(silent_max), &mut bytes);
        drop(file);
        writing.join().unwrap();
        (read.map_err(|error| error.kind()), bytes.len())
    }

    #[test]
    fn a_pipe_that_falls_silent_is_given_up() {
        use std::io::Write as _;
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let hold = |stopped: std::sync::mpsc::Receiver<()>, text: &'static [u8]| {
            move |mut writer: io::PipeWriter| {
                writer.write_all(text).unwrap();
                let _ = stopped.recv_timeout(Duration::from_secs(2));
            }
        };
        let timed_out = Err(io::ErrorKind::TimedOut);
        assert_eq!(piped(50, 100, hold(stopped, b"")), (timed_out, 0));
        drop(stop);
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        assert_eq!(piped(50, 100, hold(stopped, b"begun")), (timed_out, 5));
        drop(stop);
        // A slow writer is waited for, an end is an end, and more than is wanted is not read on.
        let (_kept, never) = std::sync::mpsc::channel::<()>();
        let slow = move |mut writer: io::PipeWriter| {
            for piece in [b"one", b"two"] {
                let _ = never.recv_timeout(Duration::from_millis(30));
                writer.write_all(piece).unwrap();
            }
        };
        assert_eq!(piped(60_000, 100, slow), (Ok(()), 6));
        assert_eq!(piped(60_000, 100, drop), (Ok(()), 0));
        let endless = |mut writer: io::PipeWriter| while writer.write_all(&[b'#'; 64]).is_ok() {};
        let (read, count) = piped(60_000, 100, endless);
        assert_eq!(read, Ok(()));
        assert!((101..=100 + 64 * 1024).contains(&count), "{count}");
    }
}
