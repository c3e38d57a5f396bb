//! `sitewatch import`: another tool's configuration as a monitors.toml.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::context::Context;
use super::error::{CliError, Outcome};
use super::output::quoted;
use crate::config::import::{self, ImportError, Imported, Source};
use crate::store::file::kuma;

/// Arguments of `sitewatch import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it comes from
    #[arg(value_name = "FORMAT")]
    pub format: Format,
    /// The file or folder; `-` reads standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// For blackbox: the prometheus.yml, or a list for file_sd, with the targets
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
}

/// Formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Gatus' config.yaml, a folder of them, or a ConfigMap
    Gatus,
    /// Uptime Kuma's kuma.db (versions 1 and 2) or its JSON backup
    UptimeKuma,
    /// blackbox_exporter's blackbox.yml, or Prometheus' scrape configuration with its targets
    Blackbox,
    /// Upptime's .upptimerc.yml
    Upptime,
    /// A table with a head line, as UptimeRobot, StatusCake and spreadsheets export it
    Csv,
    /// One URL per line
    Urls,
    /// A sitemap.xml
    Sitemap,
    /// The server names of nginx' configuration
    Nginx,
    /// The site addresses of a Caddyfile
    Caddy,
    /// The hosts of Traefik's rules: compose labels, dynamic configuration, Kubernetes resources
    Traefik,
}

/// A larger file is not a configuration.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// A folder with more files is none of a tool's configuration.
const FILES_MAX: usize = 2000;
/// Files that another one names are read up to this much in all.
const BESIDE_BYTES_MAX: usize = 128 * 1024 * 1024;
/// So many monitors that are no web sites are named.
const NAMED_MAX: usize = 8;
/// The first bytes of every gzip file.
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
/// The first bytes of every SQLite file.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// The YAML parser panics at some wrong texts. The answer is that they are not valid; its own words would only confuse.
fn keep_the_parser_quiet() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location();
        if !place.is_some_and(|place| place.file().contains("libyaml-safer")) {
            usual(panic);
        }
    }));
}

/// Runs the command.
pub fn run(context: &mut Context, args: &Args) -> Result<Outcome, CliError> {
    keep_the_parser_quiet();
    if args.targets.is_some() && args.format != Format::Blackbox {
        return Err(CliError::Usage(
            "--targets belongs to `sitewatch import blackbox`".to_owned(),
        ));
    }
    let imported = match imported(args)? {
        Ok(imported) => imported,
        Err(ImportError::Nothing(why)) => return Ok(nothing(context, &args.file, &why)),
        Err(ImportError::Format(why)) => {
            return Err(CliError::Usage(format!("{}: {why}", args.file.display())));
        }
    };
    if imported.monitors == 0 && imported.left_out.is_empty() {
        return Ok(nothing(context, &args.file, "it names nothing to check"));
    }
    if imported.monitors > 0 {
        context.out.write_str(&imported.toml)?;
    }
    let plural = if imported.monitors == 1 { "" } else { "s" };
    context
        .out
        .note(&format!("{} monitor{plural} written", imported.monitors));
    if let Some(line) = no_web_sites(&imported.toml).filter(|_| imported.monitors > 0) {
        context.out.note(&quoted(&line));
    }
    if !imported.left_out.is_empty() {
        context.out.warning("not carried over:");
        for line in &imported.left_out {
            context.out.note(&format!("  {}", quoted(line)));
        }
    }
    if !imported.variables.is_empty() {
        context.out.note(&format!(
            "it needs these environment variables: {}",
            quoted(&imported.variables.join(", "))
        ));
    }
    Ok(match imported.monitors {
        0 => Outcome::Bad,
        _ => Outcome::Fine,
    })
}

/// What is said where a file could be read and no monitor comes of it: the same for each format.
fn nothing(context: &mut Context, file: &Path, why: &str) -> Outcome {
    context.out.note("0 monitors written");
    context
        .out
        .warning(&quoted(&format!("{}: {why}", file.display())));
    Outcome::Bad
}

