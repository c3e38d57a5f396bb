//! `sitewatch config init`: a first file from what can be found out about this machine. It asks nothing and replaces
//! nothing.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::context::Context;
use super::error::{CliError, Outcome};
use super::import::Beside;
use super::output::quoted;
use crate::config::Environment;
use crate::config::import::{self, Source};
use crate::config::init::{Served, Surroundings, first_file};
use crate::domain::safe_text;
use crate::own_files::{self, Identity};

/// A mail server on this machine greets at once; some wait a moment on purpose.
const RELAY_WITHIN: Duration = Duration::from_millis(1500);
/// A greeting is one line of 512 bytes (RFC 5321 section 4.5.3.1.5).
const GREETING_BYTES_MAX: usize = 512;
/// What is shown of it.
const GREETING_CHARS_MAX: usize = 60;
/// A web server's configuration is not larger, nor `/etc/hosts`.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// So many files of one web server are looked at.
const FILES_MAX: usize = 500;

/// Where Apache keeps its sites.
const APACHE: [&str; 3] = [
    "etc/apache2/sites-enabled",
    "etc/httpd/conf.d",
    "etc/apache2/vhosts.d",
];

/// Runs the command.
pub fn run(context: &mut Context, file: Option<&Path>) -> Result<Outcome, CliError> {
    let named = file.or(context.options.config.as_deref());
    let file = named.map_or_else(|| PathBuf::from("monitors.toml"), Path::to_owned);
    let is_stdout = file == Path::new("-") || is_standard_output(&file);
    if !is_stdout && file.symlink_metadata().is_ok() {
        return Err(exists(&file));
    }
    let found = surroundings(Path::new("/"), &context.environment, relay());
    let text = first_file(&found);
    if is_stdout {
        context.out.write_str(&text)?;
        return Ok(Outcome::Fine);
    }
    let written = own_files::create_new(&file).and_then(|mut made| made.write_all(text.as_bytes()));
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(&file)),
        Err(error) => {
            let shown = quoted(&file.to_string_lossy());
            return Err(CliError::Machine(format!(
                "cannot write `{shown}`: {error}"
            )));
        }
    }
    let shown = quoted(&file.to_string_lossy());
    context.out.note(&format!("{shown} written"));
    match (&found.relay, found.served.iter().map(|served| served.urls.len()).sum::<usize>()) {
        (Some(_), 0) => context.out.note("mail goes by the mail server of this machine; add a site in [[monitor]]"),
        (Some(_), count) => context.out.note(&format!(
            "mail goes by the mail server of this machine; {count} addresses of a web server here are suggested"
        )),
        (None, 0) => context.out.note("no mail server answers on localhost: fill in [email], and a site in [[monitor]]"),
        (None, count) => context.out.note(&format!(
            "no mail server answers on localhost: fill in [email]; {count} addresses of a web server here are suggested"
        )),
    }
    context
        .out
        .note("next: edit it, then `sitewatch config check`");
    Ok(Outcome::Fine)
}

fn exists(file: &Path) -> CliError {
    let shown = quoted(&file.to_string_lossy());
    CliError::Usage(format!(
        "`{shown}` exists and is not overwritten; name another file, or `-` for standard output"
    ))
}

/// `sitewatch config init > monitors.toml`: the shell made the file.
fn is_standard_output(file: &Path) -> bool {
    use std::os::fd::AsFd as _;
    let Ok(Some(named)) = Identity::at(file) else {
        return false;
    };
    let Ok(own) = io::stdout().as_fd().try_clone_to_owned() else {
        return false;
    };
    Identity::of(&fs::File::from(own)).is_ok_and(|own| own == named)
}

