//! A directory of .eml files instead of a mail server.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tokio::sync::Mutex;

use crate::own_files;
use crate::policy::outbox::queued::Holds;
use crate::policy::outbox::retry::Outcome;

use super::outgoing::Mail;

/// Writes each mail once, as `TIME-STATE-ID.eml`; complete or not at all.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// One mail at a time: the recipients of a mail share its file.
    writing: Mutex<()>,
}

impl Directory {
    /// A directory that is created when the first mail comes.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            writing: Mutex::new(()),
        }
    }

    /// The directory, in words.
    pub fn describe(&self) -> String {
        format!("directory {}", self.path.display())
    }

    /// Writes a mail. One file per Message-ID: further recipients stand in its `To` already.
    pub async fn write(&self, mail: &Mail, bytes: &[u8]) -> Outcome {
        let file = self.path.join(file_name(mail));
        match self.write_file(&file, bytes).await {
            Ok(()) => Outcome::Accepted(format!("written to {}", file.display())),
            Err(error) => {
                let text = format!("failed to write {}: {error}", file.display());
                match error.kind() {
                    io::ErrorKind::PermissionDenied
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::ReadOnlyFilesystem => Outcome::Pause(text),
                    _ => Outcome::Temporary {
                        holds: Holds::Recipient,
                        error: text,
                    },
                }
            }
        }
    }

    async fn write_file(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let _alone = self.writing.lock().await;
        let (folder, file, bytes) = (self.path.clone(), file.to_owned(), bytes.to_owned());
        tokio::task::spawn_blocking(move || write_once(&folder, &file, &bytes))
            .await
            .unwrap_or_else(|_| Err(io::Error::other("a fault of sitewatch")))
    }
}

fn write_once(folder: &Path, file: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link of that name is not a mail of ours: it is replaced.
    if file.exists() && !own_files::is_link(file) {
        return Ok(());
    }
    own_files::make_folder(folder)?;
    // Another process (a command beside the daemon) may be at the same mail.
    let unfinished = file.with_extension(format!("{}.new", std::process::id()));
    let made = own_files::create_new(&unfinished).or_else(|error| match error.kind() {
        // Left behind by a process of the same number.
        io::ErrorKind::AlreadyExists => {
            fs::remove_file(&unfinished)?;
            own_files::create_new(&unfinished)
        }
        _ => Err(error),
    });
    let written = made.and_then(|mut out| {
        out.write_all(bytes)?;
        out.sync_all()?;
        fs::rename(&unfinished, file)
    });
    if written.is_err() {
        // Half a mail on a full disk is in the way of the next.
        let _ = fs::remove_file(&unfinished);
    }
    written?;
    fs::File::open(folder)?.sync_all()
}

/// Sorts by time; the same mail has the same name at every repeat.
fn file_name(mail: &Mail) -> String {
    let at = mail.queued_at.to_jiff().strftime("%Y%m%dT%H%M%S%3fZ");
    let state: String = mail
        .rendered
        .headers
        .iter()
        .find(|(name, _)| *name == "X-Sitewatch-State")
        .map_or("mail", |(_, value)| value.as_str())
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let id: String = mail
        .message_id
        .chars()
        .take_while(|c| *c != '@')
        .filter(char::is_ascii_alphanumeric)
        .take(32)
        .collect();
    format!("{at}-{state}-{id}.eml")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::Address;
    use crate::domain::timestamp::Timestamp;
    use crate::view::mail::rendered::Rendered;

    #[tokio::test]
    async fn recipients_of_one_mail_share_its_file() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::new(place.path().join("new/outbox"));
        let mail = Mail {
            message_id: "0123ab@example.com".into(),
            thread_roots: Vec::new(),
            everybody: vec![Address::parse("ops@example.com").unwrap()],
            queued_at: Timestamp::from_ms(1_795_377_600_000),
            date: Timestamp::from_ms(1_795_377_600_000),
            rendered: Rendered {
                subject: String::new(),
                text: String::new(),
                lead: String::new(),
                html: String::new(),
                headers: vec![("X-Sitewatch-State", "down".into())],
            },
        };
        let outcomes = tokio::join!(directory.write(&mail, b"x"), directory.write(&mail, b"x"));
        for outcome in [outcomes.0, outcomes.1] {
            assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        }
        let names: Vec<_> = std::fs::read_dir(place.path().join("new/outbox"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["20261122T200000000Z-down-0123ab.eml"]);
    }

    #[test]
    fn a_mail_is_for_owner_and_group_and_follows_no_link() {
        use std::os::unix::fs::MetadataExt as _;
        let place = tempfile::tempdir().unwrap();
        let (folder, precious) = (place.path().join("box"), place.path().join("precious"));
        fs::create_dir(&folder).unwrap();
        fs::write(&precious, "precious").unwrap();
        let file = folder.join("a.eml");
        let unfinished = file.with_extension(format!("{}.new", std::process::id()));
        for link in [&file, &unfinished] {
            std::os::unix::fs::symlink(&precious, link).unwrap();
        }
        write_once(&folder, &file, b"mail").unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        assert_eq!(fs::read(&file).unwrap(), b"mail");
        let mode = fs::symlink_metadata(&file).unwrap().mode() & 0o7777;
        assert_eq!(mode, 0o640);
        write_once(&folder, &file, b"again").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"mail", "each mail once");
    }
}
