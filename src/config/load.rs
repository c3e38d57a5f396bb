//! From a file and its includes to a [`Config`], or to everything that is wrong with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::de::DeTable;

use super::diagnostic::meant::as_meant;
use super::diagnostic::messages::instead_of_included;
use super::diagnostic::problem::{ConfigErrors, Fault};
use super::diagnostic::source_map::Source;
use super::diagnostic::warnings;
use super::environment::Environment;
use super::fingerprint;
use super::keys;
use super::model::{Config, DaemonSettings};
use super::read::cluster;
use super::read::include::{self, Found, Included};
use super::read::maintenance;
use super::read::monitor;
use super::read::objective;
use super::read::reader::Reading;
use super::read::referenced_files::Pipes;
use super::read::references;
use super::read::sections::section;
use super::read::table::place;
use super::read::telling;
use super::read::whole::Sections;
use super::read::{channel, channel_names};
use super::read_source::read_source;
use super::source_lists::compose::Listed;
use super::source_lists::model::ListSource;
use super::source_lists::settings;
use super::syntax::parse::{forget_consequences, parse, parsed};
use super::syntax::split_large::pieces;
use crate::domain::monitor::{Monitor, MonitorName};
use crate::domain::redaction::Masks;
use crate::domain::settings::{AlertSettings, MailTransport};
use crate::policy::outbox::hours::Hours;

/// All files together; 100 000 monitors take 20 MB. Reading takes many times as much memory, which is that of a
/// running daemon.
const FILES_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What the reading commands need of a configuration, also of one that has faults elsewhere.
#[derive(Debug, Clone)]
pub struct Brief {
    /// The file it came from.
    pub file: PathBuf,
    /// The database.
    pub database: PathBuf,
    /// The control socket.
    pub control_socket: PathBuf,
    /// For tables.
    pub timezone: TimeZone,
    /// The names of the monitors that could be read, in the order of the file.
    pub monitors: Vec<MonitorName>,
    /// The whole configuration, where nothing is wrong with it.
    pub config: Option<Config>,
    /// What is wrong elsewhere, as one sentence.
    pub warning: Option<String>,
}

/// Loads a configuration.
///
/// # Errors
/// Everything that is wrong with the file and those it includes, each with its place.
pub fn load(file: &Path, environment: &Environment) -> Result<Config, ConfigErrors> {
    load_with_sources(file, environment).map(|(config, _)| config)
}

/// As [`load`], for a daemon that runs: a pipe can be read only once.
///
/// # Errors
/// As [`load`]'s.
pub fn load_again(file: &Path, environment: &Environment) -> Result<Config, ConfigErrors> {
    let mut outcome = read(file, environment, Pipes::Refused, &mut |_| ());
    match (outcome.config.take(), outcome.faults.is_empty()) {
        (Some(mut config), true) => {
            config.fingerprint = fingerprint::of_sources(&outcome.sources);
            Ok(config)
        }
        _ => Err(outcome.errors()),
    }
}

/// As [`load`], with the texts it was made of.
pub(super) fn load_with_sources(
    file: &Path,
    environment: &Environment,
) -> Result<(Config, Vec<Source>), ConfigErrors> {
    let mut outcome = read(file, environment, Pipes::Read, &mut |_| ());
    match (outcome.config.take(), outcome.faults.is_empty()) {
        (Some(mut config), true) => {
            config.fingerprint = fingerprint::of_sources(&outcome.sources);
            Ok((config, outcome.sources))
        }
        _ => Err(outcome.errors()),
    }
}

/// The texts of a configuration, also of one that is wrong.
pub(super) fn sources(file: &Path, environment: &Environment) -> Vec<Source> {
    read(file, environment, Pipes::Refused, &mut |_| ()).sources
}

/// Loads what the reading commands need: the database, the zone and the names. Whatever is wrong
/// elsewhere is one warning.
///
/// # Errors
/// When the file cannot be read at all, or its database or zone cannot be told.
pub fn load_brief(file: &Path, environment: &Environment) -> Result<Brief, ConfigErrors> {
    load_brief_telling(file, environment, &mut |_| ())
}

