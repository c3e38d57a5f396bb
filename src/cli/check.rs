//! `sitewatch check`: checks now, without the daemon, and writes nothing.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::task::JoinSet;
use unicode_width::UnicodeWidthStr;

use super::context::Context;
use super::error::{CliError, Outcome, PluginState};
use super::{output, resolve};
use crate::clock;
use crate::config::{Config, default_subject};
use crate::daemon::checks::addresses::{Eyes, look};
use crate::daemon::checks::judging::Judges;
use crate::daemon::process::fd_limit::make_room;
use crate::domain::check::{Check, CheckState};
use crate::domain::connect_to::{BadAddress, ConnectTo, Direct};
use crate::domain::evidence::Keep;
use crate::domain::http_choice::HttpChoice;
use crate::domain::monitor::{Monitor, MonitorName};
use crate::domain::slow_limit::{Factor, SlowLimit, Usual};
use crate::domain::subject::{Kinds, Locator, Subject, SubjectKind};
use crate::domain::target::DnsSettings;
use crate::policy::verdict::judge::as_seen;
use crate::policy::verdict::usual;
use crate::probe::Prober;
use crate::store::reader::Reader;
use crate::view::check::{self as view, CheckView};
use crate::view::json::{self, Audience};
use crate::view::terminal::Screen;
use crate::view::time_text::{Clock, grouped};
use crate::view::{many_checks, nagios};

/// Without a configuration this many checks are on their way at most.
const CONCURRENT_MAX: usize = 512;

/// Arguments of `sitewatch check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  sitewatch check https://example.com/\n  sitewatch check\n  \
    sitewatch check shop --json\n  \
    sitewatch check tls://mail.example.com:993 icmp://router.example.net\n  \
    sitewatch check --connect-to 203.0.113.7 https://example.com/\n  sitewatch check --nagios shop\n\n\
    Exit status: 0 all are up or degraded, 1 something is down or unknown,\n\
    2 wrong usage or configuration. With --nagios: 0 up, 1 degraded, 2 down,\n\
    3 unknown or no verdict."
)]
pub struct Args {
    /// Monitors by name, or URLs, which need no configuration [default: all monitors]
    #[arg(value_name = "NAME or URL", add = super::complete::monitors())]
    pub sites: Vec<String>,
    /// Show the full redirect chain for every site, not just failing ones
    #[arg(long, short)]
    pub verbose: bool,
    /// Connect to this host instead, with or without a port; SNI, Host and certificate name stay the URL's
    #[arg(long, value_name = "ADDR", value_parser = ConnectTo::parse)]
    pub connect_to: Option<ConnectTo>,
    /// Check every address of the URL's host by itself, 16 at most
    #[arg(long)]
    pub each: bool,
    /// Speak this version of HTTP: 1.1, 2 or 3, which must work then, or `offered`: each that the site offers
    #[arg(long, value_name = "VERSION", value_parser = http_choice)]
    pub http: Option<HttpChoice>,
    /// Print one line for Nagios and exit with 0, 1, 2 or 3
    #[arg(long, conflicts_with_all = ["json", "verbose"])]
    pub nagios: bool,
}

/// What is checked.
#[derive(Clone)]
struct Site {
    name: String,
    url: String,
    subject: Subject,
    /// What is usual for it at this hour of the week, where that is its limit and it is recorded.
    usual: Option<(Factor, Usual)>,
}

struct Plan {
    sites: Vec<Site>,
    /// The database of the configuration, if there is one.
    database: Option<PathBuf>,
    dns: DnsSettings,
    concurrent: usize,
    zone: TimeZone,
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    let mut plan = plan(context, args)?;
    let concurrent = room(&plan);
    let prober = Prober::new(&plan.dns).map_err(CliError::machine)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::machine)?;
    let clock = Clock {
        zone: plan.zone.clone(),
        now: clock::now(),
    };
    look_up_usuals(context, &mut plan);
    let begun = clock::tick();
    let mut report = Report::new(args, &plan, clock, context.out.screen());
    let judges = Arc::new(Judges::default());
    runtime.block_on(async {
        let mut running = JoinSet::new();
        let mut waiting = plan.sites.iter().cloned().enumerate();
        loop {
            while running.len() < concurrent
                && let Some((index, site)) = waiting.next()
            {
                let (prober, judges) = (prober.clone(), Arc::clone(&judges));
                running.spawn(async move {
                    let began = clock::now();
                    let eyes = Eyes {
                        prober: &prober,
                        judges: &judges,
                        canaries: None,
                    };
                    let (subject, room) = (&site.subject, Duration::MAX);
                    let judged = look(eyes, subject, began, room, Keep::Nothing).await;
                    (index, judged)
                });
            }
            match running.join_next().await {
                None => return Ok(()),
                Some(Ok((index, Ok(judged)))) => {
                    let site = &plan.sites[index];
                    let mut check = as_seen(judged.check);
                    if let Some((factor, usual)) = site.usual {
                        usual::judge(&mut check, factor, usual);
                    }
                    report.take(context, site, check)?;
                }
                Some(Ok((_, Err(broken)))) => {
                    return Err(CliError::Machine(format!("a check broke off: {broken}")));
                }
                Some(Err(broken)) => {
                    return Err(CliError::Machine(format!("a check broke off: {broken}")));
                }
            }
        }
    })?;
    report.end(context, begun.elapsed())
}

