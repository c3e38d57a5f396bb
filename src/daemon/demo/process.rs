//! A process of the tour: it ends with the tour, however that ends.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::clock;

/// How often it is looked whether one is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The `shutdown_grace` of a daemon, and some more.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// One process, with its output in a file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program, whose output goes into `log`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(mut command: Command, log: &Path) -> io::Result<Self> {
        let file = File::create(log)?;
        let child = command
            .env_remove("SITEWATCH_CONFIG")
            .env_remove("NOTIFY_SOCKET")
            // Held open as long as this process lives, however it ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(file)
            // Ctrl-C is for the tour, which then ends the process in order.
            .process_group(0)
            .spawn()?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Its output, after its end.
    pub fn has_ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(_)) | Err(_) => Some(self.said()),
        }
    }

    /// Its output.
    pub fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.trim().to_owned()
    }

    /// Ends it in order.
    pub async fn stop(&mut self) {
        let began = clock::tick();
        if let Some(id) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            // Gone already is as good as stopped.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        while self.has_ended().is_none() && clock::tick().duration_since(began) < STOP_PATIENCE {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process has been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
