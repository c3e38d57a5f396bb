//! `sitewatch demo --locations`: a nats-server, a hub and three probes, and two sites that fail: one for a single
//! location, one for all.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::clock;
use crate::daemon::demo::places::{ACTS, LOCATIONS, PLACE_HEADER, SITES, serve};
use crate::daemon::demo::process::Process;
use crate::daemon::demo::server::Began;
use crate::domain::check::CheckState;
use crate::domain::location::{LocationStatus, Seen};
use crate::store::facts::incidents::IncidentQuery;
use crate::store::reader::Reader;
use crate::view::demo;
use crate::view::terminal::Screen;

/// The tour needs this program.
const SERVER: &str = "nats-server";
/// How often the tour looks for news.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Probes that are not heard by then have failed.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// So much of a process's output is shown when the tour fails.
const SAID_LINES: usize = 3;

/// Runs a program until it is told to end, or until the tour is gone and with it the other end of standard input.
const LEASHED: &str = "exec 3<&0; \"$@\" </dev/null 3<&- & server=$!; cat <&3 >/dev/null & leash=$!; \
    trap 'kill $leash' TERM; wait $leash; kill $server; wait $server";

/// One tour.
pub(super) struct Tour<'a> {
    /// Where its files are.
    pub(super) directory: &'a Path,
    /// The `PATH` in which nats-server is looked for.
    pub(super) path: &'a str,
    /// How long it runs; `None`: until it is ended.
    pub(super) time: Option<Duration>,
    /// Where it is shown.
    pub(super) screen: Screen,
    /// Takes what is to be printed.
    pub(super) say: &'a mut dyn FnMut(&str) -> io::Result<()>,
}

/// Why a tour cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum TourError {
    /// In a sentence.
    #[error("{0}")]
    Failed(String),
    /// What it says cannot be printed.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// The processes of the tour; they end in this order.
struct Company {
    probes: Vec<Process>,
    hub: Process,
    server: Process,
}