/// What the source becomes; the inner error is about what it holds.
fn imported(args: &Args) -> Result<Result<Imported, ImportError>, CliError> {
    if args.format == Format::UptimeKuma {
        return uptime_kuma(&args.file);
    }
    let sources = read_all(&args.file, args.format)?;
    let targets = match &args.targets {
        Some(targets) => read_all(targets, args.format)?,
        None => Vec::new(),
    };
    let is_blank = |source: &Source| source.text.trim().is_empty();
    if sources.iter().chain(&targets).all(is_blank) {
        let why = match sources.is_empty() {
            true => "no file in this folder has a name of the format".to_owned(),
            false => "it is empty".to_owned(),
        };
        return Ok(Err(ImportError::Nothing(why)));
    }
    let given = args.targets.as_deref().unwrap_or(&args.file);
    let beside = Beside::of(given);
    let beside = |pattern: &str| beside.read(pattern);
    Ok(match args.format {
        Format::Gatus => import::gatus(&sources),
        Format::Blackbox => import::blackbox(&sources, &targets, &beside),
        Format::Upptime => import::upptime(&sources),
        Format::Csv => import::csv(&sources),
        Format::Urls | Format::UptimeKuma => import::urls(&sources),
        Format::Sitemap => import::sitemap(&sources),
        Format::Nginx => import::nginx(&sources, &beside),
        Format::Caddy => import::caddy(&sources),
        Format::Traefik => import::traefik(&sources),
    })
}

/// Which monitors check something else than a web site. Who moves looks for them, since other tools have other names
/// for their kinds.
fn no_web_sites(toml: &str) -> Option<String> {
    let schemes = ["tcp://", "tls://", "icmp://", "dns://"];
    let urls: Vec<&str> = toml
        .lines()
        .filter_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"'))
        .filter(|url| schemes.iter().any(|scheme| url.starts_with(scheme)))
        .collect();
    let shown = urls.get(..urls.len().min(NAMED_MAX)).unwrap_or_default();
    let more = match urls.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (count, are) = (urls.len(), if urls.len() == 1 { "is" } else { "are" });
    (count > 0).then(|| format!("{count} {are} no web site: {}{more}", shown.join(", ")))
}

/// An export, a database, or Uptime Kuma's data folder with one.
fn uptime_kuma(file: &Path) -> Result<Result<Imported, ImportError>, CliError> {
    let refused =
        |error: &dyn std::fmt::Display| CliError::Usage(format!("{}: {error}", file.display()));
    let in_folder = file.join("kuma.db");
    let path = if file.is_dir() { &in_folder } else { file };
    if file.is_dir() && !path.exists() {
        let why = "there is no `kuma.db` in this folder".to_owned();
        return Ok(Err(ImportError::Nothing(why)));
    }
    if path != Path::new("-") && is_database(path)? {
        let export = kuma::read(path).map_err(|error| refused(&error))?;
        return Ok(import::uptime_kuma_value(&export));
    }
    let bytes = read_bytes(path)?;
    if bytes.starts_with(SQLITE) {
        // SQLite reads files only.
        let mut copy = tempfile::NamedTempFile::new().map_err(CliError::machine)?;
        copy.write_all(&bytes).map_err(CliError::machine)?;
        let export = kuma::read(copy.path()).map_err(|error| refused(&error))?;
        return Ok(import::uptime_kuma_value(&export));
    }
    let text = decoded(path, bytes)?;
    Ok(match text.trim().is_empty() {
        true => Err(ImportError::Nothing("it is empty".to_owned())),
        false => import::uptime_kuma(&text),
    })
}

fn cannot(file: &Path, why: &dyn std::fmt::Display) -> CliError {
    CliError::Usage(format!("cannot read `{}`: {why}", file.display()))
}

/// Permissions are a matter of the machine, a name that is not there one of the command line.
fn unreadable(file: &Path, error: &std::io::Error) -> CliError {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => CliError::Machine(format!(
            "cannot read `{}`: permission denied",
            file.display()
        )),
        _ => cannot(file, error),
    }
}

fn is_database(file: &Path) -> Result<bool, CliError> {
    let mut head = [0; SQLITE.len()];
    let mut opened = std::fs::File::open(file).map_err(|error| unreadable(file, &error))?;
    let is_regular = opened.metadata().is_ok_and(|about| about.is_file());
    Ok(is_regular && opened.read_exact(&mut head).is_ok() && head == *SQLITE)
}

