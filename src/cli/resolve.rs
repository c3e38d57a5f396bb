//! Where a command finds its configuration, its database and its monitors.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::context::{Context, Used};
use super::error::CliError;
use super::output;
use crate::clock;
use crate::config::{self, Config};
use crate::control::{self, Answer, Request};
use crate::daemon::source_lists::kept;
use crate::domain::monitor::{MonitorId, MonitorName};
use crate::domain::nearest::nearest;
use crate::store::error::StoreError;
use crate::store::facts::monitors::StoredMonitor;
use crate::store::facts::source_lists::KeptList;
use crate::store::reader::Reader;
use crate::view::time_text::Clock;

/// At most this many unknown names are listed.
const UNKNOWN_MAX: usize = 10;

/// What the commands that read the database take from the configuration.
pub struct Place {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// The database.
    pub database: PathBuf,
    /// The daemon's control socket, if the configuration is known.
    pub control_socket: Option<PathBuf>,
    /// For tables.
    pub zone: TimeZone,
    /// The names of the configuration, in its order.
    pub names: Vec<MonitorName>,
    /// The whole configuration, if it has no fault; its monitors are in the order of `names`.
    pub config: Option<Config>,
}

/// Loads the whole configuration; whatever is wrong with it ends the command.
pub fn config(context: &mut Context) -> Result<Config, CliError> {
    let file = locate(context)?;
    let mut config = config::load(&file, &context.environment)
        .map_err(|errors| CliError::configuration(&errors))?;
    if let Some(database) = &context.options.database {
        config.daemon.database.clone_from(database);
    }
    context.used = Some(Used {
        file: Some(config.file.clone()),
        database: config.daemon.database.clone(),
        control_socket: Some(config.daemon.control_socket.clone()),
    });
    Ok(config)
}

/// As [`config()`], for a command that needs no database: a plugin often runs without the `$HOME` that a default path
/// needs.
pub fn config_without_database(context: &mut Context) -> Result<Config, CliError> {
    let places = ["STATE_DIRECTORY", "XDG_STATE_HOME", "HOME"];
    let environment = &mut context.environment;
    if places.iter().all(|name| environment.get(name).is_none()) {
        let here = environment.directory.display().to_string();
        environment
            .variables
            .insert("XDG_STATE_HOME".to_owned(), here);
    }
    config(context)
}

/// Loads what the reading commands need. Faults elsewhere in the file are one warning; with `--database` no
/// configuration is needed at all.
pub fn brief(context: &mut Context) -> Result<Place, CliError> {
    brief_telling(context, &mut |_| ())
}

/// As [`brief`]; `told` hears where the database is before a long list of monitors is read.
pub fn brief_telling(
    context: &mut Context,
    told: &mut dyn FnMut(&Path),
) -> Result<Place, CliError> {
    let database = context.options.database.clone();
    if let Some(database) = &database {
        told(database);
    }
    let file = match (locate(context), &database) {
        (Ok(file), _) => file,
        (Err(_), Some(database)) if context.options.config.is_none() => {
            let place = Place {
                file: None,
                database: database.clone(),
                control_socket: None,
                zone: TimeZone::system(),
                names: Vec::new(),
                config: None,
            };
            context.used = Some(place.used());
            return Ok(place);
        }
        (Err(error), _) => return Err(error),
    };
    let brief = match &database {
        Some(_) => config::load_brief(&file, &context.environment),
        None => config::load_brief_telling(&file, &context.environment, told),
    };
    let brief = brief.map_err(|errors| CliError::configuration(&errors))?;
    if let Some(warning) = &brief.warning {
        context.out.warning(warning);
    }
    if let Some(config) = &brief.config
        && config.is_probe()
        && database.is_none()
    {
        return Err(CliError::Usage(format!(
            "{} is the configuration of a probe, which keeps no history: run this on its hub",
            config.file.display()
        )));
    }
    let mut place = Place {
        file: Some(brief.file),
        database: database.unwrap_or(brief.database),
        control_socket: Some(brief.control_socket),
        zone: brief.timezone,
        names: brief.monitors,
        config: brief.config,
    };
    if let Some(config) = place.config.take_if(|config| !config.lists.is_empty()) {
        let config = kept::with_kept(&config, kept_in(&place.database));
        let names = config.monitors.iter().map(|monitor| monitor.name.clone());
        place.names = names.collect();
        place.config = Some(config);
    }
    context.used = Some(place.used());
    Ok(place)
}

/// A configuration with the monitors of its lists, for a command that checks: files are read, other lists are those
/// that the daemon read last.
pub fn with_lists(context: &mut Context, config: Config) -> Config {
    if config.lists.is_empty() {
        return config;
    }
    let config = kept::with_lists(&config, kept_in(&config.daemon.database));
    for list in config.lists.iter().filter(|list| list.monitors == 0) {
        let called = output::quoted(&list.source.called);
        context.out.warning(&format!(
            "no list is known from {called}: the daemon has not read it yet"
        ));
    }
    for list in config.lists.iter().filter(|list| !list.awaited.is_empty()) {
        let called = output::quoted(&list.source.called);
        context.out.warning(&format!(
            "of {called} only those are known whose URLs have no user and no password, {} are left out",
            list.awaited.len()
        ));
    }
    config
}

/// The lists that a database keeps; one that cannot be read keeps none.
fn kept_in(database: &Path) -> impl FnMut(&str) -> Option<KeptList> {
    let reader = Reader::open(database).ok();
    move |key| reader.as_ref()?.kept_list(key).ok()?
}

