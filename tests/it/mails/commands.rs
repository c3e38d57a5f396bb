//! The command in a mail, read by a real shell as somebody pastes it: it asks what the check asks.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use sitewatch::config::{self, Config, Environment};
use sitewatch::domain::subject::Subject;
use sitewatch::domain::target::Target;
use sitewatch::view::mail::context::Context;
use sitewatch::view::mail::render::render;
use url::Url;

use super::samples;

/// A configuration of one monitor with these keys, and the files that they may name.
fn load(directory: &Path, keys: &str) -> Config {
    let signed = rcgen::generate_simple_self_signed(["example.com".to_owned()]).unwrap();
    fs::write(directory.join("our ca.pem"), signed.cert.pem()).unwrap();
    fs::write(directory.join("k.pem"), signed.signing_key.serialize_pem()).unwrap();
    fs::write(directory.join("body.json"), "{\"secret\": 1}").unwrap();
    let file = directory.join("monitors.toml");
    let text = format!(
        "[daemon]\ndatabase = \"a.db\"\n\n[[monitor]]\nname = \"shop\"\nurl = \"https://example.com/\"\n{keys}"
    );
    fs::write(&file, text).unwrap();
    let environment = Environment {
        directory: directory.to_owned(),
        variables: [("WORD".to_owned(), "s3cr3t".to_owned())].into(),
        ..Environment::default()
    };
    config::load(&file, &environment).unwrap()
}

/// The words that curl gets from the command of a DOWN mail.
fn pasted(directory: &Path, keys: &str) -> Vec<String> {
    let config = load(directory, keys);
    let (_, parcel, around) = samples::all().remove(0);
    let context = Context {
        monitor: Some(&config.monitors[0]),
        ..around.context()
    };
    let text = render(&parcel, &context).text;
    let begin = text.find("Try it").unwrap() + "Try it".len();
    let end = begin + text[begin..].find("\nMore ").unwrap();
    let script = format!(
        "curl() {{ printf '%s\\0' \"$@\"; }}\n{}\n",
        &text[begin..end]
    );
    let output = Command::new("bash")
        .arg("-c")
        .arg(&script)
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}\n{output:?}");
    let words = String::from_utf8(output.stdout).unwrap();
    words.split_terminator('\0').map(str::to_owned).collect()
}

/// What follows a word.
fn after<'a>(words: &'a [String], word: &str) -> Option<&'a str> {
    let place = words.iter().position(|one| one == word)?;
    words.get(place + 1).map(String::as_str)
}

#[test]
fn files_stand_in_it_under_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let words = pasted(
        directory.path(),
        "method = \"POST\"\nca_file = \"our ca.pem\"\nbody_file = \"./body.json\"\n\
         client_certificate = { cert_file = \"our ca.pem\", key_file = \"k.pem\" }\n",
    );
    let path = |name: &str| directory.path().join(name).display().to_string();
    for (word, want) in [
        ("--cacert", path("our ca.pem")),
        ("--cert", path("our ca.pem")),
        ("--key", path("k.pem")),
        ("--data-binary", format!("@{}", path("body.json"))),
    ] {
        assert_eq!(after(&words, word), Some(want.as_str()), "{words:?}");
    }
    let all = words.join(" ");
    assert!(
        !all.contains("PRIVATE KEY") && !all.contains("{\"secret\""),
        "{all}"
    );
    assert_eq!(words.last().unwrap(), "https://example.com/");
}

#[test]
fn a_body_of_the_configuration_stands_in_it_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let long = "it's $HOME \\\\ and `more` ".repeat(20);
    for (written, want) in [
        ("{\\\"a\\\": 1}", "{\"a\": 1}".to_owned()),
        ("@not-a-file", "@not-a-file".to_owned()),
        ("one\\n\\ttwo's \\\\n\\n", "one\n\ttwo's \\n\n".to_owned()),
        (long.as_str(), long.replace("\\\\", "\\")),
        (
            &format!("{long}\\n{long}"),
            format!("{long}\n{long}").replace("\\\\", "\\"),
        ),
        (
            "user=kim&password=hunter22&pin=${WORD}",
            "user=kim&password=***&pin=***".to_owned(),
        ),
    ] {
        let keys = format!("method = \"POST\"\nbody = \"{written}\"\n");
        let words = pasted(directory.path(), &keys);
        assert_eq!(
            after(&words, "--data-raw"),
            Some(want.as_str()),
            "{written}"
        );
        assert_eq!(words.last().unwrap(), "https://example.com/", "{written}");
    }
    // One that is too long for a mail: the command says what belongs there.
    let keys = format!("method = \"POST\"\nbody = \"{}\"\n", "x".repeat(5000));
    let words = pasted(directory.path(), &keys);
    assert_eq!(after(&words, "--data-binary"), Some("@body"));
    assert_eq!(words.last().unwrap(), "https://example.com/");
}

#[test]
fn a_secret_that_stands_in_a_url_is_mailed_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let config = load(directory.path(), "method = \"GET\"\n");
    let mut monitor = (*config.monitors[0]).clone();
    let url = Url::parse("https://example.com/?page=2&token=LITERAL9").unwrap();
    let mut http = monitor.http().unwrap().clone();
    http.target = Target::sharing(&url, Arc::clone(&http.target.manner));
    monitor.subject = Subject::Http(http);
    for (name, mut parcel, around) in samples::all() {
        for about in parcel.notices.iter_mut().filter_map(|n| n.about.as_mut()) {
            about.url = monitor.url_shown();
        }
        let context = Context {
            monitor: Some(&monitor),
            ..around.context()
        };
        let mail = render(&parcel, &context);
        assert!(!mail.text.contains("LITERAL9"), "{name}: {}", mail.text);
        assert!(!mail.html.contains("LITERAL9"), "{name}: {}", mail.html);
        assert!(!mail.subject.contains("LITERAL9"), "{name}");
    }
}
