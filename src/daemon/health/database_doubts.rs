//! A database that is called damaged is looked through before it is set aside: a disk that does not give the file for
//! some seconds is no damage. All of it is bounded, since nothing is watched meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::disk_wait::DiskWait;
use super::set_aside::{
    LOOK_WITHIN, LOOKING, READ_WITHIN, put_aside, put_overwritten_aside, put_unreadable_aside,
};
use crate::clock;
use crate::config::Config;
use crate::daemon::logging::targets;
use crate::daemon::process::patience::{Waited, patiently};
use crate::daemon::run_error::RunError;
use crate::store::error::StoreError;
use crate::store::file::corruption::{self, Looked};

/// A database that is called damaged again and again is, though its structure looks whole ..
const DOUBTS_MAX: usize = 3;
/// .. within this time.
const DOUBTS_WITHIN: Duration = Duration::from_secs(3600);

/// How often the database was called damaged of late, and nothing was found.
#[derive(Default)]
pub(in crate::daemon) struct Doubts {
    since: Option<Instant>,
    count: usize,
}

impl Doubts {
    /// Sets a database aside that is of no use any more, and answers what is to be told of it; `None` if it is used on.
    /// One that is called damaged is looked through first. One that was written over is not: it may be sound, but it is
    /// not what this process recorded.
    ///
    /// # Errors
    /// The files cannot be renamed; what else the machine refused.
    pub(in crate::daemon) fn set_aside(
        &mut self,
        config: &Arc<Config>,
        why: &StoreError,
        disk: &mut DiskWait,
        is_leashed: bool,
    ) -> Result<Waited<Option<String>>, RunError> {
        let database = &config.daemon.database;
        let detail = match why {
            StoreError::Overwritten => put_overwritten_aside(database)?,
            StoreError::Damaged(why) => match self.doubt(config, why, disk, is_leashed)? {
                Waited::Done(Verdict::UsedOn) => return Ok(Waited::Done(None)),
                Waited::Done(Verdict::Damaged) => put_aside(database, why)?,
                Waited::Done(Verdict::Unreadable(why)) => put_unreadable_aside(database, &why)?,
                Waited::Stopped(ending) => return Ok(Waited::Stopped(ending)),
            },
            other => put_aside(database, &other.to_string())?,
        };
        tracing::error!(target: targets::TROUBLE, "{detail}");
        Ok(Waited::Done(Some(detail)))
    }

    /// Looks whether the database is damaged. A disk that does not give it is waited for, at most [`READ_WITHIN`].
    fn doubt(
        &mut self,
        config: &Arc<Config>,
        why: &str,
        disk: &mut DiskWait,
        is_leashed: bool,
    ) -> Result<Waited<Verdict>, RunError> {
        let found = loop {
            let path = config.daemon.database.clone();
            let until = clock::tick() + LOOK_WITHIN;
            let is_late = move || clock::tick() >= until;
            let looked = patiently(LOOKING, is_leashed, move || {
                corruption::look_again(&path, is_late)
            })?;
            match looked {
                Waited::Stopped(ending) => return Ok(Waited::Stopped(ending)),
                Waited::Done(Ok(looked)) => break looked,
                Waited::Done(Err(error)) if !error.is_about_disk() => {
                    return Ok(Waited::Done(Verdict::Damaged));
                }
                Waited::Done(Err(error)) if disk.lasts() >= READ_WITHIN => {
                    return Ok(Waited::Done(Verdict::Unreadable(error.to_string())));
                }
                Waited::Done(Err(error)) => match disk.wait(config, &error, is_leashed)? {
                    Waited::Done(()) => {}
                    Waited::Stopped(ending) => return Ok(Waited::Stopped(ending)),
                },
            }
        };
        let is_old = |since| clock::tick() - since > DOUBTS_WITHIN;
        if self.since.is_none_or(is_old) {
            *self = Self {
                since: Some(clock::tick()),
                count: 0,
            };
        }
        self.count += 1;
        if self.count > DOUBTS_MAX {
            return Ok(Waited::Done(Verdict::Damaged));
        }
        let found = match found {
            Looked::Whole => "all of it can be read and its structure is whole",
            Looked::Unfinished => "what could be looked through in half a minute is whole",
        };
        tracing::warn!(
            target: targets::TROUBLE,
            "The database {} was called damaged ({why}), but {found}: it is used on.",
            config.daemon.database.display()
        );
        Ok(Waited::Done(Verdict::UsedOn))
    }
}

