//! A directory of .eml files instead of a mail server.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::io::AsyncWriteExt;
use tokio::sync::Mutex;

use crate::policy::outbox::delivery::Outcome;
use crate::policy::outbox::row::Holds;

use super::mailer::Mail;

/// Writes each mail once, as `TIME-STATE-ID.eml`; complete or not at all.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// One at a time: the recipients of a mail share its file.
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
        if fs::try_exists(file).await? {
            return Ok(());
        }
        fs::create_dir_all(&self.path).await?;
        // Another process (a command beside the daemon) may be at the same mail.
        let unfinished = file.with_extension(format!("{}.new", std::process::id()));
        let mut out = fs::File::create(&unfinished).await?;
        out.write_all(bytes).await?;
        out.sync_all().await?;
        fs::rename(&unfinished, file).await?;
        fs::File::open(&self.path).await?.sync_all().await
    }
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
}
