//! Where things are: which file counts, which database, which socket.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::environment::Environment;

/// The configuration of a machine.
const SYSTEM_FILE: &str = "/etc/sitewatch/monitors.toml";
/// Where a machine's daemon keeps its state, by its unit's StateDirectory=.
const SYSTEM_STATE: &str = "/var/lib/sitewatch";
/// Where it has its socket, by its unit's RuntimeDirectory=.
const SYSTEM_RUNTIME: &str = "/run/sitewatch";

/// The file in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Its path, as it is shown in messages.
    pub file: PathBuf,
    /// Why a file that was there does not count: one sentence.
    pub warning: Option<String>,
}

/// No configuration was found; displays as what was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    looked_at: Vec<PathBuf>,
    /// Why a file that was there does not count: one sentence.
    pub warning: Option<String>,
}

impl NotFound {
    /// The same in one line.
    pub fn line(&self) -> String {
        let paths: Vec<String> = self
            .looked_at
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        format!("there is no configuration; looked at {}", paths.join(", "))
    }
}

impl std::error::Error for NotFound {}

impl std::fmt::Display for NotFound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "error: there is no configuration; looked at")?;
        for path in &self.looked_at {
            writeln!(f, "  {}", path.display())?;
        }
        if let Some(warning) = &self.warning {
            write!(f, "{warning}")?;
        }
        // Where a file is passed over it would be overwritten.
        match self.warning {
            Some(_) => Ok(()),
            None => write!(
                f,
                "`sitewatch config example > monitors.toml` writes one to begin with"
            ),
        }
    }
}

/// Finds the file in use: the one that was named, `$SITEWATCH_CONFIG`, `./monitors.toml`,
/// `$XDG_CONFIG_HOME/sitewatch/monitors.toml`, `/etc/sitewatch/monitors.toml`.
///
/// A file that was named is not looked at here: loading says what is wrong with it.
///
/// # Errors
/// When none was named and none is there.
pub fn locate(named: Option<&Path>, environment: &Environment) -> Result<Located, NotFound> {
    let named = named
        .map(Path::to_owned)
        .or_else(|| environment.get("SITEWATCH_CONFIG").map(PathBuf::from));
    if let Some(file) = named {
        return Ok(Located {
            file,
            warning: None,
        });
    }
    let mut warning = None;
    let here = PathBuf::from("monitors.toml");
    let mut looked_at = vec![environment.directory.join(&here)];
    if let Ok(metadata) = std::fs::metadata(environment.directory.join(&here)) {
        if !environment.is_root || metadata.uid() == 0 {
            return Ok(Located {
                file: here,
                warning: None,
            });
        }
        warning = Some(
            "./monitors.toml is passed over: it does not belong to root; name it with --config if it is meant"
                .to_owned(),
        );
    }
    let own = environment
        .get("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| {
            environment
                .get("HOME")
                .map(|home| Path::new(home).join(".config"))
        })
        .map(|directory| directory.join("sitewatch/monitors.toml"));
    for candidate in own.into_iter().chain([PathBuf::from(SYSTEM_FILE)]) {
        if candidate.exists() {
            return Ok(Located {
                file: candidate,
                warning,
            });
        }
        looked_at.push(candidate);
    }
    Err(NotFound { looked_at, warning })
}

/// Whether following the advice to write a `monitors.toml` here destroys nothing.
pub(super) fn has_none_here(environment: &Environment) -> bool {
    std::fs::symlink_metadata(environment.directory.join("monitors.toml"))
        .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Whether the file in use is the machine's.
pub(super) fn is_system(file: &Path, environment: &Environment) -> bool {
    environment.directory.join(file) == Path::new(SYSTEM_FILE)
}

/// The database where the configuration names none; nothing where no directory is known for it.
pub fn default_database(file: &Path, environment: &Environment) -> Option<PathBuf> {
    // systemd gives a list where a unit has several state directories; ours is the first.
    let directory = match environment.get("STATE_DIRECTORY") {
        Some(list) => PathBuf::from(list.split(':').next().unwrap_or(list)),
        None if is_system(file, environment) => PathBuf::from(SYSTEM_STATE),
        None => environment
            .get("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| {
                let home = environment.get("HOME")?;
                Some(Path::new(home).join(".local/state"))
            })?
            .join("sitewatch"),
    };
    Some(directory.join("sitewatch.db"))
}