/// Finds out what is usual for monitors with such a limit, and says of which that is not known.
fn look_up_usuals(context: &mut Context, plan: &mut Plan) {
    let factor = |site: &Site| match site.subject.degraded_after() {
        SlowLimit::Usual(factor) => Some(factor),
        SlowLimit::Never | SlowLimit::After(_) => None,
    };
    if !plan.sites.iter().any(|site| factor(site).is_some()) {
        return;
    }
    let now = clock::now();
    let database = plan.database.as_deref();
    let reader = database.and_then(|database| Reader::open(database).ok());
    let known = reader.as_ref().and_then(|reader| reader.monitors().ok());
    let known = known.unwrap_or_default();
    let mut unknown: Vec<&str> = Vec::new();
    for site in &mut plan.sites {
        let Some(factor) = factor(site) else { continue };
        let mut monitors = known.iter();
        let stored = monitors.find(|stored| stored.name.as_str() == site.name);
        let usual = stored.zip(reader.as_ref()).and_then(|(stored, reader)| {
            let usual = reader.usual_total(stored.id, now);
            usual.ok().flatten()
        });
        site.usual = usual.map(|usual| (factor, usual));
        if usual.is_none() {
            unknown.push(&site.name);
        }
    }
    if let Some(first) = unknown.first() {
        let others = match unknown.len() {
            1 => String::new(),
            many => format!(" and {} others", many - 1),
        };
        context.out.note(&format!(
            "what is usual for {}{others} at this hour of the week is not known yet (it takes two weeks of checks): \
             no time counts as slow",
            output::quoted(first)
        ));
    }
}

/// How many checks there are at once: more than the system has descriptors for would be failures of ours.
fn room(plan: &Plan) -> usize {
    let wanted = u32::try_from(plan.concurrent.min(plan.sites.len())).unwrap_or(u32::MAX);
    let room = make_room(wanted.max(1));
    usize::try_from(room.slots).unwrap_or(plan.concurrent)
}

/// The results so far, and how they are shown.
struct Report {
    nagios: bool,
    verbose: bool,
    sites: usize,
    name_columns: usize,
    clock: Clock,
    results: Vec<(Site, Check)>,
    counts: [usize; 4],
}

impl Report {
    fn new(args: &Args, plan: &Plan, clock: Clock, screen: Screen) -> Self {
        let widest = plan.sites.iter().map(|site| site.name.width()).max();
        Self {
            nagios: args.nagios,
            verbose: args.verbose,
            sites: plan.sites.len(),
            name_columns: many_checks::name_columns(widest.unwrap_or(0), screen),
            clock,
            results: Vec::new(),
            counts: [0; 4],
        }
    }

    /// Shows one result as it comes; what needs the whole is kept.
    fn take(&mut self, context: &mut Context, site: &Site, check: Check) -> Result<(), CliError> {
        let state = check.verdict.state();
        self.counts[state as usize] += 1;
        if self.nagios {
            self.results.push((site.clone(), check));
            return Ok(());
        }
        let screen = context.out.screen();
        let out = &mut context.out;
        if context.options.json {
            json::line(
                &json::check(&site.name, &site.url, &check, Audience::Owner),
                out,
            )?;
        } else {
            let shown = CheckView {
                monitor: &site.name,
                url: &site.url,
                check: &check,
            };
            if self.sites == 1 || self.verbose {
                view::whole(&shown, &self.clock, screen, out)?;
                if self.sites > 1 {
                    writeln!(out)?;
                }
            } else {
                if self.counts.iter().sum::<usize>() == 1 {
                    many_checks::brief_heading(self.name_columns, screen, out)?;
                }
                many_checks::brief(&shown, self.name_columns, screen, out)?;
                if state != CheckState::Up {
                    self.results.push((site.clone(), check));
                }
            }
        }
        out.flush()?;
        Ok(())
    }

