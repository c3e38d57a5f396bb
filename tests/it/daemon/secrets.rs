//! What came by `${NAME}` is shown nowhere, whatever it stands in; and characters that nobody sees are.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use super::{House, Site, text};

/// The value of `${SECRET_WORD}` for all commands here.
pub const SECRET: &str = "kn0cking-on-wood";

#[tokio::test]
async fn a_value_of_the_environment_is_shown_nowhere() {
    let site = Site::start(503);
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let house = House::new(&format!(
        "[[monitor]]\nname = \"shop\"\nurl = \"http://127.0.0.1:{}/?key=${{SECRET_WORD}}\"\n\
         note = \"call ${{SECRET_WORD}} first\"\ntags = [\"team-${{SECRET_WORD}}\"]\n\
         headers = {{ X-Key = \"${{SECRET_WORD}}\" }}\n\n\
         [web]\nlisten = \"127.0.0.1:{port}\"\n",
        site.port
    ));
    let daemon = house.start().await;
    house.until("the mail", || !house.mails().is_empty()).await;
    let mail = house.mails().remove(0);
    assert!(mail.text.contains("call *** first"), "{}", mail.text);
    assert!(mail.text.contains("-H 'X-Key: ***'"), "{}", mail.text);
    let mut shown = vec![("mail", mail.text), ("subject", mail.subject)];
    for command in [
        &["status", "--json"][..],
        &["status"],
        &["history", "--json"],
        &["history", "--csv"],
        &["incidents", "--json"],
        &["report", "--json"],
        &["email", "queue", "--json"],
        &["config", "show"],
        &["config", "check"],
        &["recheck", "shop"],
        &["check", "--json"],
    ] {
        let output = house.ask(command);
        shown.push(("stdout", text(&output.stdout)));
        shown.push(("stderr", text(&output.stderr)));
    }
    for path in [
        "/",
        "/monitor/shop",
        "/metrics",
        "/api/v1/monitors",
        "/feed.atom",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut page = Vec::new();
        stream.read_to_end(&mut page).unwrap();
        let page = text(&page);
        assert!(page.starts_with("HTTP/1.1 200"), "{path}: {page}");
        shown.push(("page", page));
    }
    drop(daemon);
    for entry in fs::read_dir(house.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            shown.push(("file", text(&fs::read(path).unwrap())));
        }
    }
    for raw in fs::read_dir(house.path().join("outbox")).unwrap() {
        shown.push(("raw mail", text(&fs::read(raw.unwrap().path()).unwrap())));
    }
    for (what, words) in shown {
        assert!(!words.contains(SECRET), "{what}: {words}");
    }
}