/// What a doubt comes to.
enum Verdict {
    UsedOn,
    Damaged,
    /// The disk does not give it, and says this.
    Unreadable(String),
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::{self, Environment};
    use crate::store::writer::Store;

    /// A sound database in a directory of its own, and a disk that does not give its log: reads of it fail with EIO.
    fn unreadable() -> (tempfile::TempDir, Arc<Config>) {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("monitors.toml");
        let text = "[daemon]\ndatabase = \"a.db\"\ncontrol_socket = \"c.sock\"\n\
                    [email]\ndirectory = \"outbox/\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n\
                    [[monitor]]\nurl = \"https://example.com/\"\n";
        std::fs::write(&file, text).unwrap();
        let config = config::load(&file, &Environment::default()).unwrap();
        let database = &config.daemon.database;
        drop(Store::open(database, clock::now()).unwrap());
        let log = place.path().join("a.db-wal");
        let _ = std::fs::remove_file(&log);
        symlink("/proc/self/mem", &log).unwrap();
        (place, Arc::new(config))
    }

    fn asked(config: &Arc<Config>, why: &StoreError, mut disk: DiskWait) -> Option<String> {
        let asked = Doubts::default().set_aside(config, why, &mut disk, false);
        match asked.unwrap() {
            Waited::Done(told) => told,
            Waited::Stopped(_) => panic!("nobody stopped it"),
        }
    }

    fn malformed() -> StoreError {
        StoreError::Damaged("malformed".to_owned())
    }

    #[test]
    fn a_disk_that_does_not_give_the_database_for_some_seconds_costs_nothing() {
        let (place, config) = unreadable();
        let log = place.path().join("a.db-wal");
        let mended = std::thread::spawn(move || {
            let (_sender, nobody) = std::sync::mpsc::channel::<()>();
            let _ = nobody.recv_timeout(Duration::from_secs(1));
            std::fs::remove_file(log).unwrap();
        });
        assert_eq!(asked(&config, &malformed(), DiskWait::default()), None);
        mended.join().unwrap();
        assert!(config.daemon.database.exists());
        // That nothing was watched is told.
        let outbox = std::fs::read_dir(place.path().join("outbox")).unwrap();
        assert_eq!(outbox.count(), 1);
    }

    #[test]
    fn a_disk_that_never_gives_the_database_does_not_stop_watching_for_good() {
        let (place, config) = unreadable();
        let told = asked(&config, &malformed(), DiskWait::begun(READ_WITHIN));
        let told = told.expect("it is set aside");
        assert!(told.contains("cannot be read: the disk failed"), "{told}");
        assert!(!config.daemon.database.exists());
        assert!(!place.path().join("a.db-wal").exists());
    }

    #[test]
    fn a_start_waits_for_such_a_disk_no_longer_either() {
        let (_place, config) = unreadable();
        let error = StoreError::Io("EIO".to_owned());
        let mut disk = DiskWait::default();
        disk.look_now();
        assert!(matches!(
            disk.pass(&config, &error, false).unwrap(),
            Waited::Done(())
        ));
        assert!(!config.daemon.database.exists());
        let told = disk.take_set_aside().unwrap();
        assert!(told.contains("cannot be read"), "{told}");
        assert_eq!(disk.take_set_aside(), None, "it is told once");
    }

    #[test]
    fn what_was_written_over_the_database_is_set_aside_however_sound_it_is() {
        let (place, config) = unreadable();
        std::fs::remove_file(place.path().join("a.db-wal")).unwrap();
        assert_eq!(asked(&config, &malformed(), DiskWait::default()), None);
        let told = asked(&config, &StoreError::Overwritten, DiskWait::default()).unwrap();
        assert!(told.contains("written over the database"), "{told}");
        assert!(!config.daemon.database.exists());
    }

    #[test]
    fn what_is_called_damaged_again_and_again_is() {
        let (place, config) = unreadable();
        std::fs::remove_file(place.path().join("a.db-wal")).unwrap();
        let mut doubts = Doubts::default();
        let mut told = Vec::new();
        for _ in 0..=DOUBTS_MAX {
            let asked = doubts.set_aside(&config, &malformed(), &mut DiskWait::default(), false);
            match asked.unwrap() {
                Waited::Done(detail) => told.push(detail.is_some()),
                Waited::Stopped(_) => panic!("nobody stopped it"),
            }
        }
        assert_eq!(told, [false, false, false, true]);
    }
}
