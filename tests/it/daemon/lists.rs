//! Monitors from lists: what changes in a list is in force soon, and what is no list changes nothing.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;

use super::{House, exit_code, signal, text};
use crate::support::site::{Act, Site, answer, redirect, say};

/// Every mail by itself.
const ONE_BY_ONE: &str = "1s\"\ngroup_limit = 100\nreminder = \"off";

fn monitors(house: &House) -> Vec<String> {
    let output = house.ask(&["status", "--json"]);
    let row = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", word("monitor"), word("url"))
    };
    text(&output.stdout).lines().map(row).collect()
}

fn subjects(house: &House, begin: &str) -> Vec<String> {
    let mut subjects = house.subjects();
    subjects.retain(|subject| subject.starts_with(begin));
    subjects.sort();
    subjects
}

/// A panel whose pages can be changed.
#[derive(Clone, Default)]
struct Pages(Arc<Mutex<HashMap<String, Vec<Act>>>>);

impl Pages {
    fn put(&self, path: &str, acts: Vec<Act>) {
        self.0.lock().unwrap().insert(path.to_owned(), acts);
    }

    async fn serve(&self) -> Site {
        let pages = self.clone();
        Site::plain(move |request| {
            let pages = pages.0.lock().unwrap();
            let page = pages.get(&request.path).cloned();
            page.unwrap_or_else(|| answer(404, "", "nothing here"))
        })
        .await
    }
}

fn list(port: u16, of: &str) -> String {
    (1..=5)
        .map(|number| format!("http://127.0.0.1:{port}/ok {of}{number}\n"))
        .collect()
}

/// Each way in which a list is no list.
fn broken(port: u16) -> Vec<(&'static str, Vec<Act>)> {
    let (whole, line) = (list(port, "cut"), list(port, "line"));
    let short = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}",
        whole.len(),
        &whole[..60]
    );
    let chunk = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{}\r\n",
        &whole[..64]
    );
    let login = "<!doctype html>\n<title>Log in</title><form>";
    let huge = "HTTP/1.1 200 OK\r\nContent-Length: 99000000\r\n\r\nhttp://a.example/\n";
    let mut binary = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n".to_vec();
    binary.extend([0x1f, 0x8b, 0xff, 0x00]);
    vec![
        ("empty", answer(200, "", "")),
        ("shorter", answer(200, "", &whole[..60])),
        ("line", answer(200, "", &line[..line.len() - 2])),
        ("length", say(short)),
        ("chunks", say(chunk)),
        ("login", answer(200, "Content-Type: text/html\r\n", login)),
        ("moved", redirect(302, "/login-page")),
        ("error", answer(500, "", "oops")),
        ("away", vec![Act::Reset]),
        (
            "json",
            answer(200, "", "[{\"targets\": [\"127.0.0.1:1\", \"127."),
        ),
        ("object", answer(200, "", "{\"error\": \"log in first\"}")),
        (
            "words",
            answer(
                200,
                "",
                "Service temporarily unavailable\nplease come back\n",
            ),
        ),
        ("binary", vec![Act::Send(binary)]),
        ("huge", say(huge)),
        ("forbidden", answer(403, "", "no")),
        ("loop", redirect(302, "/loop?token=very-secret")),
    ]
}

