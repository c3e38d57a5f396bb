//! The release binary as a process to be measured.

use std::fmt::Write as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sitewatch::clock::tick;

use super::process::Pinned;
use super::target::Target;

/// Where the monitors point.
#[derive(Clone, Copy, PartialEq)]
pub enum Scheme {
    /// `http://127.0.0.1`
    Plain,
    /// `http://name.test`, resolved by the target's name server.
    Named,
    /// `https://localhost`, resolved from /etc/hosts.
    Tls,
    /// `http://two.test`, both of whose addresses are checked.
    Each,
    /// `tcp://127.0.0.1`
    Tcp,
    /// `icmp://127.0.1.1` and so on
    Ping,
    /// Every second one plain, every other one silent until its deadline.
    HalfDead,
}

/// What is to be watched, and how often.
pub struct Load {
    /// How many monitors.
    pub monitors: usize,
    /// How often each.
    pub interval: Duration,
    /// Over what.
    pub scheme: Scheme,
    /// Checks in flight at most.
    pub concurrency: u32,
    /// Whether mails are written, into [`Running::mails`].
    pub mails: bool,
}

/// The program that is measured.
#[expect(
    clippy::disallowed_methods,
    reason = "another build can be named, to compare"
)]
pub fn binary() -> PathBuf {
    let other = std::env::var_os("SITEWATCH").map(PathBuf::from);
    other.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_sitewatch")))
}

/// A running daemon.
pub struct Running {
    /// The process.
    pub process: Pinned,
    /// From its start to READY=1.
    pub ready: Duration,
    directory: PathBuf,
    status: Arc<Mutex<String>>,
}

impl Running {
    /// Writes a configuration and starts the daemon on core 1; returns once it says that it is ready.
    pub fn start(target: &Target, root: &Path, load: &Load) -> Self {
        Self::start_with(target, root, load, "")
    }

    /// The same with more lines at the end of the configuration.
    pub fn start_with(target: &Target, root: &Path, load: &Load, more: &str) -> Self {
        let directory = root.join(format!("run-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).expect("the directory is writable");
        let file = directory.join("monitors.toml");
        let text = configuration(target, root, load) + more;
        std::fs::write(&file, text).expect("written");
        let notify = directory.join("notify");
        let socket = UnixDatagram::bind(&notify).expect("a socket");
        socket
            .set_read_timeout(Some(Duration::from_secs(120)))
            .expect("a socket option");
        let binary = binary();
        let arguments = ["run", "--config", file.to_str().expect("a plain name")];
        let variables = [
            ("NOTIFY_SOCKET", notify.to_str().expect("a plain name")),
            ("RUST_LOG", "warn"),
        ];
        let began = tick();
        let process = Pinned::start(1, &binary, &arguments, Stdio::null(), &variables);
        let mut message = [0; 4096];
        loop {
            let length = socket.recv(&mut message).expect("the daemon becomes ready");
            if message[..length]
                .windows(7)
                .any(|window| window == b"READY=1")
            {
                break;
            }
        }
        let ready = tick() - began;
        // Later messages must not fill the socket and hold the daemon up; between two of them may be any time.
        socket.set_read_timeout(None).expect("a socket option");
        let status = Arc::<Mutex<String>>::default();
        let known = Arc::clone(&status);
        std::thread::spawn(move || {
            while let Ok(length) = socket.recv(&mut message) {
                let text = String::from_utf8_lossy(&message[..length]);
                let line = text.lines().find_map(|line| line.strip_prefix("STATUS="));
                if let Some(line) = line {
                    *known.lock().unwrap_or_else(PoisonError::into_inner) = line.to_owned();
                }
            }
        });
        Self {
            process,
            ready,
            directory,
            status,
        }
    }

    /// What the unit's status says now.
    pub fn status(&self) -> String {
        let status = self.status.lock();
        status.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where its mails are.
    pub fn mails(&self) -> PathBuf {
        self.directory.join("mails")
    }

    /// Everything that it wrote, as large as it is now.
    pub fn files_mib(&self) -> f64 {
        let files = std::fs::read_dir(&self.directory).into_iter().flatten();
        let sizes = files
            .filter_map(|file| file.ok()?.metadata().ok())
            .filter(std::fs::Metadata::is_file);
        sizes.map(|file| file.len()).sum::<u64>() as f64 / 1_048_576.0
    }

    /// Stops it cleanly; its database stays.
    pub fn stop_and_keep(self) -> PathBuf {
        self.process.stop();
        self.directory.join("sitewatch.db")
    }

    /// Stops it cleanly and clears up.
    pub fn stop(self) {
        self.process.stop();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn configuration(target: &Target, root: &Path, load: &Load) -> String {
    let interval = sitewatch::domain::duration_text::Written(load.interval);
    let mut text = format!(
        "[daemon]\ndatabase = \"sitewatch.db\"\ncontrol_socket = \"control.sock\"\nmax_concurrent_checks = {}\n\
         shutdown_grace = \"1s\"\n",
        load.concurrency
    );
    if load.mails {
        text.push_str(
            "[email]\ndirectory = \"mails\"\nfrom = \"watch@example.com\"\nto = [\"ops@example.com\"]\n\
             [alerts]\ngroup_wait = \"1s\"\n",
        );
    }
    if matches!(load.scheme, Scheme::Named | Scheme::Each) {
        let _ = write!(text, "[dns]\nservers = [\"127.0.0.1:{}\"]\n", target.dns);
    }
    let _ = write!(text, "[defaults]\ninterval = \"{interval}\"\n");
    if load.scheme == Scheme::Tls {
        let _ = writeln!(text, "ca_file = \"{}\"", root.join("ca.pem").display());
    }
    for number in 0..load.monitors {
        let url = match load.scheme {
            Scheme::Plain => format!("http://127.0.0.1:{}/{number}", target.http),
            Scheme::Named => format!("http://site{}.test:{}/{number}", number % 1000, target.http),
            Scheme::Tls => format!("https://localhost:{}/{number}", target.https),
            Scheme::Each => format!("http://two{}.test:{}/{number}", number % 1000, target.http),
            Scheme::Tcp => format!("tcp://127.0.0.1:{}", target.http),
            // An address of its own, as hosts have.
            Scheme::Ping => format!("icmp://127.0.{}.{}", number / 250 + 1, number % 250 + 1),
            Scheme::HalfDead if number % 2 == 0 => {
                format!("http://127.0.0.1:{}/{number}", target.http)
            }
            Scheme::HalfDead => format!("http://127.0.0.1:{}/{number}", target.silent),
        };
        let _ = write!(
            text,
            "[[monitor]]\nname = \"site{number}\"\nurl = \"{url}\"\n"
        );
        if load.scheme == Scheme::Each {
            text.push_str("addresses = \"each\"\n");
        }
    }
    text
}
