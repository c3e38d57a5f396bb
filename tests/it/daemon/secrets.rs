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