    fn end(self, context: &mut Context, took: Duration) -> Result<Outcome, CliError> {
        let [up, degraded, down, unknown] = self.counts;
        if self.nagios {
            let state = match (down, unknown, degraded, up) {
                (1.., ..) => PluginState::Critical,
                (0, 1.., ..) | (0, 0, 0, 0) => PluginState::Unknown,
                (0, 0, 1.., _) => PluginState::Warning,
                (0, 0, 0, 1..) => PluginState::Ok,
            };
            self.plugin(context, state)?;
            return Ok(Outcome::Plugin(state));
        }
        let many = self.sites > 1 && !context.options.json;
        if many {
            let screen = context.out.screen();
            for (site, check) in &self.results {
                writeln!(context.out)?;
                let shown = CheckView {
                    monitor: &site.name,
                    url: &site.url,
                    check,
                };
                view::whole(&shown, &self.clock, screen, &mut context.out)?;
            }
            context.out.flush()?;
            context
                .out
                .note(&summary(self.sites, [up, degraded, down, unknown], took));
        }
        if self.sites == 0 && !context.options.json {
            context.out.note("there is no monitor to check");
        }
        Ok(if down + unknown > 0 {
            Outcome::Bad
        } else {
            Outcome::Fine
        })
    }

    fn plugin(&self, context: &mut Context, state: PluginState) -> Result<(), CliError> {
        let word = match state {
            PluginState::Ok => "OK",
            PluginState::Warning => "WARNING",
            PluginState::Critical => "CRITICAL",
            PluginState::Unknown => "UNKNOWN",
        };
        let views: Vec<CheckView<'_>> = self
            .results
            .iter()
            .map(|(site, check)| CheckView {
                monitor: &site.name,
                url: &site.url,
                check,
            })
            .collect();
        nagios::write(word, &views, self.clock.now, &mut context.out)?;
        Ok(())
    }
}

fn summary(sites: usize, counts: [usize; 4], took: Duration) -> String {
    let words: Vec<String> = CheckState::ALL
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{} {state}", grouped(count as u64)))
        .collect();
    format!(
        "{} sites in {:.1} s: {}",
        grouped(sites as u64),
        took.as_secs_f64(),
        words.join(", ")
    )
}

fn plan(context: &mut Context, args: &Args) -> Result<Plan, CliError> {
    let is_url = |text: &str| text.contains("://") && SubjectKind::of_url(text).is_some();
    let has_other_scheme = |text: &&String| text.contains("://") && !is_url(text);
    if let Some(site) = args.sites.iter().find(has_other_scheme) {
        let quoted = output::quoted(site);
        let message = format!("`{quoted}` cannot be checked: only {} can", Kinds::ALL);
        return Err(CliError::Usage(message));
    }
    let has_way = args.connect_to.is_some() || args.each || args.http.is_some();
    if has_way && (args.sites.is_empty() || !args.sites.iter().all(|site| is_url(site))) {
        return Err(CliError::Usage(
            "--connect-to, --each and --http go with URLs; a monitor has the keys `connect_to`, `addresses` and `http`"
                .to_owned(),
        ));
    }
    let only_urls = !args.sites.is_empty() && args.sites.iter().all(|site| is_url(site));
    if only_urls && context.options.config.is_none() {
        let sites = args.sites.iter().map(|url| of_url(url, args));
        return Ok(Plan {
            sites: sites.collect::<Result<_, _>>()?,
            database: None,
            dns: DnsSettings::default(),
            concurrent: CONCURRENT_MAX,
            zone: TimeZone::system(),
        });
    }
    let config =
        resolve::config_without_database(context).map_err(|error| hint_at_urls(args, error))?;
    let config = resolve::with_lists(context, config);
    let sites = if args.sites.is_empty() {
        let enabled = config.monitors.iter().filter(|monitor| monitor.enabled);
        enabled.map(|monitor| of_monitor(monitor)).collect()
    } else {
        named(&config, args, is_url)?
    };
    Ok(Plan {
        sites,
        database: Some(config.daemon.database.clone()),
        dns: config.dns.clone(),
        concurrent: usize::try_from(config.daemon.max_concurrent_checks)
            .unwrap_or(CONCURRENT_MAX)
            .max(1),
        zone: config.daemon.timezone.clone(),
    })
}

