//! The system's view of names: `/etc/hosts` and `/etc/resolv.conf`, read again when they change, as a laptop's or a
//! VPN's do.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::etc_hosts::{self, Hosts};
use super::resolv_conf::{self, PassedOver, ResolvConf};
use crate::clock;
use crate::domain::name_server::NameServer;
use crate::domain::safe_text;
use crate::domain::target::DnsSettings;

/// The files are looked at no more often than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A lookup waits at most so long for the files; a disk that sleeps takes some seconds, one that is gone for ever.
const READ_MAX: Duration = Duration::from_secs(2);

/// More servers of `[dns]` are not asked.
const SERVERS_MAX: usize = 8;

/// How often each server is asked, unless resolv.conf says so. glibc asks twice and waits 5 s each time; who asks three
/// times within 3 s finds a lost datagram sooner.
const ROUNDS: usize = 3;

/// How long a server is waited for before the next try, unless resolv.conf says so.
const PACE: Duration = Duration::from_secs(1);

/// What one lookup goes by.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The static table.
    pub(super) hosts: Arc<Hosts>,
    /// The servers, in turn; at least one.
    pub(super) servers: Vec<NameServer>,
    /// The search list.
    pub(super) search: Vec<String>,
    /// A name with so many dots is tried as it is first.
    pub(super) ndots: usize,
    /// How often each server is asked.
    pub(super) rounds: usize,
    /// How long a silent server is waited for before the next one is asked.
    pub(super) pace: Duration,
    pub(super) edns: bool,
    pub(super) tcp: bool,
    pub(super) rotate: bool,
    pub(super) single_request: bool,
    pub(super) no_aaaa: bool,
    pub(super) source: Source,
}

/// Where servers and search list come from.
#[derive(Debug, Default)]
pub(super) enum Source {
    /// `[dns].servers`.
    #[default]
    Configuration,
    /// resolv.conf.
    File {
        path: String,
        /// The parts of the file that could not be read and may be why a lookup fails.
        passed_over: Vec<String>,
    },
}

/// Keeps the newest view.
#[derive(Debug)]
pub(super) struct SystemDns {
    files: Files,
    newest: Mutex<Option<Newest>>,
    /// The reading that is under way, perhaps for long: there is never a second one.
    reading: tokio::sync::Mutex<Option<JoinHandle<Arc<View>>>>,
    /// Whether that reading did not end in time.
    stalled: AtomicBool,
    turn: AtomicUsize,
}

#[derive(Debug, Clone)]
struct Files {
    servers: Vec<NameServer>,
    resolv_conf: PathBuf,
    hosts: PathBuf,
}

#[derive(Debug)]
struct Newest {
    looked: Instant,
    stamps: Stamps,
    view: Arc<View>,
}

/// What changes when a file does.
type Stamp = Option<(i64, i64, u64, u64)>;
type Stamps = (Stamp, Stamp);

impl SystemDns {
    pub(super) fn new(settings: &DnsSettings) -> Self {
        Self {
            files: Files {
                servers: settings.servers.clone(),
                resolv_conf: settings.resolv_conf.clone(),
                hosts: settings.hosts.clone(),
            },
            newest: Mutex::new(None),
            reading: tokio::sync::Mutex::new(None),
            stalled: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
        }
    }

    /// Which server this lookup asks first.
    pub(super) fn first(&self, view: &View) -> usize {
        match view.rotate {
            true => self.turn.fetch_add(1, Ordering::Relaxed) % view.servers.len().max(1),
            false => 0,
        }
    }

    /// The view of now. The files are looked at and read on a thread of their own: a table of names can be long, and a
    /// file system may not answer. Then what was read last serves, and nobody else tries until it answers.
    pub(super) async fn view(self: &Arc<Self>) -> Arc<View> {
        if let Some(view) = self.known() {
            return view;
        }
        let before = self.lock().as_ref().map(|newest| Arc::clone(&newest.view));
        if self.is_stalled() {
            return self.fallback(before);
        }
        let Ok(mut reading) = timeout(READ_MAX, self.reading.lock()).await else {
            return self.fallback(before);
        };
        // Another lookup may have read them in the meantime.
        if let Some(view) = self.known() {
            return view;
        }
        if reading.is_none() {
            let this = Arc::clone(self);
            *reading = Some(tokio::task::spawn_blocking(move || this.look()));
        }
        let Some(read) = reading.as_mut() else {
            return self.fallback(before);
        };
        match timeout(READ_MAX, read).await {
            Err(_) => {
                self.stalled.store(true, Ordering::Relaxed);
                self.fallback(before)
            }
            Ok(done) => {
                *reading = None;
                match done {
                    Ok(view) => view,
                    Err(_) => self.fallback(before),
                }
            }
        }
    }