/// What the mail server on localhost:25 greets with, without its code.
fn relay() -> Option<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
    let mut stream = TcpStream::connect_timeout(&address, RELAY_WITHIN).ok()?;
    stream.set_read_timeout(Some(RELAY_WITHIN)).ok()?;
    let mut greeting = [0; GREETING_BYTES_MAX];
    let mut length = 0;
    // A line in many pieces is none of a mail server beside us.
    for _ in 0..8 {
        let room = greeting.get_mut(length..)?;
        let count = stream.read(room).ok()?;
        length += count;
        let line = greeting.get(..length)?;
        if count == 0 || line.contains(&b'\n') {
            break;
        }
    }
    let _ = stream.write_all(b"QUIT\r\n");
    let greeting = String::from_utf8_lossy(greeting.get(..length)?).into_owned();
    let line = greeting.lines().next()?;
    let words = line.strip_prefix("220")?.trim_start_matches(['-', ' ']);
    Some(safe_text::line(words.trim(), GREETING_CHARS_MAX).into_owned())
}

/// What is known of the machine whose root directory this is.
fn surroundings(root: &Path, environment: &Environment, relay: Option<String>) -> Surroundings {
    let user = ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| environment.get(name))
        .unwrap_or("root");
    let has_sendmail = ["usr/sbin/sendmail", "usr/lib/sendmail", "usr/bin/sendmail"]
        .iter()
        .any(|path| root.join(path).exists());
    Surroundings {
        host: host(root),
        relay,
        has_sendmail,
        user: user.to_owned(),
        served: served(root),
    }
}

fn read(path: &Path) -> Option<String> {
    let about = fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return None;
    }
    fs::read_to_string(path).ok()
}

/// The name of this machine, with its domain where mail or `/etc/hosts` know it.
fn host(root: &Path) -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy().into_owned();
    if name.contains('.') {
        return name;
    }
    let by_mail = read(&root.join("etc/mailname"))
        .and_then(|text| text.lines().next().map(|line| line.trim().to_owned()));
    let hosts = read(&root.join("etc/hosts")).unwrap_or_default();
    let prefix = format!("{name}.");
    let by_hosts = hosts
        .lines()
        .flat_map(|line| {
            line.split('#')
                .next()
                .unwrap_or("")
                .split_whitespace()
                .skip(1)
        })
        .find(|word| word.starts_with(&prefix))
        .map(str::to_owned);
    [by_mail, by_hosts]
        .into_iter()
        .flatten()
        .find(|name| name.contains('.'))
        .unwrap_or(name)
}

/// What the web servers of this machine serve to others.
fn served(root: &Path) -> Vec<Served> {
    let mut all = Vec::new();
    let mut add = |server, path: &Path, urls: Vec<String>| {
        let mut urls: Vec<String> = urls.into_iter().filter(|url| is_public(url)).collect();
        urls.sort();
        urls.dedup();
        if !urls.is_empty() {
            let file = path.display().to_string();
            all.push(Served { server, file, urls });
        }
    };
    let nginx = root.join("etc/nginx/nginx.conf");
    if let Some(source) = source(&nginx) {
        let beside = Beside::of(&nginx);
        let imported = import::nginx(&[source], &|pattern: &str| beside.read(pattern));
        add(
            "nginx",
            &nginx,
            imported.map_or_else(|_| Vec::new(), |it| urls(&it.toml)),
        );
    }
    let caddy = root.join("etc/caddy/Caddyfile");
    if let Some(source) = source(&caddy) {
        let imported = import::caddy(&[source]);
        add(
            "caddy",
            &caddy,
            imported.map_or_else(|_| Vec::new(), |it| urls(&it.toml)),
        );
    }
    for folder in APACHE.map(|folder| root.join(folder)) {
        add("apache", &folder, apache(&folder));
    }
    all
}

fn source(path: &Path) -> Option<Source> {
    Some(Source {
        name: path.display().to_string(),
        text: read(path)?,
    })
}