/// The texts of a file, or of all files of a folder that are of the format, in name order.
fn read_all(file: &Path, format: Format) -> Result<Vec<Source>, CliError> {
    if file == Path::new("-") || !file.is_dir() {
        return Ok(vec![source(file)?]);
    }
    let endings: &[&str] = match format {
        Format::Gatus | Format::Blackbox | Format::Upptime => &["yaml", "yml", "json"],
        Format::Traefik => &["yaml", "yml", "toml"],
        Format::Nginx => &["conf", ""],
        Format::Caddy => &["caddy", "caddyfile", "conf", ""],
        Format::Csv => &["csv", "tsv", "txt"],
        Format::Urls => &["txt", "list", "urls"],
        Format::Sitemap => &["xml", "gz"],
        Format::UptimeKuma => &["json"],
    };
    let mut paths = Vec::new();
    walk(file, &mut paths, 0).map_err(|error| unreadable(file, &error))?;
    paths.retain(|path| {
        let ending = path.extension().map_or_else(String::new, |ending| {
            ending.to_string_lossy().to_ascii_lowercase()
        });
        endings.contains(&ending.as_str())
    });
    paths.sort();
    paths.iter().map(|path| source(path)).collect()
}

/// Regular files below a folder; hidden ones (`..data` of a ConfigMap among them) are skipped.
fn walk(folder: &Path, found: &mut Vec<PathBuf>, depth: usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden || found.len() >= FILES_MAX {
            continue;
        }
        if path.is_dir() && depth < 8 {
            walk(&path, found, depth + 1)?;
        } else if path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn source(file: &Path) -> Result<Source, CliError> {
    let bytes = read_bytes(file)?;
    Ok(Source {
        name: file.display().to_string(),
        text: decoded(file, bytes)?,
    })
}

fn read_bytes(file: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let result = match file == Path::new("-") {
        true => std::io::stdin().take(BYTES_MAX + 1).read_to_end(&mut bytes),
        false => std::fs::File::open(file)
            .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes)),
    };
    result.map_err(|error| unreadable(file, &error))?;
    // Sitemaps are often kept as sitemap.xml.gz.
    if bytes.starts_with(GZIP) {
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .take(BYTES_MAX + 1)
            .read_to_end(&mut unpacked)
            .map_err(|_| cannot(file, &"it begins as a gzip file and is damaged"))?;
        bytes = unpacked;
    }
    if bytes.len() as u64 > BYTES_MAX {
        return Err(cannot(file, &"it is larger than 64 MiB"));
    }
    Ok(bytes)
}

/// A text in UTF-8, or in UTF-16 with its mark, as Windows' tools save it.
fn decoded(file: &Path, bytes: Vec<u8>) -> Result<String, CliError> {
    let wide = match bytes.get(..2) {
        Some([0xff, 0xfe]) => Some(encoding_rs::UTF_16LE),
        Some([0xfe, 0xff]) => Some(encoding_rs::UTF_16BE),
        Some(_) | None => None,
    };
    if let Some(encoding) = wide {
        return Ok(encoding.decode(&bytes).0.into_owned());
    }
    String::from_utf8(bytes).map_err(|_| cannot(file, &"it is not UTF-8; save it as UTF-8"))
}

/// Files that a source names, relative to its own folder.
pub(super) struct Beside {
    folder: Option<PathBuf>,
    /// How many files were read, and how long they are together.
    read: Cell<(usize, usize)>,
}

impl Beside {
    pub(super) fn of(file: &Path) -> Self {
        let folder = match file {
            _ if file == Path::new("-") => None,
            _ if file.is_dir() => Some(file.to_owned()),
            _ => file.parent().map(Path::to_owned),
        };
        Self {
            folder,
            read: Cell::new((0, 0)),
        }
    }

    /// The files that a path or pattern names; those that cannot be read are left out.
    pub(super) fn read(&self, pattern: &str) -> Vec<Source> {
        let Some(folder) = &self.folder else {
            return Vec::new();
        };
        let joined = folder.join(pattern);
        let options = glob::MatchOptions {
            require_literal_leading_dot: true,
            require_literal_separator: true,
            ..glob::MatchOptions::default()
        };
        let paths = joined
            .to_str()
            .and_then(|pattern| glob::glob_with(pattern, options).ok());
        let mut found = Vec::new();
        for path in paths.into_iter().flatten().flatten() {
            let (files, bytes) = self.read.get();
            if files >= FILES_MAX || bytes >= BESIDE_BYTES_MAX || !path.is_file() {
                continue;
            }
            if let Ok(source) = source(&path) {
                self.read.set((files + 1, bytes + source.text.len()));
                found.push(source);
            }
        }
        found
    }
}
