//! `sitewatch demo`: a self-contained tour. The sites are built in; the daemon that watches them is this very
//! program, started as its user would start it, with a configuration and a database in a directory that goes
//! at the end.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::context::Context;
use super::demo_past;
use super::error::{CliError, Outcome};
use super::places_tour::{Tour, TourError};
use super::tour_rows::{pending, rows};
use crate::clock;
use crate::daemon::demo::past;
use crate::daemon::demo::process::Process;
use crate::daemon::demo::script::{ACTS, Site};
use crate::daemon::demo::server::{self, Began};
use crate::store::reader::Reader;
use crate::view::demo::{self, Row, State};

/// Arguments of `sitewatch demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long it runs
    #[arg(long = "for", value_name = "TIME", default_value = "75s", value_parser = super::options::duration)]
    pub time: Duration,
    /// Run until Ctrl-C, and keep the configuration, the database and the mails
    #[arg(long, conflicts_with = "time")]
    pub keep: bool,
    /// Several locations: a regional fault beside a real outage. Needs nats-server
    #[arg(long, conflicts_with = "keep")]
    pub locations: bool,
}

/// How the tour's directory is called; the rest is chance.
const DIRECTORY_PREFIX: &str = "sitewatch-demo-";
/// The name of the installed program.
const NAME: &str = "sitewatch";
/// How often the tour looks for news.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long a part of a mail stays on a screen that is too small for the whole.
const PAGE_STAYS: Duration = Duration::from_secs(4);
/// A daemon that has not opened its database by then has failed.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let directory = tempfile::Builder::new()
        .prefix(DIRECTORY_PREFIX)
        .tempdir()
        .map_err(|error| {
            CliError::Machine(format!("cannot create a directory for the tour: {error}"))
        })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::machine)?;
    if args.locations {
        return runtime.block_on(tour_of_locations(context, directory.path(), args.time));
    }
    if args.keep {
        let kept = directory.keep();
        return runtime.block_on(take(context, &kept, None));
    }
    runtime.block_on(take(context, directory.path(), Some(args.time)))
}

async fn tour_of_locations(
    context: &mut Context,
    directory: &Path,
    time: Duration,
) -> Result<Outcome, CliError> {
    let mut ended = Ended::new().map_err(CliError::machine)?;
    context.out.measure(&context.environment);
    let screen = context.out.screen();
    let path = context.environment.variables.get("PATH").cloned();
    let out = &mut context.out;
    let mut say = |text: &str| {
        // What went wrong with writing is what flushing says.
        let _ = out.write_str(text);
        out.flush()
    };
    let mut tour = Tour {
        directory,
        path: path.as_deref().unwrap_or_default(),
        time: Some(time),
        screen,
        say: &mut say,
    };
    match tour.take(ended.wait()).await {
        Ok(()) => Ok(Outcome::Fine),
        Err(TourError::Failed(why)) => Err(CliError::Machine(why)),
        Err(TourError::Output(error)) => Err(error.into()),
    }
}

/// Removes what a tour has left that was killed. `file` is its configuration.
pub fn clear_up(file: &Path) {
    let is_ours = |directory: &&Path| {
        let name = directory.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(DIRECTORY_PREFIX))
    };
    if let Some(directory) = file.parent().filter(is_ours) {
        // If it cannot be removed, nobody is there to be told.
        let _ = fs::remove_dir_all(directory);
    }
}

async fn take(
    context: &mut Context,
    directory: &Path,
    time: Option<Duration>,
) -> Result<Outcome, CliError> {
    let start = Began::default();
    let program = program(
        &context.environment.variables,
        &context.environment.directory,
    );
    let mut sites = Vec::new();
    for site in Site::ALL {
        let address = server::serve(site, Arc::clone(&start))
            .await
            .map_err(|error| {
                CliError::Machine(format!("cannot open a port on 127.0.0.1: {error}"))
            })?;
        sites.push((site, address));
    }
    let page = free_port().map_err(CliError::machine)?;
    let file = directory.join("monitors.toml");
    fs::write(directory.join("ca.pem"), server::AUTHORITY_PEM).map_err(CliError::machine)?;
    fs::create_dir(directory.join("mailbox")).map_err(CliError::machine)?;
    fs::write(&file, configuration(&sites, page)).map_err(CliError::machine)?;
    writeln!(
        context.out,
        "{} sites on this machine, a daemon that watches them, and a mailbox.\n\
         Nothing leaves 127.0.0.1. Making up {} days of history ..",
        sites.len(),
        past::DAYS
    )?;
    context.out.flush()?;
    demo_past::record(directory, &sites, &context.environment)?;
    let mut daemon = Daemon::start(directory, &file)?;
    let reader = daemon.database().await?;
    // The acts begin when there is somebody to see them.
    let began = *start.get_or_init(clock::tick);

    write!(
        context.out,
        "\n  \
         status page   http://{page}/\n  configuration {}\n\n\
         While it runs, in another terminal:\n\n  \
         {program} --config {} history shop\n\n",
        file.display(),
        file.display(),
    )?;
    if !context.out.screen().is_terminal {
        demo::legend(&pending(), &mut context.out)?;
    }
    context.out.flush()?;
    let mut ended = Ended::new().map_err(CliError::machine)?;
    let mut show = Show::new(directory.join("mailbox"), format!("http://{page}/"));
    loop {
        let since = clock::tick().duration_since(began);
        let left = time.map(|time| time.saturating_sub(since));
        show.look(context, &reader, since, left)?;
        if left.is_some_and(|left| left.is_zero()) {
            break;
        }
        if let Some(said) = daemon.process.has_ended() {
            return Err(CliError::Machine(format!(
                "the daemon of the tour ended: {said}"
            )));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY.min(left.unwrap_or(LOOK_EVERY))) => {}
            () = ended.wait() => break,
        }
    }
    daemon.process.stop().await;
    // Mails that were on their way when the time was over.
    show.look(
        context,
        &reader,
        clock::tick().duration_since(began),
        Some(Duration::ZERO),
    )?;
    farewell(context, &program, time.is_none().then_some(file.as_path()))?;
    Ok(Outcome::Fine)
}