#[tokio::test]
async fn broken_lists_change_nothing_and_each_is_told_once() {
    let pages = Pages::default();
    let site = pages.serve().await;
    pages.put("/ok", answer(200, "", "ok"));
    pages.put(
        "/login-page",
        answer(200, "", "<html><title>Log in</title>"),
    );
    let broken = broken(site.port());
    let mut sources = String::new();
    for (name, _) in &broken {
        pages.put(
            &format!("/{name}"),
            answer(200, "", &list(site.port(), name)),
        );
        sources.push_str(&format!(
            "[[source]]\nurl = \"{}?token=very-secret\"\nrefresh = \"1s\"\ninterval = \"1h\"\n\n",
            site.url(&format!("/{name}"))
        ));
    }
    let serve = |is_broken: bool| {
        for (name, acts) in &broken {
            let good = answer(200, "", &list(site.port(), name));
            pages.put(
                &format!("/{name}?token=very-secret"),
                if is_broken { acts.clone() } else { good },
            );
        }
    };
    serve(false);
    let house = House::new("");
    house.configure(ONE_BY_ONE, &sources);
    let mut daemon = house.start().await;
    let all = 5 * broken.len();
    house
        .until("every list is in force", || monitors(&house).len() == all)
        .await;
    let before = monitors(&house);

    serve(true);
    house
        .until("a mail for each", || {
            subjects(&house, "[TROUBLE source ").len() >= broken.len()
        })
        .await;
    sleep(Duration::from_secs(4)).await;
    let told = subjects(&house, "[TROUBLE source ");
    assert_eq!(told.len(), broken.len(), "{told:#?}");
    assert_eq!(monitors(&house), before);
    let status = text(&house.ask(&["status"]).stdout);
    assert!(status.contains("is refused since"), "{status}");

    serve(false);
    house
        .until("an end for each", || {
            subjects(&house, "[BACK source ").len() >= broken.len()
        })
        .await;
    assert_eq!(subjects(&house, "[TROUBLE source ").len(), broken.len());
    assert_eq!(subjects(&house, "[BACK source ").len(), broken.len());
    assert_eq!(monitors(&house), before);
    let status = text(&house.ask(&["status"]).stdout);
    assert!(!status.contains("is refused"), "{status}");
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    // The secret of the URL is nowhere.
    for file in ["log", "sitewatch.db"] {
        let bytes = fs::read(house.path().join(file)).unwrap();
        let found = bytes.windows(11).any(|window| window == b"very-secret");
        assert!(!found, "{file}");
    }
    assert!(
        house
            .mails()
            .iter()
            .all(|mail| !mail.text.contains("very-secret"))
    );
}