fn locate(context: &mut Context) -> Result<PathBuf, CliError> {
    let named = context.options.config.as_deref();
    let located = config::locate(named, &context.environment)?;
    if let Some(warning) = &located.warning {
        context.out.warning(warning);
    }
    Ok(located.file)
}

impl Place {
    /// Opens the database for reading.
    pub fn reader(&self) -> Result<Reader, CliError> {
        Reader::open(&self.database)
            .map_err(|error| CliError::Machine(troubled(&error, &self.used())))
    }

    /// The clock of tables.
    pub fn clock(&self) -> Clock {
        Clock {
            zone: self.zone.clone(),
            now: clock::now(),
        }
    }

    /// The second line of a message that nothing was found: which files were used.
    pub fn looked_in(&self) -> String {
        match &self.file {
            Some(file) => format!(
                "looked in {} and {}",
                file.display(),
                self.database.display()
            ),
            None => format!("looked in {}", self.database.display()),
        }
    }

    /// The monitors of the database that are named; all of the configuration, and those without one, if none is.
    ///
    /// A name that neither knows is wrong usage.
    pub fn select(
        &self,
        known: &[StoredMonitor],
        names: &[String],
    ) -> Result<Vec<MonitorId>, CliError> {
        let mut ids = Vec::with_capacity(names.len());
        let mut unknown = Vec::new();
        for name in names {
            match known.iter().find(|monitor| monitor.name.as_str() == name) {
                Some(monitor) => ids.push(monitor.id),
                None if self.names.iter().any(|known| known.as_str() == name) => {}
                None => unknown.push(name.as_str()),
            }
        }
        if !unknown.is_empty() {
            let all = known
                .iter()
                .map(|monitor| monitor.name.as_str())
                .chain(self.names.iter().map(MonitorName::as_str));
            let all: Vec<&str> = all.collect();
            return Err(CliError::Usage(format!(
                "{}\n  {}",
                unknown_monitors(&unknown, &all),
                self.looked_in()
            )));
        }
        Ok(ids)
    }

    fn used(&self) -> Used {
        Used {
            file: self.file.clone(),
            database: self.database.clone(),
            control_socket: self.control_socket.clone(),
        }
    }
}

/// A fault of the database with its file and, if that is not plain, with what to do.
pub fn troubled(error: &StoreError, used: &Used) -> String {
    let database = used.database.display();
    if let Some(said) = taken_away(error, used) {
        return said;
    }
    let by = match &used.file {
        Some(file) if matches!(error, StoreError::Missing { .. }) => {
            format!("\n  the configuration is {}", file.display())
        }
        // What SQLite says of the disk names no file.
        Some(file) if !error.names_its_file() => {
            format!("\n  looked in {} and {database}", file.display())
        }
        None if !error.names_its_file() => format!("\n  looked in {database}"),
        _ => String::new(),
    };
    let advice = match error.is_damage() {
        true => format!(
            "\n  the daemon, where it meets the damage, puts the file aside and goes on with a new one; what can still \
             be read: sqlite3 {database} .recover"
        ),
        false => String::new(),
    };
    format!("{error}{by}{advice}")
}

/// What the running daemon says of a database that is not where it should be, or not what it should be.
fn taken_away(error: &StoreError, used: &Used) -> Option<String> {
    match error {
        StoreError::Missing { .. }
        | StoreError::Removed { .. }
        | StoreError::Directory { .. }
        | StoreError::Foreign { .. }
        | StoreError::Link { .. }
        | StoreError::Damaged(_)
        | StoreError::Overwritten
        | StoreError::Io(_)
        | StoreError::File { .. } => {}
        StoreError::Denied { .. }
        | StoreError::Log { .. }
        | StoreError::Locked { .. }
        | StoreError::Newer { .. }
        | StoreError::Older { .. }
        | StoreError::Full
        | StoreError::ReadOnly
        | StoreError::Busy
        | StoreError::Sql(_) => return None,
    }
    let socket = used.control_socket.as_deref()?;
    let Ok(Answer::Daemon(daemon)) =
        control::ask_within(socket, &Request::Status, control::STATUS_WAIT)
    else {
        return None;
    };
    let what = match (daemon.files, error) {
        (Some(files), _) => files,
        (None, StoreError::Missing { .. }) if daemon.database == used.database => {
            "the database was removed or renamed while the daemon runs".to_owned()
        }
        (None, _) => return None,
    };
    Some(format!(
        "open `{}`: {what}; the daemon (process {}) goes on, its log and the [TROUBLE database] mail say more",
        used.database.display(),
        daemon.pid
    ))
}

/// The error for unknown names, each with the nearest known one.
pub fn unknown_monitors(names: &[&str], known: &[&str]) -> String {
    let near = |name: &str| {
        nearest(name, known.iter().copied()).map(|known| format!("did you mean `{known}`?"))
    };
    if let [name] = names {
        let near = near(name).map_or_else(String::new, |near| format!("; {near}"));
        return format!("no monitor `{}`{near}", output::quoted(name));
    }
    let mut said: Vec<String> = names
        .iter()
        .take(UNKNOWN_MAX)
        .map(|name| {
            let near = near(name).map_or_else(String::new, |near| format!(" ({near})"));
            format!("`{}`{near}", output::quoted(name))
        })
        .collect();
    if names.len() > UNKNOWN_MAX {
        said.push(format!("{} more", names.len() - UNKNOWN_MAX));
    }
    let last = said.pop().unwrap_or_default();
    format!("no monitors {} and {last}", said.join(", "))
}

/// A path for a message.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