/// Answers every path with 200 and repeats the secret: in a field, as the body that a path names, in a Location.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
            let body = match path.as_str() {
                "/json" => format!("{{\"word\": \"not {SECRET}\", \"{SECRET}\": 1}}"),
                _ => format!("<p>{SECRET}</p> {} {SECRET}", "x".repeat(480)),
            };
            let first = match path.as_str() {
                "/503" => "503 X".to_owned(),
                "/302" => format!("302 X\r\nLocation: /end/{SECRET}"),
                _ => "200 X".to_owned(),
            };
            let answer = format!(
                "HTTP/1.1 {first}\r\nX-Echo: {SECRET}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

/// A failing monitor for each key in which a secret may stand: name, path and lines.
fn in_every_key() -> Vec<(&'static str, &'static str, String)> {
    let word = "${SECRET_WORD}";
    // Details cut the middle out of what is longer than 120 characters: here within the secret.
    let (begin, end) = ("y".repeat(52), "z".repeat(52));
    let cut = format!("{begin}{word}{end}{}", "z".repeat(9));
    vec![
        ("contains", "/", format!("body_contains = [\"{word} too\"]")),
        ("long", "/", format!("body_contains = [\"{cut}\"]")),
        ("excludes", "/", format!("body_excludes = [\"{word}\"]")),
        ("matches", "/", format!("body_matches = [\"^{word}$\"]")),
        (
            "equals",
            "/json",
            format!("json = [{{ path = \"$.word\", equals = \"{word}\" }}]"),
        ),
        (
            "fits",
            "/json",
            format!("json = [{{ path = \"$.word\", matches = \"^{word}\" }}]"),
        ),
        (
            "path",
            "/json",
            format!("json = [{{ path = \"$['{word}'].a\", exists = true }}]"),
        ),
        (
            "field",
            "/",
            format!("expect_headers = {{ X-Echo = \"{word}!\" }}"),
        ),
        (
            "pattern",
            "/",
            format!("expect_headers = {{ X-Echo = \"/^not {word}/\" }}"),
        ),
        (
            "final",
            "/302",
            format!("expect_final_url = \"http://127.0.0.1:1/{word}\""),
        ),
        (
            "status",
            "/503",
            format!("note = \"first {word}\\nsecond\"\ntags = [\"{word}\"]"),
        ),
        (
            "proxy",
            "/",
            format!("proxy = \"http://kim:{word}@127.0.0.1:1\""),
        ),
        (
            "login",
            "/503",
            format!("basic_auth = {{ username = \"{word}\", password = \"{word}\" }}"),
        ),
        (
            "sent",
            "/503",
            format!("method = \"POST\"\nbody = \"a={word}\"\nheaders = {{ X-A = \"{word}\" }}"),
        ),
    ]
}

#[tokio::test]
async fn no_key_shows_what_came_by_name() {
    let site = echo();
    let keys = in_every_key();
    let monitors: String = keys
        .iter()
        .map(|(name, path, lines)| {
            format!("[[monitor]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{site}{path}\"\n{lines}\n\n")
        })
        .collect();
    let house = House::new("");
    // Each has a mail of its own.
    let alerts = "1s\"\ngroup_limit = 100 #";
    let rest = "[heartbeat]\nurl = \"http://127.0.0.1:1/${SECRET_WORD}\"\ninterval = \"1s\"\n";
    house.configure(alerts, &format!("{monitors}{rest}"));
    let daemon = house.start().await;
    house
        .until("the mails", || house.mails().len() >= keys.len())
        .await;
    let mut shown = Vec::new();
    let mails = house.mails();
    for (name, _, _) in &keys {
        let mail = mails.iter().find(|mail| mail.subject.ends_with(name));
        let mail = mail.unwrap_or_else(|| panic!("no mail about {name}"));
        assert!(mail.text.contains("***"), "{name}: {}", mail.text);
        shown.push((*name, format!("{}\n{}", mail.subject, mail.text)));
    }
    let other = house.path().join("other.toml");
    fs::write(&other, "[daemon]\ndatabase = \"sitewatch.db\"\n").unwrap();
    for command in [
        &["status", "--json"][..],
        &["status"],
        &["history", "--json"],
        &["history"],
        &["history", "--csv"],
        &["incidents", "--json"],
        &["incidents"],
        &["email", "queue"],
        &["config", "show"],
        &["config", "check"],
        &["config", "diff", "other.toml"],
        &["check"],
        &["check", "--json"],
        &["recheck"],
    ] {
        let output = house.ask(command);
        shown.push(("stdout", text(&output.stdout)));
        shown.push(("stderr", text(&output.stderr)));
    }
    drop(daemon);
    shown.push(("log", fs::read_to_string(house.path().join("log")).unwrap()));
    for entry in fs::read_dir(house.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            shown.push(("file", text(&fs::read(path).unwrap())));
        }
    }
    let pieces = [&SECRET[..4], &SECRET[SECRET.len() - 4..]];
    for (what, words) in shown {
        // Nor a piece of it, where a text was cut; `wood` and `kn0c` stand nowhere else.
        for piece in pieces {
            assert!(!words.contains(piece), "{what}: {words}");
        }
    }
}

#[test]
fn what_nobody_sees_is_shown_where_it_is_wrong() {
    let house = House::new("");
    for (name, code) in [
        ("a\u{200b}b", "<U+200B>"),
        ("a\u{202e}b", "<U+202E>"),
        ("a\u{7f}b", "<U+007F>"),
        ("a\u{85}b", "<U+0085>"),
        ("a\u{feff}b", "<U+FEFF>"),
    ] {
        house.configure(
            "1s",
            &format!("[[monitor]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:1/\"\n"),
        );
        let output = house.ask(&["config", "check"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{code}: {said}");
        assert!(said.contains(&format!("a{code}b")), "{code}: {said}");
        assert!(!said.contains(name), "{code}: {said:?}");
    }
}
