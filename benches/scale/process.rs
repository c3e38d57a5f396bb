//! Processes on a core of their own, and what the kernel says they used.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Clock ticks a second in /proc (USER_HZ is 100 on every Linux that Debian ships).
const TICKS_PER_SECOND: f64 = 100.0;

/// A child that is ended when it goes out of scope.
pub struct Pinned(pub Child);

impl Pinned {
    /// Starts a program on one core.
    pub fn start(
        core: u8,
        program: &Path,
        arguments: &[&str],
        stdout: Stdio,
        variables: &[(&str, &str)],
    ) -> Self {
        let child = Command::new("taskset")
            .arg("-c")
            .arg(core.to_string())
            .arg(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(stdout)
            .spawn()
            .expect("taskset (util-linux) starts");
        Self(child)
    }

    /// The process id; taskset becomes the program, so it is the program's.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// CPU time used so far, user and system.
    pub fn cpu(&self) -> Duration {
        cpu_of(self.id())
    }

    /// A line `NAME: 123 kB` of /proc/PID/status, in MiB.
    pub fn memory_mib(&self, name: &str) -> f64 {
        let text =
            std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let kib = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) / 1024.0
    }

    /// Open descriptors.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).map_or(0, Iterator::count)
    }

    /// Bytes that the process caused to be written to storage.
    pub fn written(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/io", self.id())).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "));
        line.and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Asks it to stop and waits.
    pub fn stop(mut self) {
        let _ = Command::new("kill").arg(self.id().to_string()).status();
        let _ = self.0.wait();
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn cpu_of(id: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|number| number.parse::<f64>().ok())
        .sum();
    Duration::from_secs_f64(ticks / TICKS_PER_SECOND)
}

/// CPU time of this very process.
pub fn own_cpu() -> Duration {
    cpu_of(std::process::id())
}

/// This program, to be started in another role.
pub fn myself() -> std::path::PathBuf {
    std::env::current_exe().expect("a running program has a path")
}