fn farewell(context: &mut Context, program: &str, kept: Option<&Path>) -> Result<(), CliError> {
    match kept {
        None => writeln!(
            context.out,
            "\nThat was the tour; its directory is gone. For your own sites:\n"
        )?,
        Some(file) => writeln!(
            context.out,
            "\nThat was the tour. It is kept in {}\n\
             (look at it with {program} --config {} status). For your own sites:\n",
            file.parent().unwrap_or(file).display(),
            file.display()
        )?,
    }
    for (arguments, does) in [
        (
            "check https://example.com/",
            "one check, no configuration needed",
        ),
        ("config init", "write a first monitors.toml"),
        ("config check", "validate it"),
        ("run", "check, record and mail"),
        ("explain 503", "what a code means, who is responsible"),
    ] {
        if program == NAME {
            writeln!(context.out, "  {program} {arguments:<30}  {does}")?;
        } else {
            writeln!(context.out, "  {program} {arguments}\n      {does}")?;
        }
    }
    Ok(context.out.flush()?)
}

/// What starts this program in the user's shell: its name where it is installed, else its path from here.
fn program(variables: &BTreeMap<String, String>, directory: &Path) -> String {
    let Ok(path) = std::env::current_exe() else {
        return NAME.to_owned();
    };
    let is_installed = variables
        .get("PATH")
        .is_some_and(|list| std::env::split_paths(list).any(|bin| bin.join(NAME) == path));
    if is_installed {
        return NAME.to_owned();
    }
    path.strip_prefix(directory)
        .unwrap_or(&path)
        .display()
        .to_string()
}

/// Whatever ends the tour before its time: an end that leaves nothing behind.
struct Ended {
    signals: [Signal; 4],
}

impl Ended {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            signals: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::quit())?,
            ],
        })
    }

    async fn wait(&mut self) {
        let [interrupt, terminate, hangup, quit] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = quit.recv() => {}
        }
    }
}

fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn configuration(sites: &[(Site, SocketAddr)], page: SocketAddr) -> String {
    let mut text = format!(
        r#"# The configuration of the tour: short intervals, so that there is something to see.
[daemon]
database = "sitewatch.db"
control_socket = "control.sock"
shutdown_grace = "3s"
log = "warn"

[web]
listen = "{page}"
title = "sitewatch demo"

[email]
directory = "mailbox"
from = "sitewatch <sitewatch@demo.example>"
to = ["you@demo.example"]

[alerts]
group_wait = "3s"
group_interval = "5s"

[defaults]
interval = "2s"
timeout = "1500ms"
retry_interval = "500ms"
"#
    );
    for (site, address) in sites {
        let (scheme, host) = if site.is_https() {
            ("https", "localhost")
        } else {
            ("http", "127.0.0.1")
        };
        text.push_str(&format!(
            "\n[[monitor]]\nname = \"{}\"\nurl = \"{scheme}://{host}:{}/\"\n",
            site.name(),
            address.port()
        ));
        text.push_str(match site {
            Site::Steady | Site::Chain | Site::Flaky => "",
            Site::Slow => "degraded_after = \"500ms\"\n",
            Site::Shop => "note = \"Runbook: https://wiki.example/shop\"\n",
            Site::Certificate => "ca_file = \"ca.pem\"\n",
            Site::Hijacked => "on_redirect_change = \"alert\"\n",
        });
    }
    text
}