#[tokio::test]
async fn a_list_in_a_file_is_followed_and_outlives_its_panel() {
    let pages = Pages::default();
    let site = pages.serve().await;
    pages.put("/ok", answer(200, "", "ok"));
    pages.put("/ok?mine", answer(200, "", "ok"));
    pages.put("/down", answer(503, "", "no"));
    let url = |path: &str| site.url(path);
    let house = House::new("");
    let list = house.path().join("customers.txt");
    let write = |lines: &[String]| fs::write(&list, lines.concat()).unwrap();
    let line = |path: &str, name: &str| format!("{} {name}\n", url(path));
    write(&[
        line("/ok", "A"),
        line("/ok", "B"),
        line("/down", "C"),
        line("/ok", "own"),
    ]);
    let source = format!(
        "[[monitor]]\nname = \"own\"\nurl = \"{}\"\n\n[[source]]\nfile = \"customers.txt\"\nrefresh = \"1h\"\n\
         failures_before_down = 1\nkeep_at_least = \"60%\"\n",
        url("/ok?mine")
    );
    house.configure(ONE_BY_ONE, &source);
    let daemon = house.start().await;
    let names = || -> Vec<String> {
        let all = monitors(&house);
        all.iter()
            .map(|row| row.split(' ').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(),
        ["own", "A", "B", "C"],
        "they are there at the start"
    );
    assert!(monitors(&house)[0].contains("?mine"));
    house
        .until("C is down", || subjects(&house, "[DOWN 503] C").len() == 1)
        .await;

    // Another order changes nothing; a line more is a monitor more.
    write(&[
        line("/ok", "D"),
        line("/down", "C"),
        line("/ok", "B"),
        line("/ok", "A"),
        line("/ok", "own"),
    ]);
    house
        .until("D is watched", || names() == ["own", "A", "B", "C", "D"])
        .await;
    assert_eq!(house.open_incidents(), 1);

    // What leaves while it is down closes its incident without a mail.
    write(&[
        line("/ok", "A"),
        line("/ok", "B"),
        line("/ok", "D"),
        line("/ok", "own"),
    ]);
    house
        .until("C is gone", || !names().contains(&"C".to_owned()))
        .await;
    house
        .until("its incident is closed", || house.open_incidents() == 0)
        .await;
    let history = house.ask(&["history", "C", "--json"]);
    assert!(!history.stdout.is_empty(), "its history stays");

    // A list that is too short is refused until a person takes it.
    write(&[line("/ok", "A")]);
    house
        .until("a mail", || {
            subjects(&house, "[TROUBLE source customers.txt] ").len() == 1
        })
        .await;
    assert_eq!(names(), ["own", "A", "B", "D"]);
    let answer = house.ask(&["reload"]);
    assert!(
        text(&answer.stdout).contains("the list customers.txt is refused"),
        "{answer:?}"
    );
    assert_eq!(names(), ["own", "A", "B", "D"]);
    let answer = house.ask(&["reload", "--accept-lists"]);
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    assert_eq!(names(), ["own", "A"]);
    house
        .until("its end", || {
            subjects(&house, "[BACK source customers.txt ").len() == 1
        })
        .await;

    // A restart without the file.
    drop(daemon);
    fs::remove_file(&list).unwrap();
    let _daemon = house.start().await;
    assert_eq!(names(), ["own", "A"]);
    house
        .until("a mail", || {
            subjects(&house, "[TROUBLE source customers.txt] ").len() == 2
        })
        .await;
    assert_eq!(names(), ["own", "A"]);
    assert!(subjects(&house, "[UP").is_empty(), "{:?}", house.subjects());
}

#[tokio::test]
async fn a_panel_that_marks_its_list_sends_it_once_and_is_not_needed_at_a_start() {
    let pages = Pages::default();
    let site = pages.serve().await;
    pages.put("/ok", answer(200, "", "ok"));
    let port = site.port();
    let panel = Site::plain(move |request| {
        let is_known = request.header("if-none-match") == Some("\"one\"");
        match (request.header("authorization"), is_known) {
            (Some("Bearer panel-token"), true) => answer(304, "", ""),
            (Some("Bearer panel-token"), false) => {
                answer(200, "ETag: \"one\"\r\n", &list(port, "site"))
            }
            _ => answer(401, "", ""),
        }
    })
    .await;
    let house = House::new("");
    fs::write(house.path().join("token"), "panel-token\n").unwrap();
    let source = format!(
        "[[source]]\nurl = \"{}\"\ntoken_file = \"token\"\nrefresh = \"1s\"\n",
        panel.url("/sites.txt")
    );
    house.configure(ONE_BY_ONE, &source);
    let mut daemon = house.start().await;
    house
        .until("the list is in force", || monitors(&house).len() == 5)
        .await;
    house
        .until("it is asked for again", || panel.received().len() >= 4)
        .await;
    let marked = panel.received();
    assert!(
        marked[1..]
            .iter()
            .all(|request| request.header("if-none-match") == Some("\"one\""))
    );
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));

    drop(panel);
    let _daemon = house.start().await;
    assert_eq!(monitors(&house).len(), 5);
    house
        .until("a mail", || {
            subjects(&house, "[TROUBLE source http://127.0.0.1").len() == 1
        })
        .await;
    assert_eq!(monitors(&house).len(), 5);
}

#[tokio::test]
async fn a_site_that_moves_between_lists_is_watched_all_the_while() {
    let site = Site::plain(|_| answer(200, "", "ok")).await;
    let line = |path: &str, name: &str| format!("{}{path} {name}\n", site.url(""));
    let house = House::new("");
    let write = |file: &str, lines: &[String]| {
        fs::write(house.path().join(file), lines.concat()).unwrap();
    };
    write("a.txt", &[line("/a", "A")]);
    write("b.txt", &[line("/b", "B"), line("/of-b", "X")]);
    let source = |file: &str| {
        format!("[[source]]\nfile = \"{file}\"\nrefresh = \"2s\"\nkeep_at_least = \"20%\"\n\n")
    };
    house.configure(ONE_BY_ONE, &(source("a.txt") + &source("b.txt")));
    let _daemon = house.start().await;
    let watches = |path: &str| {
        let all = monitors(&house);
        all.iter().any(|row| row.ends_with(path))
    };
    house.until("X is of B", || watches("/of-b")).await;
    write("a.txt", &[line("/a", "A"), line("/of-a", "X")]);
    house.until("X is of A", || watches("/of-a")).await;
    // B is read meanwhile, and is the same.
    sleep(Duration::from_secs(4)).await;
    write("a.txt", &[line("/a", "A")]);
    house.until("A has no X", || !watches("/of-a")).await;
    // `status` goes by what is kept; whether the daemon watches it, only the site knows.
    let asked = || {
        let all = site.received();
        all.iter().filter(|request| request.path == "/of-b").count()
    };
    let before = asked();
    house.until("X is of B again", || asked() > before).await;
}