/// As [`load_brief`]; `told` hears where the database is as soon as that is known, before the monitors are read.
///
/// # Errors
/// As [`load_brief`]'s.
pub fn load_brief_telling(
    file: &Path,
    environment: &Environment,
    told: &mut dyn FnMut(&Path),
) -> Result<Brief, ConfigErrors> {
    let mut outcome = read(file, environment, Pipes::Read, told);
    let Some(daemon) = outcome.daemon.take() else {
        return Err(outcome.errors());
    };
    let names = std::mem::take(&mut outcome.names);
    let config = outcome.config.take();
    let warning = (!outcome.faults.is_empty()).then(|| {
        let errors = outcome.errors();
        format!("the configuration is not valid: {}", errors.first_line())
    });
    Ok(Brief {
        file: file.to_owned(),
        database: daemon.database,
        control_socket: daemon.control_socket,
        timezone: daemon.timezone,
        monitors: names,
        config: config.filter(|_| warning.is_none()),
        warning,
    })
}

/// Everything that reading gave.
struct Outcome {
    file: PathBuf,
    sources: Vec<Source>,
    faults: Vec<Fault>,
    daemon: Option<DaemonSettings>,
    names: Vec<MonitorName>,
    config: Option<Config>,
}

impl Outcome {
    fn errors(mut self) -> ConfigErrors {
        if self.faults.is_empty() {
            // Not to be reached: a part that is missing has its fault. Still no reason to panic.
            self.faults.push(Fault::nowhere(
                "the configuration cannot be used",
                "a part of it could not be read",
            ));
        }
        ConfigErrors::new(self.file, self.sources, self.faults)
    }

    fn nothing(file: &Path, sources: Vec<Source>, fault: Fault) -> Self {
        Self {
            file: file.to_owned(),
            sources,
            faults: vec![fault],
            daemon: None,
            names: Vec::new(),
            config: None,
        }
    }
}

fn read(
    file: &Path,
    environment: &Environment,
    pipes: Pipes,
    told: &mut dyn FnMut(&Path),
) -> Outcome {
    let source = match read_source(file, 0, environment, FILES_BYTES_MAX, pipes) {
        Ok(source) => source,
        Err(refused) => {
            let (sources, fault) = *refused;
            return Outcome::nothing(file, sources, fault);
        }
    };
    let mut reading = Reading::new(environment);
    let bytes_left = FILES_BYTES_MAX.saturating_sub(source.text.len() as u64);
    reading.sources = pieces(source);
    let text = match reading.sources.first() {
        Some(first) => Arc::clone(&first.text),
        None => Arc::from(""),
    };
    let meant;
    let root = match parsed(&text) {
        Some(root) => root,
        None => {
            meant = as_meant(&mut reading, 0, Arc::clone(&text));
            parse(&mut reading, 0, &meant)
        }
    };
    let loader = Loader {
        reading,
        file: file.to_owned(),
        bytes_left,
        included: Vec::new(),
        named: Vec::new(),
        nameless: 0,
        monitors: Vec::new(),
        broken: Vec::new(),
        lists: Vec::new(),
        channels: Vec::new(),
        windows: Vec::new(),
        window_secrets: Vec::new(),
        objectives: Vec::new(),
        steps: Vec::new(),
        hours: Vec::new(),
    };
    loader.read(&root, told)
}

/// A list whose monitors are not known yet.
fn listed(source: ListSource) -> Listed {
    Listed {
        awaited: Arc::default(),
        source: Arc::new(source),
        monitors: 0,
    }
}

/// Everything that is valid and probably not meant.
fn warn(
    reading: &mut Reading<'_>,
    sections: &Sections,
    (monitors, lists): (&[Arc<Monitor>], &[Listed]),
    (hours, has_way): (&Hours, bool),
) {
    reading.warn_of_literal_secrets();
    warnings::of_unverified_by_default(reading);
    warnings::of_hurry(reading);
    if !sections.is_probe {
        warnings::of_silence(reading, has_way, monitors, lists);
    }
    warnings::of_forgotten_usual(reading, &sections.history, monitors);
    warnings::of_hours(reading, hours, monitors, lists);
    let transport = sections.email.as_ref().map(|email| &email.transport);
    if let Some(MailTransport::Smtp(server)) = transport {
        warnings::of_watched_mail_server(reading, &server.host, monitors);
    }
}