impl Tour<'_> {
    /// Takes it, until its time is over or `ended` is ready.
    ///
    /// # Errors
    /// Why it cannot be taken, in a sentence.
    pub(super) async fn take(&mut self, ended: impl Future<Output = ()>) -> Result<(), TourError> {
        let Some(server) = find(self.path) else {
            return Err(TourError::Failed(format!(
                "the tour of locations needs {SERVER}, which is not in PATH; Debian's package {SERVER} puts it \
                 into /usr/sbin"
            )));
        };
        let machine = |error: io::Error| TourError::Failed(error.to_string());
        let start = Began::default();
        let sites = serve(Began::clone(&start)).await.map_err(machine)?;
        (self.say)(
            "A nats-server, a hub, and probes in fra, nyc and sgp, all on this machine. They\n\
             watch two sites; nothing leaves 127.0.0.1. Starting ..\n",
        )?;
        let mut cluster = self.start(&server, sites).map_err(machine)?;
        tokio::pin!(ended);
        let reader = tokio::select! {
            reader = self.all_are_heard(&mut cluster) => reader?,
            () = &mut ended => return Ok(()),
        };
        let began = *start.get_or_init(clock::tick);
        let mut shown = Playbill::default();
        loop {
            let since = clock::tick().duration_since(began);
            self.show(&reader, since, &mut shown)?;
            if self.time.is_some_and(|time| since >= time) {
                break;
            }
            if let Some(said) = cluster.hub.has_ended() {
                return Err(TourError::Failed(format!(
                    "the hub of the tour ended: {}",
                    newest(&said)
                )));
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = &mut ended => break,
            }
        }
        for probe in &mut cluster.probes {
            probe.stop().await;
        }
        cluster.hub.stop().await;
        cluster.server.stop().await;
        let since = clock::tick().duration_since(began);
        self.show(&reader, since, &mut shown)?;
        (self.say)(&format!(
            "\nThat was the tour: {} about `shop`, {} about `blog`.\n\
             docs/locations.md sets up three servers.\n",
            mails(shown.told[1]),
            mails(shown.told[0])
        ))?;
        Ok(())
    }

    fn start(&self, server: &Path, sites: SocketAddr) -> io::Result<Company> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let mut command = Command::new("sh");
        command.args(["-c", LEASHED, "sh"]).arg(server);
        command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]);
        command.arg(self.directory.join("jetstream"));
        let server = Process::start(command, &self.directory.join("nats.log"))?;
        let hub = self.sitewatch("hub", &hub_text(port, sites))?;
        let probes = LOCATIONS.map(|location| {
            let text = probe_text(location, port, sites);
            self.sitewatch(location, &text)
        });
        Ok(Company {
            probes: probes.into_iter().collect::<io::Result<_>>()?,
            hub,
            server,
        })
    }

    /// Starts this program in a directory of its own.
    fn sitewatch(&self, name: &str, text: &str) -> io::Result<Process> {
        let directory = self.directory.join(name);
        fs::create_dir(&directory)?;
        let file = directory.join("monitors.toml");
        fs::write(&file, text)?;
        let mut command = Command::new(std::env::current_exe()?);
        let arguments: [OsString; 4] = [
            "run".into(),
            "--tour".into(),
            "--config".into(),
            file.into(),
        ];
        command.args(arguments).env("PLACE", name);
        Process::start(command, &self.directory.join(format!("{name}.log")))
    }

    /// Waits until every location is heard of every site.
    async fn all_are_heard(&self, cluster: &mut Company) -> Result<Reader, TourError> {
        let path = self.directory.join("hub/sitewatch.db");
        let began = clock::tick();
        loop {
            if let Ok(reader) = Reader::open(&path)
                && heard(&reader) == SITES.len() * LOCATIONS.len()
            {
                return Ok(reader);
            }
            let names = ["hub", SERVER].into_iter().chain(LOCATIONS);
            let processes = [&mut cluster.hub, &mut cluster.server];
            let all = processes.into_iter().chain(&mut cluster.probes);
            let is_late = clock::tick().duration_since(began) > START_PATIENCE;
            let mut why = Vec::new();
            for (name, process) in names.zip(all) {
                match process.has_ended() {
                    Some(said) => {
                        return Err(TourError::Failed(format!(
                            "{name} did not start: {}",
                            newest(&said)
                        )));
                    }
                    None if is_late => why.push(format!("{name}: {}", newest(&process.said()))),
                    None => {}
                }
            }
            if is_late {
                return Err(TourError::Failed(format!(
                    "the probes were not heard within {} s\n  {}",
                    START_PATIENCE.as_secs(),
                    why.join("\n  ")
                )));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Prints what is new: acts, states, mails.
    fn show(
        &mut self,
        reader: &Reader,
        since: Duration,
        shown: &mut Playbill,
    ) -> Result<(), TourError> {
        let mut text = String::new();
        let written = "a String takes all writes";
        for act in ACTS.iter().skip(shown.acts).filter(|act| act.at <= since) {
            demo::act(since, act.happens, act.matters, self.screen, &mut text).expect(written);
            shown.acts += 1;
        }
        for (place, line) in lines(reader).into_iter().enumerate() {
            if shown.lines.get(place) != Some(&line) {
                text.push_str(&format!("{:>5.1} s  {line}\n", since.as_secs_f64()));
            }
            match shown.lines.get_mut(place) {
                Some(before) => *before = line,
                None => shown.lines.push(line),
            }
        }
        for (subject, body) in new_mails(&self.directory.join("hub/mailbox"), &mut shown.mails) {
            for (place, site) in SITES.iter().enumerate() {
                shown.told[place] += usize::from(subject.ends_with(site));
            }
            // Who sees it stands at the top; the rest is as in any mail.
            let top: Vec<&str> = body.lines().take(MAIL_LINES).collect();
            for line in demo::mail(since, &subject, &top.join("\n"), self.screen) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        if !text.is_empty() {
            (self.say)(&text)?;
        }
        Ok(())
    }
}

/// So much of a mail is shown: what it says of the locations.
const MAIL_LINES: usize = 9;

/// What was shown.
#[derive(Default)]
struct Playbill {
    acts: usize,
    lines: Vec<String>,
    mails: HashSet<PathBuf>,
    /// Mails about each site.
    told: [usize; 2],
}

fn mails(count: usize) -> String {
    match count {
        0 => "no mail".to_owned(),
        1 => "1 mail".to_owned(),
        count => format!("{count} mails"),
    }
}

fn find(path: &str) -> Option<PathBuf> {
    let folders = std::env::split_paths(path);
    let mut programs = folders.map(|folder| folder.join(SERVER));
    programs.find(|program| program.is_file())
}

/// The newest lines that a process said.
fn newest(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(SAID_LINES)..].join(" / ")
}

fn heard(reader: &Reader) -> usize {
    let all = reader.location_statuses(&[], clock::now());
    let fresh = |one: &&LocationStatus| one.seen == Seen::Fresh && one.state == CheckState::Up;
    let all = all.unwrap_or_default();
    all.values().flatten().filter(fresh).count()
}

/// `shop  DOWN      fra down  nyc down  sgp up`, one for each site.
fn lines(reader: &Reader) -> Vec<String> {
    let monitors = reader.monitors().unwrap_or_default();
    let said = reader.location_statuses(&[], clock::now());
    let said = said.unwrap_or_default();
    let query = IncidentQuery {
        open: true,
        ..IncidentQuery::default()
    };
    let open = reader.incidents(&query).unwrap_or_default();
    let row = |site: &str| {
        let monitor = monitors.iter().find(|one| one.name.as_str() == site)?;
        let said = said.get(&monitor.id)?;
        let is_down = |one: &LocationStatus| one.state == CheckState::Down;
        let is_open = open
            .iter()
            .any(|one| one.incident.key.monitor == monitor.id);
        let state = match (is_open, said.iter().any(is_down)) {
            (true, _) => "DOWN",
            (false, true) => "degraded, regional",
            (false, false) => "up",
        };
        let each: Vec<String> = said
            .iter()
            .map(|one| format!("{} {:<4}", one.location, one.state.as_str()))
            .collect();
        Some(format!(
            "{site:<5} {state:<19} {}",
            each.join("  ").trim_end()
        ))
    };
    SITES.iter().filter_map(|site| row(site)).collect()
}

fn new_mails(mailbox: &Path, known: &mut HashSet<PathBuf>) -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(mailbox)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .filter(|path| known.insert(path.clone()))
        .collect();
    paths.sort_by_key(|path| fs::metadata(path).and_then(|file| file.modified()).ok());
    let read = paths.iter().filter_map(|path| {
        let raw = fs::read(path).ok()?;
        let message = mail_parser::MessageParser::default().parse(&raw)?;
        let body = message.body_text(0)?.into_owned();
        Some((message.subject()?.to_owned(), body))
    });
    read.collect()
}

fn hub_text(port: u16, sites: SocketAddr) -> String {
    let mut text = format!(
        r#"# The hub of the tour: short intervals, so that there is something to see.
[daemon]
database = "sitewatch.db"
control_socket = "control.sock"
shutdown_grace = "2s"
log = "warn"

[cluster]
url = "nats://127.0.0.1:{port}"
locations = ["fra", "nyc", "sgp"]

[email]
directory = "mailbox"
from = "sitewatch <sitewatch@demo.example>"
to = ["you@demo.example"]

[connectivity]
canaries = ["http://{sites}/canary"]

[alerts]
group_wait = "1s"

[defaults]
interval = "2s"
timeout = "1500ms"
retry_interval = "500ms"
headers = {{ {PLACE_HEADER} = "${{PLACE}}" }}
"#
    );
    for site in SITES {
        text.push_str(&format!(
            "\n[[monitor]]\nname = \"{site}\"\nurl = \"http://{sites}/{site}\"\n"
        ));
    }
    text
}

fn probe_text(location: &str, port: u16, sites: SocketAddr) -> String {
    format!(
        r#"# A probe of the tour.
[daemon]
database = "spool.db"
control_socket = "control.sock"
shutdown_grace = "2s"
log = "warn"

[cluster]
role = "probe"
location = "{location}"
url = "nats://127.0.0.1:{port}"

[connectivity]
canaries = ["http://{sites}/canary"]
"#
    )
}