/// A site that answers only who gives its password, and a panel with it in the list.
#[tokio::test]
async fn a_monitor_with_a_password_keeps_its_incident_over_a_restart_without_the_panel() {
    let pages = Pages::default();
    let site = pages.serve().await;
    let port = site.port();
    let with =
        |path: &str, name: &str| format!("http://kim:quite-secret@127.0.0.1:{port}{path} {name}\n");
    pages.put("/ok", answer(200, "", "ok"));
    pages.put("/down", answer(503, "", "no"));
    let lines = |paths: &[(&str, &str)]| -> String {
        paths.iter().map(|(path, name)| with(path, name)).collect()
    };
    let list = lines(&[("/ok", "fine"), ("/down", "dark"), ("/down", "gone")]);
    pages.put("/list", answer(200, "", &list));
    let house = House::new("");
    let source = format!(
        "[[source]]\nurl = \"{}\"\nrefresh = \"1s\"\nfailures_before_down = 1\nsuccesses_before_up = 1\ninterval = \"1s\"\ntimeout = \"1s\"\nkeep_at_least = \"50%\"\n",
        site.url("/list")
    );
    house.configure(ONE_BY_ONE, &source);
    let mut daemon = house.start().await;
    house
        .until("two are down", || subjects(&house, "[DOWN 503]").len() == 2)
        .await;
    signal(&daemon, rustix::process::Signal::TERM);
    assert_eq!(exit_code(&mut daemon).await, Some(0));
    assert_eq!(house.open_incidents(), 2);

    // The panel is down, and one site is up again: nobody knows where it is.
    pages.put("/list", answer(503, "", "panel down"));
    let daemon_without = house.start().await;
    house
        .until("the panel's trouble is told", || {
            subjects(&house, "[TROUBLE source ").len() == 1
        })
        .await;
    assert_eq!(house.open_incidents(), 2);
    let states = || -> Vec<String> {
        let output = house.ask(&["status", "--json"]);
        let rows = text(&output.stdout);
        let row = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            format!(
                "{} {}",
                row["monitor"].as_str().unwrap(),
                row["state"].as_str().unwrap()
            )
        };
        rows.lines().map(row).collect()
    };
    house
        .until("their newest checks are old", || {
            states() == ["dark unknown", "fine unknown", "gone unknown"]
        })
        .await;
    // A reload finds the panel down as well.
    let answered = house.ask(&["reload"]);
    assert_eq!(answered.status.code(), Some(0), "{answered:?}");
    assert_eq!(house.open_incidents(), 2);
    assert_eq!(subjects(&house, "[DOWN").len(), 2);
    assert!(subjects(&house, "[UP").is_empty());

    // The panel is back; what it leaves out is gone without a word, the others go on where they were.
    pages.put(
        "/list",
        answer(200, "", &lines(&[("/ok", "fine"), ("/down", "dark")])),
    );
    house
        .until("the incident of what left is closed", || {
            house.open_incidents() == 1
        })
        .await;
    house
        .until("the others are watched", || {
            states() == ["dark down", "fine up"]
        })
        .await;
    assert_eq!(subjects(&house, "[DOWN").len(), 2, "nothing is told twice");
    pages.put("/down", answer(200, "", "ok"));
    house
        .until("its end is told", || subjects(&house, "[UP").len() == 1)
        .await;
    assert_eq!(subjects(&house, "[DOWN").len(), 2);
    drop(daemon_without);
    for file in ["log", "sitewatch.db"] {
        let bytes = fs::read(house.path().join(file)).unwrap();
        let found = bytes.windows(12).any(|window| window == b"quite-secret");
        assert!(!found, "{file}");
    }
}