/// The URLs of a monitors.toml that an importer made.
fn urls(toml: &str) -> Vec<String> {
    let Ok(table) = toml.parse::<toml::Table>() else {
        return Vec::new();
    };
    let monitors = table.get("monitor").and_then(|list| list.as_array());
    monitors
        .into_iter()
        .flatten()
        .filter_map(|monitor| monitor.get("url")?.as_str().map(str::to_owned))
        .collect()
}

/// The server names of Apache's virtual hosts.
fn apache(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.flatten().take(FILES_MAX).map(|entry| entry.path()) {
        if path.extension().is_none_or(|extension| extension != "conf") {
            continue;
        }
        let Some(text) = read(&path) else { continue };
        let mut is_tls = false;
        for line in text.lines().map(str::trim) {
            let mut words = line.split_whitespace();
            let directive = words.next().unwrap_or("").to_ascii_lowercase();
            match directive.as_str() {
                "<virtualhost" => is_tls = line.contains(":443"),
                "servername" | "serveralias" => {
                    let scheme = if is_tls { "https" } else { "http" };
                    found.extend(words.filter_map(|name| {
                        let name = name
                            .trim_start_matches("https://")
                            .trim_start_matches("http://");
                        let is_plain = name
                            .chars()
                            .all(|c| c.is_ascii_alphanumeric() || ".-:".contains(c));
                        (is_plain && name.contains('.')).then(|| format!("{scheme}://{name}/"))
                    }));
                }
                _ => {}
            }
        }
    }
    // What is served over TLS is watched there.
    let secure: Vec<String> = found
        .iter()
        .filter(|url| url.starts_with("https:"))
        .map(|url| url.replacen("https:", "http:", 1))
        .collect();
    found.retain(|url| !secure.contains(url));
    found
}

/// Whether others reach it by this name, and a file may hold it as it is.
fn is_public(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else {
        return false;
    };
    let host = url.host_str().unwrap_or("");
    !address.contains(['"', '\\', '$'])
        && safe_text::first_unsafe(address).is_none()
        && !host.is_empty()
        && host != "localhost"
        && !host.ends_with(".localhost")
        && !matches!(host.parse(), Ok(std::net::IpAddr::V4(it)) if it.is_loopback() || it.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_web_servers_serve_is_suggested() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let none = surroundings(root.path(), &Environment::default(), None);
        assert_eq!((none.served.len(), none.has_sendmail), (0, false));
        assert_eq!(none.user, "root");
        write(
            "etc/nginx/nginx.conf",
            "http {\n include sites-enabled/*;\n server { listen 80; server_name localhost; }\n}\n",
        );
        write(
            "etc/nginx/sites-enabled/shop",
            "server {\n listen 443 ssl;\n server_name shop.example.com;\n}\n",
        );
        write(
            "etc/caddy/Caddyfile",
            "blog.example.com {\n reverse_proxy localhost:80\n}\n",
        );
        write(
            "etc/apache2/sites-enabled/a.conf",
            "<VirtualHost *:80>\nServerName www.example.com\n</VirtualHost>\n\
             <VirtualHost *:443>\nServerName www.example.com\nServerAlias m.example.com *.example.com\n</VirtualHost>\n",
        );
        write(
            "etc/apache2/sites-enabled/b.conf.bak",
            "ServerName old.example.com\n",
        );
        write("etc/mailname", "mail.example.com\n");
        write("usr/sbin/sendmail", "");
        let found = surroundings(root.path(), &Environment::default(), None);
        let urls: Vec<(&str, Vec<&str>)> = found
            .served
            .iter()
            .map(|served| {
                (
                    served.server,
                    served.urls.iter().map(String::as_str).collect(),
                )
            })
            .collect();
        assert_eq!(
            urls,
            [
                ("nginx", vec!["https://shop.example.com/"]),
                ("caddy", vec!["https://blog.example.com/"]),
                (
                    "apache",
                    vec!["https://m.example.com/", "https://www.example.com/"]
                ),
            ]
        );
        assert!(found.has_sendmail);
        assert!(!found.host.is_empty());
    }
}