/// The control socket where the configuration names none.
pub fn default_socket(file: &Path, database: &Path, environment: &Environment) -> PathBuf {
    let directory = match environment.get("RUNTIME_DIRECTORY") {
        Some(list) => PathBuf::from(list.split(':').next().unwrap_or(list)),
        None if is_system(file, environment) => PathBuf::from(SYSTEM_RUNTIME),
        None => match environment.get("XDG_RUNTIME_DIR") {
            Some(directory) => Path::new(directory).join("sitewatch"),
            None => database.parent().unwrap_or(Path::new("")).to_owned(),
        },
    };
    directory.join("control.sock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            directory: PathBuf::from("/work"),
            is_root: false,
        }
    }

    #[test]
    fn daemon_and_commands_find_the_same_places() {
        let system = Path::new("/etc/sitewatch/monitors.toml");
        let own = Path::new("monitors.toml");
        let service = environment(&[
            ("STATE_DIRECTORY", "/var/lib/sitewatch"),
            ("RUNTIME_DIRECTORY", "/run/sitewatch"),
        ]);
        let shell = environment(&[("HOME", "/home/kim"), ("XDG_RUNTIME_DIR", "/run/user/1")]);
        for (file, environment, database, socket) in [
            (
                system,
                &service,
                "/var/lib/sitewatch/sitewatch.db",
                "/run/sitewatch/control.sock",
            ),
            (
                system,
                &shell,
                "/var/lib/sitewatch/sitewatch.db",
                "/run/sitewatch/control.sock",
            ),
            (
                own,
                &shell,
                "/home/kim/.local/state/sitewatch/sitewatch.db",
                "/run/user/1/sitewatch/control.sock",
            ),
        ] {
            let found = default_database(file, environment);
            assert_eq!(found.as_deref(), Some(Path::new(database)));
            let found = found.unwrap();
            assert_eq!(default_socket(file, &found, environment), Path::new(socket));
        }
        let bare = environment(&[]);
        assert_eq!(default_database(own, &bare), None);
        assert_eq!(
            default_socket(own, Path::new("/data/x.db"), &bare),
            Path::new("/data/control.sock")
        );
    }

    #[test]
    fn a_named_file_wins_and_is_not_looked_at() {
        let environment = environment(&[("SITEWATCH_CONFIG", "/b.toml")]);
        let file = |named| locate(named, &environment).map(|located| located.file);
        assert_eq!(file(Some(Path::new("/a.toml"))), Ok("/a.toml".into()));
        assert_eq!(file(None), Ok("/b.toml".into()));
    }

    #[test]
    fn root_passes_over_what_is_not_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("monitors.toml");
        std::fs::write(&file, "").unwrap();
        if std::fs::metadata(&file).unwrap().uid() == 0 {
            std::os::unix::fs::chown(&file, Some(1), None).unwrap();
        }
        let mut environment = environment(&[]);
        environment.directory = directory.path().to_owned();
        assert_eq!(
            locate(None, &environment).map(|located| located.file),
            Ok("monitors.toml".into())
        );
        environment.is_root = true;
        let warning = match locate(None, &environment) {
            Ok(located) => located.warning,
            Err(not_found) => not_found.warning,
        };
        assert!(warning.is_some_and(|warning| warning.contains("does not belong to root")));
        let named = Path::new("./monitors.toml");
        let located = locate(Some(named), &environment).unwrap();
        assert_eq!((located.file.as_path(), located.warning), (named, None));
    }

    #[test]
    fn here_then_own_then_the_machines() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("config");
        let mut environment = environment(&[("XDG_CONFIG_HOME", own.to_str().unwrap())]);
        environment.directory = directory.path().to_owned();
        assert!(locate(None, &environment).is_err() || Path::new(SYSTEM_FILE).exists());
        std::fs::create_dir_all(own.join("sitewatch")).unwrap();
        std::fs::write(own.join("sitewatch/monitors.toml"), "").unwrap();
        assert_eq!(
            locate(None, &environment).unwrap().file,
            own.join("sitewatch/monitors.toml")
        );
        std::fs::write(directory.path().join("monitors.toml"), "").unwrap();
        assert_eq!(
            locate(None, &environment).unwrap().file,
            Path::new("monitors.toml")
        );
    }
}