struct Loader<'e> {
    reading: Reading<'e>,
    file: PathBuf,
    /// What further files may hold.
    bytes_left: u64,
    /// What `include` found.
    included: Vec<Included>,
    /// The names of all entries, also of those that are wrong.
    named: Vec<monitor::Named>,
    /// How many entries have no name that could be told.
    nameless: usize,
    monitors: Vec<monitor::Draft>,
    /// What the monitors refer to that are wrong themselves.
    broken: Vec<monitor::Broken>,
    lists: Vec<settings::Draft>,
    channels: Vec<channel::Draft>,
    windows: Vec<maintenance::Draft>,
    /// What came by `${NAME}` in windows, objectives, steps of escalation and hours.
    window_secrets: Vec<String>,
    objectives: Vec<objective::Draft>,
    steps: Vec<telling::StepDraft>,
    hours: Vec<telling::HoursDraft>,
}

impl Loader<'_> {
    fn read(mut self, root: &DeTable<'_>, told: &mut dyn FnMut(&Path)) -> Outcome {
        let mut sections = Sections::read(&mut self.reading, &self.file, root, told);
        let mut secrets = std::mem::take(&mut self.reading.came_by_name);
        self.read_entries(root, &sections.told, &sections.alerts, &sections.zone);
        secrets.append(&mut self.window_secrets);
        let channel_secrets = self.channels.iter_mut().map(|draft| &mut draft.secrets);
        channel_secrets.for_each(|of_one| secrets.append(of_one));
        let masks = Masks::new(secrets);
        if let Some(heartbeat) = &mut sections.heartbeat {
            heartbeat.masks = masks.clone();
        }
        self.check_entries(sections.has_email);
        self.finish(sections, masks)
    }

    /// Names and references, when all entries are known.
    fn check_entries(&mut self, has_email: bool) {
        forget_consequences(&mut self.reading);
        references::check(
            &mut self.reading,
            references::Links {
                named: &self.named,
                complete: self.nameless == 0 && self.lists.is_empty(),
                monitors: &self.monitors,
                broken: &self.broken,
                windows: &self.windows,
                objectives: &self.objectives,
                steps: &self.steps,
            },
        );
        settings::unique(&mut self.reading, &self.lists);
        channel_names::check_names(&mut self.reading, &self.channels, has_email);
        telling::check_channels(&mut self.reading, &self.channels, &self.steps, &self.hours);
        forget_consequences(&mut self.reading);
        let syntax_faults = std::mem::take(&mut self.reading.syntax_faults);
        for fault in syntax_faults {
            self.reading.fault(fault);
        }
    }

    /// The monitors, and as text for the probes where there are other locations.
    fn take_monitors(&mut self) -> (Vec<Arc<Monitor>>, Vec<Box<str>>) {
        let has_places = self.reading.places.is_some();
        let mut portable = Vec::new();
        let drafts = std::mem::take(&mut self.monitors).into_iter();
        let mut monitors: Vec<_> = drafts
            .map(|draft| {
                if has_places {
                    portable.push(draft.portable);
                }
                draft.monitor
            })
            .collect();
        // Collecting takes over the room of the drafts, eight times of what is kept as long as the daemon runs.
        monitors.shrink_to_fit();
        (monitors, portable)
    }

    /// Resolves what names channels, warns, and puts everything together.
    fn finish(mut self, mut sections: Sections, masks: Masks) -> Outcome {
        let names = std::mem::take(&mut self.named).into_iter();
        let names = names.map(|named| named.name).collect();
        let (mut monitors, portable) = self.take_monitors();
        let lists = std::mem::take(&mut self.lists).into_iter();
        let mut lists: Vec<_> = lists.map(|draft| draft.source).collect();
        let levels: Vec<_> = self
            .channels
            .iter()
            .filter_map(channel::Draft::level)
            .collect();
        let channels: Vec<_> = std::mem::take(&mut self.channels)
            .into_iter()
            .filter_map(|draft| draft.channel.map(Arc::new))
            .collect();
        channel_names::resolve_every(&mut sections.told, &mut monitors, &mut lists, &channels);
        channel_names::warn_of_unnamed(&mut self.reading, &levels, &monitors, &lists);
        if let Some(report) = &mut sections.report
            && report.to == channel_names::every()
        {
            report.to = sections.told.clone();
        }
        let lists: Vec<Listed> = lists.into_iter().map(listed).collect();
        let hours = std::mem::take(&mut self.hours).into_iter();
        let hours = hours.filter_map(|draft| draft.hours).collect();
        let hours = Hours::new(hours, sections.zone.clone());
        let steps = std::mem::take(&mut self.steps).into_iter();
        let escalation: Vec<_> = steps.filter_map(|draft| draft.step).map(Arc::new).collect();
        let has_way = sections.email.is_some() || !channels.is_empty();
        let told = (&hours, has_way);
        warn(&mut self.reading, &sections, (&monitors, &lists), told);
        let windows = self.windows.into_iter();
        let objectives = self.objectives.into_iter();
        let config = sections.daemon.clone().map(|daemon| Config {
            file: self.file.clone(),
            fingerprint: 0,
            daemon,
            history: sections.history,
            dns: sections.dns,
            web: sections.web,
            email: sections.email,
            channels,
            told: sections.told,
            alerts: sections.alerts,
            escalation,
            hours,
            canaries: sections.canaries,
            report: sections.report,
            heartbeat: sections.heartbeat,
            cluster: sections.cluster.map(Arc::new),
            portable,
            monitors,
            maintenance: windows.filter_map(|draft| draft.window).collect(),
            objectives: objectives.filter_map(|draft| draft.objective).collect(),
            lists,
            masks,
            included: self.included,
            warnings: warnings::sentences(&self.reading),
        });
        Outcome {
            file: self.file,
            sources: self.reading.sources,
            faults: self.reading.faults,
            daemon: sections.daemon,
            names,
            config,
        }
    }

    /// The entries of the main file and of those it includes.
    fn read_entries(
        &mut self,
        root: &DeTable<'_>,
        email_to: &[crate::domain::recipient::Recipient],
        alerts: &AlertSettings,
        zone: &TimeZone,
    ) {
        let empty = DeTable::new();
        let table = section(
            &mut self.reading,
            root,
            &keys::DEFAULTS,
            "[defaults]",
            &empty,
        );
        let template = monitor::template(
            &mut self.reading,
            table,
            email_to.to_vec(),
            alerts.certificate_expiry.clone(),
        );
        self.read_file(0, root, &template, zone);
        for index in 1..self.reading.sources.len() {
            let Some(piece) = self.reading.sources.get(index) else {
                continue;
            };
            let text = Arc::clone(&piece.text);
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let meant;
            let root = match parsed(&text) {
                Some(root) => root,
                None => {
                    meant = as_meant(&mut self.reading, index, Arc::clone(&text));
                    parse(&mut self.reading, index, &meant)
                }
            };
            self.read_file(index, &root, &template, zone);
        }
        let (found, included) = include::included(&mut self.reading, root);
        self.included = included;
        for Found { path, named_at } in found {
            let index = u32::try_from(self.reading.sources.len()).unwrap_or(u32::MAX);
            let environment = self.reading.environment;
            match read_source(&path, index, environment, self.bytes_left, Pipes::Refused) {
                Ok(source) => {
                    self.bytes_left = self.bytes_left.saturating_sub(source.text.len() as u64);
                    self.read_included(pieces(source), &template, zone);
                }
                Err(refused) => {
                    let (sources, mut fault) = *refused;
                    self.reading.sources.extend(sources);
                    fault.place = fault.place.or(Some(named_at));
                    self.reading.fault(fault);
                }
            }
        }
    }

    /// The entries of an included file.
    fn read_included(
        &mut self,
        pieces: Vec<Source>,
        template: &monitor::Template<'_>,
        zone: &TimeZone,
    ) {
        for piece in pieces {
            let index = u32::try_from(self.reading.sources.len()).unwrap_or(u32::MAX);
            let text = Arc::clone(&piece.text);
            self.reading.sources.push(piece);
            let meant;
            let included = match parsed(&text) {
                Some(included) => included,
                None => {
                    meant = as_meant(&mut self.reading, index, Arc::clone(&text));
                    parse(&mut self.reading, index, &meant)
                }
            };
            for key in included.keys() {
                let name: &str = key.get_ref();
                if !keys::ENTRIES.contains(&name) {
                    self.reading.fault(Fault::new(
                        place(index, key.span()),
                        format!("`{name}` cannot stand in an included file"),
                        instead_of_included(name),
                    ));
                }
            }
            self.read_file(index, &included, template, zone);
        }
    }

    fn read_file(
        &mut self,
        index: u32,
        root: &DeTable<'_>,
        template: &monitor::Template<'_>,
        zone: &TimeZone,
    ) {
        for (own, header) in monitor::entries(&mut self.reading, root, index, &keys::MONITOR) {
            let (named, draft) = monitor::monitor(&mut self.reading, own, header, template);
            self.nameless += usize::from(named.is_none());
            self.named.extend(named);
            match draft {
                Ok(draft) => self.monitors.push(draft),
                Err(broken) => self.broken.push(broken),
            }
        }
        for (own, header) in monitor::entries(&mut self.reading, root, index, &keys::SOURCE) {
            cluster::refuse_source(&mut self.reading, header);
            let draft = settings::source(&mut self.reading, own, header, template);
            // Nobody knows the names of a list that is wrong.
            self.nameless += usize::from(draft.is_none());
            self.lists.extend(draft);
        }
        for (own, header) in monitor::entries(&mut self.reading, root, index, &keys::CHANNEL) {
            let draft = channel::channel(&mut self.reading, own, header);
            self.channels.push(draft);
        }
        for (own, header) in monitor::entries(&mut self.reading, root, index, &keys::MAINTENANCE) {
            self.reading.came_by_name.clear();
            let draft = maintenance::maintenance(&mut self.reading, own, header, zone);
            self.windows.push(draft);
            self.window_secrets.append(&mut self.reading.came_by_name);
        }
        for (own, header) in monitor::entries(&mut self.reading, root, index, &keys::OBJECTIVE) {
            self.reading.came_by_name.clear();
            let draft = objective::objective(&mut self.reading, own, header);
            self.objectives.push(draft);
            self.window_secrets.append(&mut self.reading.came_by_name);
        }
        self.reading.came_by_name.clear();
        for (own, header) in monitor::entries(&mut self.reading, root, index, &keys::ESCALATION) {
            let draft = telling::escalation(&mut self.reading, own, header);
            self.steps.push(draft);
        }
        for (own, header) in monitor::entries(&mut self.reading, root, index, &keys::HOURS) {
            let draft = telling::hours(&mut self.reading, own, header);
            self.hours.push(draft);
        }
        self.window_secrets.append(&mut self.reading.came_by_name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::monitor::Schedule;
    use std::time::Duration;

    fn loaded(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
        let environment = Environment {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .chain([("HOME".to_owned(), "/home/kim".to_owned())])
                .collect(),
            directory: directory.path().to_owned(),
            is_root: false,
        };
        load(Path::new("monitors.toml"), &environment).map_err(|errors| errors.to_string())
    }

    #[test]
    fn the_smallest_file_has_every_default() {
        let config = loaded(
            r#"
            [email]
            host = "smtp.example.com"
            from = "Sitewatch <alerts@example.com>"
            to = ["ops@example.com"]

            [[monitor]]
            url = "https://example.com/"
            "#,
            &[],
        )
        .unwrap();
        assert_eq!(config.warnings, Vec::<String>::new());
        let monitor = &config.monitors[0];
        assert_eq!(monitor.name.as_str(), "example.com");
        assert_eq!(monitor.schedule, Schedule::Every(Duration::from_secs(60)));
        assert_eq!(monitor.rules.timeout, Duration::from_secs(10));
        assert_eq!(monitor.rules.to[0].key(), "ops@example.com");
        assert_eq!(
            monitor.http().unwrap().expectation.status.to_string(),
            "200-299"
        );
        assert_eq!(
            config.daemon.database,
            Path::new("/home/kim/.local/state/sitewatch/sitewatch.db")
        );
        let Some(MailTransport::Smtp(server)) = config.email.map(|email| email.transport) else {
            panic!("mail goes by SMTP");
        };
        assert_eq!(server.port, 587);
        assert_eq!(
            config.canaries,
            crate::domain::settings::Canaries::MailServer {
                host: "smtp.example.com".to_owned(),
                port: 587
            }
        );
    }

    #[test]
    fn nothing_at_all_is_valid() {
        let config = loaded("", &[]).unwrap();
        assert!(config.monitors.is_empty() && config.email.is_none());
    }

    #[test]
    fn nothing_that_stands_in_a_file_takes_long_or_ends_the_process() {
        // As deep as the stack of a reload's thread is small.
        let n = 66_000;
        let monitor = "[[monitor]]\nurl = \"https://a.example/\"\n";
        let of_monitor = |text: String| format!("{monitor}{text}\n");
        let repeated = |text: &str| text.repeat(n);
        let pattern = |text: String| of_monitor(format!("body_matches = [\"{text}\"]"));
        for (text, want) in [
            (
                of_monitor(format!("tags = {}{}", repeated("["), repeated("]"))),
                "too deep",
            ),
            (of_monitor(format!("tags = {}", repeated("["))), "too deep"),
            (
                of_monitor(format!("headers = {}", repeated("{a="))),
                "too deep",
            ),
            (
                of_monitor(format!("headers{} = 1", repeated(".a"))),
                "too deep",
            ),
            (
                of_monitor(format!("[monitor{}]", repeated(".a"))),
                "too deep",
            ),
            (
                of_monitor(format!("tags = {}{}", repeated("["), repeated("}"))),
                "too deep",
            ),
            (
                of_monitor(format!("{} = 1", repeated("x"))),
                "a key has 66000 bytes",
            ),
            (
                of_monitor(format!("note = \"{}\"", repeated("x"))),
                "`note` has 66000 bytes",
            ),
            (pattern("(".repeat(4000)), "regular expression"),
            (
                pattern("a?".repeat(3000)),
                "the regular expression has 6000 bytes",
            ),
            (
                of_monitor(format!("schedule = \"{}0 * * * * *\"", "0,".repeat(1000))),
                "the cron expression has 2011 bytes",
            ),
            (
                format!("[daemon]\nlog = \"{}\"\n", "a=info,".repeat(1000)),
                "the log filter has 7000 bytes",
            ),
            (
                monitor.replace("example/", &"x".repeat(40_000)),
                "the URL has 40010 bytes",
            ),
            ("=\n".repeat(n * 2 + 1), "error"),
            (
                format!("{monitor}tags = [\"a\n").repeat(2000),
                "the quote is not closed",
            ),
            (format!("{monitor}note = \"\"\"a\n").repeat(2000), "error"),
            (
                of_monitor(format!("note = \"{}\"", "${HOME}".repeat(9000))),
                "gives more than 65536 bytes",
            ),
            (
                of_monitor(format!(
                    "headers = {{ {} }}",
                    (0..300)
                        .map(|i| format!("a{i} = \"b\""))
                        .collect::<Vec<_>>()
                        .join(", ")
                )),
                "`headers` has 300 entries",
            ),
        ] {
            let reading = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
            let read = reading.spawn(move || loaded(&text, &[]).err().unwrap_or_default());
            let said = read.unwrap().join().unwrap();
            assert!(
                said.contains(want),
                "{want}: {}",
                &said[..said.len().min(300)]
            );
            assert!(said.len() < 200_000, "{want}: {}", said.len());
        }
    }

    #[test]
    fn a_large_file_with_a_wrong_line_is_read_but_for_that_line() {
        let mut text = "[daemon]\ndatabase = \"/data/x.db\"\nlog = info\n".to_owned();
        // Nobody can tell where it may be cut.
        text.push_str("[email]\nhost = \n");
        for index in 0..10_000 {
            text.push_str(&format!(
                "[[monitor]]\nurl = \"https://a{index}.example/\"\n"
            ));
        }
        let said = loaded(&text, &[]).unwrap_err();
        assert!(said.contains("monitors.toml:3:7"), "{said}");
        assert!(said.contains("a value is missing"), "{said}");
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("monitors.toml"), text).unwrap();
        let environment = Environment {
            directory: directory.path().to_owned(),
            ..Environment::default()
        };
        let brief = load_brief(Path::new("monitors.toml"), &environment).unwrap();
        assert_eq!(brief.database, Path::new("/data/x.db"));
        assert_eq!(brief.monitors.len(), 10_000);
    }

    #[test]
    fn a_monitors_key_replaces_the_whole_default() {
        let config = loaded(
            r#"
            [defaults]
            interval = "5s"
            headers = { A = "1", B = "2" }
            tags = ["x"]
            [[monitor]]
            url = "https://a.example/"
            headers = { B = "3" }
            [[monitor]]
            url = "https://b.example/"
            schedule = "0 */5 * * * *"
            timeout = "60s"
            [[monitor]]
            url = "https://c.example/"
            "#,
            &[],
        )
        .unwrap();
        let [a, b, c] = &config.monitors[..] else {
            panic!("three monitors");
        };
        assert_eq!(a.http().unwrap().target.headers.len(), 1);
        assert_eq!(a.rules.timeout, Duration::from_secs(5));
        assert_eq!(a.rules.retry_interval, Duration::from_secs(5));
        assert_eq!(b.http().unwrap().target.headers.len(), 2);
        assert_eq!(b.rules.interval, Duration::from_secs(300));
        assert_eq!(b.rules.timeout, Duration::from_secs(60));
        assert_eq!(*b.tags, ["x"]);
        assert!(Arc::ptr_eq(
            &a.http().unwrap().expectation,
            &c.http().unwrap().expectation
        ));
        assert!(Arc::ptr_eq(&a.rules, &c.rules));
    }

    #[test]
    fn what_came_by_name_is_masked_in_what_changed() {
        let text = |tag: &str| {
            format!(
                "[web]\nlisten = \"127.0.0.1:80\"\ntitle = \"{tag}\"\n\
                 [[monitor]]\nurl = \"https://a.example/\"\ntags = [\"{tag}\"]\nnote = \"{tag}\"\n\
                 [[maintenance]]\ntags = [\"{tag}\"]\n\
                 start = 2026-12-01T02:00:00Z\nend = 2026-12-01T03:00:00Z\n"
            )
        };
        let named = loaded(&text("${TAG}"), &[("TAG", "geheim")]).unwrap();
        let plain = loaded(&text("other"), &[]).unwrap();
        for (old, new) in [(&named, &plain), (&plain, &named)] {
            let said = super::super::diff(old, new).to_string();
            assert!(!said.contains("geheim"), "{said}");
            assert!(said.contains("tag ***"), "{said}");
        }
    }

    #[test]
    fn objectives_and_multiples_of_the_usual_are_read_or_refused() {
        let objective = |keys: &str| format!("[[objective]]\nname = \"A\"\n{keys}\n");
        let slow = |limit: &str| {
            format!("[[monitor]]\nurl = \"https://a.example/\"\ndegraded_after = \"{limit}\"\n")
        };
        for (text, want) in [
            ("[[objective]]\nuptime = 99.9\n".to_owned(), "needs `name`"),
            (objective(""), "needs `uptime`"),
            (objective("uptime = 100"), "leaves no error budget"),
            (
                objective("uptime = 0.0"),
                "no percentage above 0 and below 100",
            ),
            (
                objective("uptime = 99\nperiod = \"1h\""),
                "`period` is 1h, outside",
            ),
            (
                objective("uptime = 99\nmonitors = [\"x\"]"),
                "there is no monitor `x`",
            ),
            (objective("uptime = 99\ntags = []"), "`tags` is empty"),
            (objective("uptime = 99").repeat(2), "the name `A` is taken"),
            (slow("3x"), "write \"3x usual\""),
            (slow("1x usual"), "is not more than the usual"),
            (slow("very usual"), "is no multiple of the usual"),
        ] {
            let said = loaded(&text, &[]).unwrap_err();
            assert!(said.contains(want), "{want}: {said}");
        }
        let text = slow("2.5x usual") + &objective("uptime = 99.95\nperiod = \"month\"");
        let config = loaded(&text, &[]).unwrap();
        let objective = &config.objectives[0];
        assert_eq!((&*objective.name, objective.alerts_on_burn), ("A", false));
        assert_eq!(objective.target.to_string(), "99.95");
        assert_eq!(config.monitors_of(objective).count(), 1);
        let limit = config.monitors[0].subject.degraded_after();
        assert_eq!(limit.to_string(), "2.5x usual");
    }

    #[test]
    fn defaults_without_verification_are_one_warning() {
        let warnings = |monitors: &str| {
            let text = format!(
                "[email]\ndirectory = \"/tmp\"\nfrom = \"a@b\"\nto = [\"a@b\"]\n[defaults]\nverify_tls = false\n{monitors}"
            );
            loaded(&text, &[]).unwrap().warnings
        };
        let url = |url: &str| format!("[[monitor]]\nurl = \"{url}\"\n");
        let (one, two, plain) = (url("https://a/"), url("https://b/"), url("http://c/"));
        assert_eq!(
            warnings(&format!("{one}{two}{plain}")),
            [
                "monitors.toml:6: 2 https monitors are checked without looking at their certificates (`verify_tls = false`)"
            ]
        );
        assert_eq!(
            warnings(&format!("{one}{plain}")),
            [
                "monitors.toml:6: 1 https monitor is checked without looking at its certificate (`verify_tls = false`)"
            ]
        );
        assert!(warnings(&format!("{one}verify_tls = true\n")).is_empty());
    }

    #[test]
    fn what_came_by_name_is_masked() {
        let config = loaded(
            r#"
            [[monitor]]
            name = "a"
            url = "https://${HOST}.example/?q=${WORD}"
            basic_auth = { username = "kim", password = "hunter22" }
            [[monitor]]
            name = "b"
            url = "https://me:geheim1@b.example/"
            headers = { Authorization-Extra = "Bearer topsecret" }
            "#,
            &[("HOST", "internal"), ("WORD", "wordword")],
        )
        .unwrap();
        let masks = config.monitors[0].masks();
        assert_eq!(
            masks.apply("internal wordword hunter22 a2ltOmh1bnRlcjIy kim"),
            "*** *** *** *** kim"
        );
        let masks = config.monitors[1].masks();
        assert_eq!(
            masks.apply("geheim1 topsecret wordword"),
            "*** *** wordword"
        );
    }

    /// Of a channel's URL a word is no secret that stands in the clear beside it.
    #[test]
    fn the_words_of_a_channels_url_are_masked_where_they_hide_something() {
        let config = loaded(
            r#"
            [[channel]]
            name = "alerts"
            format = "ntfy"
            url = "https://ntfy.example.com/alerts"
            [[channel]]
            name = "hook"
            format = "json"
            url = "https://hooks.example.com/sitewatch"
            [[channel]]
            name = "own"
            format = "json"
            url = "https://hooks.example.com/in/a-secret-path?key=a-secret-key"
            [[channel]]
            name = "duty"
            format = "opsgenie"
            url = "https://api.example.com/jsm/ops/integration"
            token = "a-secret-token"
            "#,
            &[],
        )
        .unwrap();
        let masked = |text: &str| config.masks.apply(text).into_owned();
        let plain = "alerts by sitewatch: the integration, a-secret";
        assert_eq!(masked(plain), plain);
        for secret in ["a-secret-path", "key=a-secret-key", "a-secret-token"] {
            assert_eq!(masked(&format!("x {secret} y")), "x *** y");
        }
        for url in [
            "https://ntfy.example.com/alerts",
            "https://hooks.example.com/sitewatch",
            "https://api.example.com/jsm/ops/integration",
        ] {
            assert_eq!(masked(url), "***");
        }
    }
}