/// What is on the screen.
struct Show {
    mailbox: PathBuf,
    read: HashSet<PathBuf>,
    rows: Vec<Row>,
    /// The address of the status page.
    page: String,
    /// Lines of the table above the cursor.
    drawn: usize,
    /// Lines of mails that are still to be shown.
    lines: VecDeque<String>,
    /// What was shown last stays until then.
    stays_until: Duration,
    /// How many acts have been announced.
    acts: usize,
}

impl Show {
    fn new(mailbox: PathBuf, page: String) -> Self {
        Self {
            mailbox,
            read: HashSet::new(),
            rows: Vec::new(),
            page,
            drawn: 0,
            lines: VecDeque::new(),
            stays_until: Duration::ZERO,
            acts: 0,
        }
    }

    fn look(
        &mut self,
        context: &mut Context,
        reader: &Reader,
        since: Duration,
        left: Option<Duration>,
    ) -> Result<(), CliError> {
        let is_over = left.is_some_and(|left| left.is_zero());
        if since < self.stays_until && !is_over {
            return Ok(());
        }
        let rows = rows(reader).map_err(CliError::machine)?;
        let height = context.out.measure(&context.environment);
        let screen = context.out.screen();
        if screen.is_terminal && self.drawn > 0 {
            // Back to the first line of the table, and everything below it away; the terminal may have
            // written `^C` where the cursor is.
            write!(context.out, "\r\u{1b}[{}A\u{1b}[J", self.drawn)?;
        }
        self.drawn = 0;
        for act in ACTS.iter().skip(self.acts).filter(|act| act.at <= since) {
            let mut text = String::new();
            demo::act(since, act.happens, act.matters, screen, &mut text)?;
            self.acts += 1;
            if self.lines.is_empty() {
                context.out.write_str(&text)?;
            } else {
                // A mail is being read: the act comes after it, not into it.
                self.lines.extend(text.lines().map(str::to_owned));
            }
        }
        for path in self.new_mails() {
            if let Some((subject, body)) = read_mail(&path) {
                self.lines
                    .extend(demo::mail(since, &subject, &body, screen));
            }
            self.read.insert(path);
        }
        let is_paged = screen.is_terminal && !is_over;
        let room = if is_paged {
            height.saturating_sub(2).max(4)
        } else {
            usize::MAX
        };
        if !self.lines.is_empty() {
            for line in self.lines.drain(..room.min(self.lines.len())) {
                writeln!(context.out, "{line}")?;
            }
            if is_paged {
                // The table would push the mail away before it is read.
                self.stays_until = since + PAGE_STAYS;
                return Ok(context.out.flush()?);
            }
        }
        if screen.is_terminal {
            demo::table(&rows, left, &self.page, screen, &mut context.out)?;
            self.drawn = rows.len() + 2;
        } else {
            for (index, row) in rows.iter().enumerate() {
                let before = self.rows.get(index);
                if before.is_none_or(|before| (before.state, &before.way) != (row.state, &row.way))
                    && row.state != State::Pending
                {
                    demo::change(since, row, &mut context.out)?;
                }
            }
        }
        self.rows = rows;
        Ok(context.out.flush()?)
    }

    fn new_mails(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.mailbox)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.extension().is_some_and(|end| end == "eml") && !self.read.contains(path)
            })
            .collect();
        paths.sort_by_key(|path| fs::metadata(path).and_then(|file| file.modified()).ok());
        paths
    }
}

fn read_mail(path: &Path) -> Option<(String, String)> {
    let raw = fs::read(path).ok()?;
    let message = mail_parser::MessageParser::default().parse(&raw)?;
    Some((
        message.subject()?.to_owned(),
        message.body_text(0)?.into_owned(),
    ))
}

/// The daemon of the tour; it ends with the tour, however that ends.
struct Daemon {
    process: Process,
    directory: PathBuf,
}

impl Daemon {
    fn start(directory: &Path, file: &Path) -> Result<Self, CliError> {
        let mut command = Command::new(std::env::current_exe().map_err(CliError::machine)?);
        command.args(["run", "--tour", "--config"]).arg(file);
        let process = Process::start(command, &directory.join("daemon.log"))
            .map_err(|error| CliError::Machine(format!("cannot start the daemon: {error}")))?;
        Ok(Self {
            process,
            directory: directory.to_owned(),
        })
    }

    /// Its database, as soon as it is there.
    async fn database(&mut self) -> Result<Reader, CliError> {
        let path = self.directory.join("sitewatch.db");
        let began = clock::tick();
        loop {
            let opened = Reader::open(&path);
            if let Ok(reader) = opened {
                return Ok(reader);
            }
            if let Some(said) = self.process.has_ended() {
                return Err(CliError::Machine(format!(
                    "the daemon of the tour did not start: {said}"
                )));
            }
            if clock::tick().duration_since(began) > START_PATIENCE {
                return opened.map_err(CliError::machine);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