    /// Whether a reading hangs that somebody waited for in vain.
    fn is_stalled(&self) -> bool {
        if !self.stalled.load(Ordering::Relaxed) {
            return false;
        }
        let Ok(mut reading) = self.reading.try_lock() else {
            return true;
        };
        if reading.as_ref().is_some_and(|read| !read.is_finished()) {
            return true;
        }
        *reading = None;
        self.stalled.store(false, Ordering::Relaxed);
        false
    }

    fn fallback(&self, before: Option<Arc<View>>) -> Arc<View> {
        before.unwrap_or_else(|| Arc::new(View::without_file(&self.files)))
    }

    /// Looks at the files, and reads them if they changed. It blocks.
    fn look(&self) -> Arc<View> {
        let stamps = self.files.stamps();
        let old = {
            let mut newest = self.lock();
            if let Some(known) = newest.as_mut().filter(|known| known.stamps == stamps) {
                known.looked = clock::tick();
                return Arc::clone(&known.view);
            }
            newest.as_ref().map(|newest| Arc::clone(&newest.view))
        };
        let (stamps, view) = match self.files.read(old.as_deref()) {
            Ok(view) => (stamps, Arc::new(view)),
            // Not for the files' sake; so they are read again soon.
            Err(_) => ((None, None), self.fallback(old)),
        };
        *self.lock() = Some(Newest {
            looked: clock::tick(),
            stamps,
            view: Arc::clone(&view),
        });
        view
    }

    /// What was read, while it is not time to look again.
    fn known(&self) -> Option<Arc<View>> {
        let newest = self.lock();
        let known = newest.as_ref()?;
        let is_fresh = clock::tick().saturating_duration_since(known.looked) < LOOK_EVERY;
        is_fresh.then(|| Arc::clone(&known.view))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Newest>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn stamps(&self) -> Stamps {
        (stamp(&self.resolv_conf), stamp(&self.hosts))
    }

    /// # Errors
    /// Where a file is there and this host is out of what it takes to read it.
    fn read(&self, old: Option<&View>) -> io::Result<View> {
        let hosts = match contents(&self.hosts, etc_hosts::BYTES_MAX) {
            Ok(text) => Arc::new(Hosts::parse(&text)),
            Err(error) if crate::probe::classify::is_local(&error) => {
                old.map_or_else(Arc::default, |old| Arc::clone(&old.hosts))
            }
            Err(error) => {
                tracing::debug!(path = %self.hosts.display(), %error, "no static table of names");
                Arc::default()
            }
        };
        if !self.servers.is_empty() {
            return Ok(View {
                hosts,
                ..View::of_configuration(&self.servers)
            });
        }
        let read = match contents(&self.resolv_conf, resolv_conf::BYTES_MAX) {
            Ok(text) => ResolvConf::parse(&text),
            Err(error) if crate::probe::classify::is_local(&error) => return Err(error),
            Err(error) => unread(&error),
        };
        let path = self.resolv_conf.display().to_string();
        for PassedOver { what, .. } in &read.passed_over {
            tracing::warn!(path, "passed over: {what}");
        }
        Ok(View {
            hosts,
            ..View::of_file(read, path)
        })
    }
}

impl View {
    /// These servers, each asked in turn.
    pub(super) fn of_configuration(servers: &[NameServer]) -> Self {
        Self {
            servers: servers.iter().take(SERVERS_MAX).cloned().collect(),
            ndots: 1,
            rounds: ROUNDS,
            pace: PACE,
            ..Self::default()
        }
    }

    /// What serves while the files cannot be read.
    fn without_file(files: &Files) -> Self {
        match files.servers.is_empty() {
            false => Self::of_configuration(&files.servers),
            true => Self::of_file(
                ResolvConf::default(),
                files.resolv_conf.display().to_string(),
            ),
        }
    }

