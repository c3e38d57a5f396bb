//! nginx: `server` blocks with their names and ports.

use std::collections::BTreeSet;

use super::place::{Place, finish, is_one_host};
use crate::config::import::toml_writer::{Beside, ImportError, Imported, Page, Source, Weight};

/// Files that include each other without end.
const INCLUDES_MAX: usize = 1000;
/// A larger file is no configuration; each of its words takes many times its length while it is read.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// nginx nests four levels.
const DEPTH_MAX: usize = 32;

/// Reads the server names of nginx. Included files are read where they are.
///
/// # Errors
/// When there is no `server` block at all, or a file is too large.
pub fn nginx(sources: &[Source], beside: Beside<'_>) -> Result<Imported, ImportError> {
    let mut reader = Nginx {
        page: Page::new("nginx"),
        places: BTreeSet::new(),
        servers: 0,
        beside,
        read: sources.iter().map(|source| source.name.clone()).collect(),
    };
    for source in sources {
        if source.text.len() > BYTES_MAX {
            let why = format!("{}: the file is larger than 4 MiB", source.name);
            return Err(ImportError::Format(why));
        }
        reader.file(&source.text);
    }
    if reader.servers == 0 {
        return Err(ImportError::Nothing(
            "there is no `server` block: is this nginx' configuration?".to_owned(),
        ));
    }
    Ok(finish(reader.page, &reader.places))
}

/// A word, or the end or bounds of what it belongs to.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
}

/// Words with quotes and comments taken away.
fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            ';' => found.push(Token::Semicolon),
            '{' => found.push(Token::Open),
            '}' => found.push(Token::Close),
            '#' => {
                for c in characters.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
            }
            c if c.is_whitespace() => {}
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                while let Some(c) = characters.next() {
                    match c {
                        '\\' => word.extend(characters.next()),
                        c if c == quote => break,
                        c => word.push(c),
                    }
                }
                found.push(Token::Word(word));
            }
            first => {
                let mut word = first.to_string();
                while let Some(c) = characters.peek() {
                    // `${name}` belongs to the word.
                    let is_variable = *c == '{' && word.ends_with('$');
                    let is_its_end = *c == '}' && word.contains("${");
                    let ends = c.is_whitespace() || matches!(c, ';' | '{' | '}');
                    if ends && !is_variable && !is_its_end {
                        break;
                    }
                    word.extend(characters.next());
                }
                found.push(Token::Word(word));
            }
        }
    }
    found
}

struct Nginx<'a> {
    page: Page,
    places: BTreeSet<Place>,
    servers: usize,
    beside: Beside<'a>,
    /// Names of the files that were read.
    read: BTreeSet<String>,
}

/// What a `server` block says of where it is found.
#[derive(Default)]
struct Server {
    names: Vec<String>,
    /// Ports, and whether TLS is spoken there.
    ports: Vec<(u16, bool)>,
    all_tls: bool,
}

impl Nginx<'_> {
    fn file(&mut self, text: &str) {
        let tokens = tokens(text);
        let mut place = 0;
        let mut server = None;
        self.block(&tokens, &mut place, &mut server, 0, false);
    }

    /// Directives up to the closing brace. `is_stream` where names mean nothing.
    fn block(
        &mut self,
        tokens: &[Token],
        place: &mut usize,
        server: &mut Option<Server>,
        depth: usize,
        is_stream: bool,
    ) {
        let mut words: Vec<&str> = Vec::new();
        while let Some(token) = tokens.get(*place) {
            *place += 1;
            match token {
                Token::Word(word) => words.push(word),
                Token::Semicolon => {
                    self.directive(&words, server, depth);
                    words.clear();
                }
                Token::Close => return,
                Token::Open if depth >= DEPTH_MAX => return,
                Token::Open => {
                    let name = words.first().copied().unwrap_or_default();
                    let stream = is_stream || matches!(name, "stream" | "mail" | "upstream");
                    if name == "server" && server.is_none() && !stream {
                        self.servers += 1;
                        let mut own = Some(Server::default());
                        self.block(tokens, place, &mut own, depth + 1, stream);
                        self.add(own.unwrap_or_default());
                    } else {
                        self.block(tokens, place, server, depth + 1, stream);
                    }
                    words.clear();
                }
            }
        }
    }

    fn directive(&mut self, words: &[&str], server: &mut Option<Server>, depth: usize) {
        let Some((name, values)) = words.split_first() else {
            return;
        };
        if *name == "include" {
            for pattern in values {
                self.include(pattern, server, depth);
            }
            return;
        }
        let Some(server) = server else { return };
        match *name {
            "server_name" => server
                .names
                .extend(values.iter().map(|name| (*name).to_owned())),
            "listen" => {
                let port = values.first().and_then(|address| listen_port(address));
                let is_tls = values.contains(&"ssl") || values.contains(&"quic");
                server.ports.extend(port.map(|port| (port, is_tls)));
            }
            "ssl" if values == ["on"] => server.all_tls = true,
            _ => {}
        }
    }

    fn include(&mut self, pattern: &str, server: &mut Option<Server>, depth: usize) {
        // Types and parameters hold no servers.
        if pattern.ends_with("mime.types") || pattern.contains("_params") || depth >= DEPTH_MAX {
            return;
        }
        for source in (self.beside)(pattern) {
            if self.read.len() >= INCLUDES_MAX || !self.read.insert(source.name.clone()) {
                continue;
            }
            if source.text.len() > BYTES_MAX {
                let what = format!("`{}`, which is larger than 4 MiB", source.name);
                self.page.lose_all(Weight::Unchecked, what);
                continue;
            }
            let tokens = tokens(&source.text);
            let mut place = 0;
            self.block(&tokens, &mut place, server, depth + 1, false);
        }
    }

    fn add(&mut self, server: Server) {
        let ports = match server.ports.is_empty() {
            true => vec![(80, false)],
            false => server.ports,
        };
        for name in &server.names {
            if name.starts_with('~') {
                let what = "not checked (a pattern stands for no one host)";
                self.page.lose(Weight::Unchecked, what, name);
                continue;
            }
            // `.example.com` is the domain and all below it.
            let host = name.strip_prefix('.').unwrap_or(name);
            if !is_one_host(&mut self.page, host) {
                continue;
            }
            for (port, is_tls) in &ports {
                self.places.insert(Place {
                    host: host.to_owned(),
                    is_tls: *is_tls || server.all_tls || *port == 443,
                    port: Some(*port),
                    path: String::new(),
                });
            }
        }
    }
}

/// The port of `listen`: `443`, `127.0.0.1:8080`, `[::]:443`, `*:80`; an address alone is port 80.
fn listen_port(address: &str) -> Option<u16> {
    if address.starts_with("unix:") {
        return None;
    }
    if let Ok(port) = address.parse() {
        return Some(port);
    }
    let behind = match address.rsplit_once(']') {
        Some((_, behind)) => behind.strip_prefix(':'),
        None => address.rsplit_once(':').map(|(_, port)| port),
    };
    behind.map_or(Some(80), |port| port.parse().ok())
}