/// The value of `--http`.
fn http_choice(word: &str) -> Result<HttpChoice, String> {
    match HttpChoice::parse(word, BadAddress::Degraded) {
        Some(choice) if choice.lacks_http3() => Err(format!(
            "this program was built without the feature `http3`; {}",
            HttpChoice::HOW_TO_HAVE_HTTP3
        )),
        Some(choice) => Ok(choice),
        None => Err(format!("write one of {}", HttpChoice::WORDS.join(", "))),
    }
}

/// The monitors and URLs that are named, in that order; all unknown names are said at once.
fn named(
    config: &Config,
    args: &Args,
    is_url: impl Fn(&str) -> bool,
) -> Result<Vec<Site>, CliError> {
    let mut sites = Vec::with_capacity(args.sites.len());
    let mut unknown = Vec::new();
    for name in &args.sites {
        let mut all = config.monitors.iter();
        match all.find(|monitor| monitor.name.as_str() == name) {
            Some(monitor) => sites.push(of_monitor(monitor)),
            None if is_url(name) => sites.push(of_url(name, args)?),
            None => unknown.push(name.as_str()),
        }
    }
    if unknown.is_empty() {
        return Ok(sites);
    }
    let all = config.monitors.iter().map(|monitor| monitor.name.as_str());
    let is_like_host = |name: &&&str| name.contains(['.', ':']) && !name.contains(' ');
    let meant = unknown
        .iter()
        .find(is_like_host)
        .map(|name| likely_url(name));
    let meant = meant.map_or_else(
        || "a URL begins with its scheme, like https:// or tcp://".to_owned(),
        |url| format!("is `{url}` meant?"),
    );
    Err(CliError::Usage(format!(
        "{}\n  looked in {}; {meant}",
        resolve::unknown_monitors(&unknown, &all.collect::<Vec<_>>()),
        resolve::shown(&config.file)
    )))
}

/// Without a configuration, `check example.com` means the site.
fn hint_at_urls(args: &Args, error: CliError) -> CliError {
    match (args.sites.first(), error) {
        (Some(site), CliError::NoConfiguration { missing, .. }) => {
            let url = likely_url(site);
            CliError::NoConfiguration {
                missing,
                hint: Some(format!("only a URL needs none: is `{url}` meant?")),
            }
        }
        (_, error) => error,
    }
}

/// The URL of a host that is written without a scheme: other ports than 443 mostly speak plain HTTP.
fn likely_url(text: &str) -> String {
    let host = text.split('/').next().unwrap_or(text);
    let port = host.rsplit_once(':').map(|(_, port)| port);
    let is_plain = port.is_some_and(|port| port != "443" && port.parse::<u16>().is_ok());
    let scheme = if is_plain { "http" } else { "https" };
    format!("{scheme}://{}", output::quoted(text))
}

fn of_monitor(monitor: &Monitor) -> Site {
    Site {
        name: monitor.name.as_str().to_owned(),
        url: monitor.url_shown(),
        subject: monitor.subject.clone(),
        usual: None,
    }
}

/// A site that no configuration knows: every key at its default.
fn of_url(text: &str, args: &Args) -> Result<Site, CliError> {
    let wrong = |why: String| {
        CliError::Usage(format!(
            "`{}` is not a valid URL: {why}",
            output::quoted(text)
        ))
    };
    let way = Direct {
        connect_to: args.connect_to.clone(),
        each: args.each.then_some(BadAddress::Degraded),
        alternative: None,
    };
    let http = args.http.unwrap_or_default();
    let option = match (&way.connect_to, way.each) {
        (Some(_), _) => Some("--connect-to"),
        (None, Some(_)) => Some("--each"),
        (None, None) => None,
    };
    let (locator, subject) = default_subject(text, way, http).map_err(wrong)?;
    if args.http.is_some() && locator.http().is_none() {
        return Err(CliError::Usage(format!(
            "--http is not for {}: http and https have it",
            locator.kind().monitor()
        )));
    }
    if let (Some(option), Locator::Icmp(_) | Locator::Dns(_)) = (option, &locator) {
        return Err(CliError::Usage(format!(
            "{option} is not for {}: http, https, tcp and tls have it",
            locator.kind().monitor()
        )));
    }
    Ok(Site {
        name: MonitorName::default_of(&locator).as_str().to_owned(),
        url: subject.url_shown(),
        subject,
        usual: None,
    })
}