    /// As resolv.conf(5): without a name server the one on this host, without a search list the domain of this host.
    fn of_file(read: ResolvConf, path: String) -> Self {
        let mut servers = read.servers;
        if servers.is_empty() {
            servers.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 53)).into());
        }
        let matters = read.passed_over.into_iter().filter(|over| over.matters);
        Self {
            hosts: Arc::default(),
            servers,
            search: read.search.unwrap_or_else(|| {
                let system = rustix::system::uname();
                domain_of(&system.nodename().to_string_lossy())
            }),
            ndots: read.ndots.unwrap_or(1),
            rounds: read.attempts.unwrap_or(ROUNDS),
            pace: read.timeout.unwrap_or(PACE),
            edns: read.edns0,
            tcp: read.use_vc,
            rotate: read.rotate,
            single_request: read.single_request,
            no_aaaa: read.no_aaaa,
            source: Source::File {
                path,
                passed_over: matters.map(|over| over.what).collect(),
            },
        }
    }
}

/// A resolv.conf that is not there or is of no use.
fn unread(error: &io::Error) -> ResolvConf {
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    ResolvConf {
        passed_over: vec![PassedOver {
            what: format!("the file itself: {}", safe_text::line(words, 100)),
            matters: true,
        }],
        ..ResolvConf::default()
    }
}

/// The search list of a file that has none: the domain part of this host's name.
fn domain_of(host: &str) -> Vec<String> {
    let domain = host.split_once('.').map(|(_, domain)| domain);
    domain.and_then(resolv_conf::domain).into_iter().collect()
}

fn stamp(path: &Path) -> Stamp {
    let facts = std::fs::metadata(path).ok()?;
    // The time of the inode: a change of its rights is a change, too.
    Some((facts.ctime(), facts.ctime_nsec(), facts.len(), facts.ino()))
}

/// A file's bytes up to one more than `max`. A pipe with nobody at its other end does not hold us up.
fn contents(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = std::fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let mut text = Vec::new();
    let max = u64::try_from(max).unwrap_or(u64::MAX);
    file.take(max.saturating_add(1)).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(resolv_conf: &Path) -> View {
        let files = Files {
            servers: Vec::new(),
            resolv_conf: resolv_conf.to_owned(),
            hosts: "/nonexistent".into(),
        };
        files.read(None).unwrap()
    }

    fn servers(view: &View) -> String {
        let all: Vec<String> = view.servers.iter().map(ToString::to_string).collect();
        all.join(" ")
    }

    #[test]
    fn without_a_server_it_is_the_one_on_this_host() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("resolv.conf");
        let missing = view(&file);
        assert_eq!(servers(&missing), "127.0.0.1:53");
        let Source::File { passed_over, .. } = &missing.source else {
            panic!("{:?}", missing.source)
        };
        assert_eq!(passed_over.len(), 1, "{passed_over:?}");
        std::fs::write(&file, "").unwrap();
        assert_eq!(servers(&view(&file)), "127.0.0.1:53");
        std::fs::write(&file, "nameserver nonsense\n").unwrap();
        assert_eq!(servers(&view(&file)), "127.0.0.1:53");
        // A directory, and a pipe that nobody writes to.
        assert_eq!(servers(&view(directory.path())), "127.0.0.1:53");
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        assert_eq!(servers(&view(&pipe)), "127.0.0.1:53");
        // It never ends.
        assert_eq!(servers(&view(Path::new("/dev/zero"))), "127.0.0.1:53");
    }

    #[test]
    fn without_a_search_list_it_is_the_domain_of_this_host() {
        for (host, want) in [
            ("web-1.corp.test", vec!["corp.test"]),
            ("web-1.a.corp.test.", vec!["a.corp.test"]),
            ("web_1.corp.test", vec!["corp.test"]),
            ("web-1", vec![]),
            ("web-1.", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(domain_of(host), want, "{host}");
        }
        let host = rustix::system::uname();
        let own = domain_of(&host.nodename().to_string_lossy());
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("resolv.conf");
        for (text, want) in [
            ("nameserver 10.0.0.1\n", own),
            ("nameserver 10.0.0.1\nsearch .\n", vec![]),
            (
                "nameserver 10.0.0.1\ndomain b.test\n",
                vec!["b.test".to_owned()],
            ),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(view(&file).search, want, "{text}");
        }
    }

    #[test]
    fn what_the_file_says_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("resolv.conf");
        let text =
            "nameserver 10.0.0.1\nsearch a.test\noptions ndots:5 attempts:1 timeout:2 edns0\n";
        std::fs::write(&file, text).unwrap();
        let view = view(&file);
        assert_eq!(servers(&view), "10.0.0.1:53");
        assert_eq!(view.search, ["a.test"]);
        assert_eq!((view.ndots, view.rounds, view.edns), (5, 1, true));
        assert_eq!(view.pace, Duration::from_secs(2));
    }
}
