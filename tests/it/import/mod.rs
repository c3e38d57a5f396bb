//! Other tools' configurations, written after their documentation, and what becomes of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod blackbox;
mod corpus;
mod fuzzing;
mod gatus;
mod hostile;
mod kuma;
mod lists;
mod model;
mod served;

use std::path::Path;

use sitewatch::config::import::{self, ImportError, Imported, Source};
use sitewatch::config::{self, Config, Environment};
use sitewatch::domain::duration_text::Written;
use sitewatch::domain::monitor::Monitor;

/// A text as an import gets it.
fn source(text: &str) -> Source {
    Source {
        name: "given".to_owned(),
        text: text.to_owned(),
    }
}

/// Nothing lies beside the source.
fn nothing(_: &str) -> Vec<Source> {
    Vec::new()
}

/// Loads what an import wrote: it must be valid.
fn loaded(imported: &Imported) -> Config {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("monitors.toml"), &imported.toml).unwrap();
    let mut variables: std::collections::HashMap<String, String> = imported
        .variables
        .iter()
        .map(|name| match name.ends_with("_CHAT") {
            // As the room of Matrix is written.
            true => (name.clone(), "!room:example.com".to_owned()),
            false => (name.clone(), "example.com".to_owned()),
        })
        .collect();
    variables.insert("HOME".to_owned(), "/home/kim".to_owned());
    let environment = Environment {
        variables: variables.into_iter().collect(),
        directory: directory.path().to_owned(),
        is_root: false,
    };
    match config::load(Path::new("monitors.toml"), &environment) {
        Ok(config) => config,
        Err(errors) => panic!("{errors}\n{}", imported.toml),
    }
}

/// One monitor as a line.
fn line(monitor: &Monitor) -> String {
    format!(
        "{} | {} {} | {} every {} within {} | down after {}, up after {}",
        monitor.name,
        monitor
            .http()
            .map_or("-", |http| http.target.method.as_str()),
        monitor.subject.url_text(),
        monitor.http().map_or_else(
            || "-".to_owned(),
            |http| http.expectation.status.to_string()
        ),
        Written(monitor.rules.interval),
        Written(monitor.rules.timeout),
        monitor.rules.failures_before_down,
        monitor.rules.successes_before_up,
    )
}

fn lines(config: &Config) -> Vec<String> {
    config
        .monitors
        .iter()
        .map(|monitor| line(monitor))
        .collect()
}

/// What stands in the file below the first `[[monitor]]`, without comments: one line a key.
fn keys(imported: &Imported) -> Vec<&str> {
    let (_, monitors) = imported
        .toml
        .split_once("[[monitor]]\n")
        .unwrap_or_default();
    monitors
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

#[test]
fn what_is_something_else_says_so() {
    let none = import::blackbox(&[source("a: 1")], &[], &nothing);
    let rows: [(&str, Result<Imported, ImportError>); 9] = [
        (
            "there are no `endpoints`: is this Gatus' config.yaml?",
            import::gatus(&[source("a: 1")]),
        ),
        (
            "there is no `monitorList`: is this Uptime Kuma's export? Its database, kuma.db, can be read as well",
            import::uptime_kuma("{}"),
        ),
        (
            "there are no `modules` and no `scrape_configs`: is this blackbox_exporter's file?",
            none,
        ),
        (
            "there are no `sites`: is this Upptime's .upptimerc.yml?",
            import::upptime(&[source("a: 1")]),
        ),
        (
            "the first line names no column `url`: the table needs a head line, as `name,url`",
            import::csv(&[source("https://a.example/,Shop\n")]),
        ),
        (
            "there is no `server` block: is this nginx' configuration?",
            import::nginx(&[source("user www-data;")], &nothing),
        ),
        (
            "there is no site address: is this a Caddyfile?",
            import::caddy(&[source("# nothing")]),
        ),
        (
            "there is no rule with a host, as Host(`example.com`): is this Traefik's configuration or a compose file with its labels?",
            import::traefik(&[source("services: {}")]),
        ),
        (
            "this is not valid YAML in line 1, column 5: mapping values are not allowed in this context",
            import::gatus(&[source("a: b: c")]),
        ),
    ];
    for (said, got) in rows {
        assert_eq!(
            got.err().map(|error| error.to_string()).as_deref(),
            Some(said)
        );
    }
}

proptest::proptest! {
    #![proptest_config(crate::support::cases::cases(256))]
    #[test]
    fn any_text_is_answered(text in "(\\PC|[\\[\\]\"':{}#&*<>,;$|`()\n -]){0,200}") {
        let given = [source(&text)];
        for imported in [
            import::gatus(&given),
            import::blackbox(&given, &given, &nothing),
            import::uptime_kuma(&text),
            import::upptime(&given),
            import::csv(&[source(&format!("url,name\n{text}"))]),
            import::urls(&given),
            import::sitemap(&[source(&format!("<urlset><url><loc>{text}</loc></url></urlset>"))]),
            import::nginx(&[source(&format!("server {{ server_name {text}; }}"))], &nothing),
            import::caddy(&[source(&format!("{text} {{\n}}\n"))]),
            import::traefik(&[source(&format!("rule: 'Host(`{text}`)'"))]),
        ] {
            // Whatever is written must load.
            if let Ok(imported) = imported && imported.variables.is_empty() {
                loaded(&imported);
            }
        }
    }

    #[test]
    fn any_condition_of_gatus_is_answered(
        left in "\\[(STATUS|BODY|RESPONSE_TIME|CONNECTED)\\](\\.[a-z]{1,3}|\\[[0-9]\\])?",
        operator in "==|!=|<|<=|>|>=|\\|\\|",
        right in "(any|pat)?\\(?[a-z0-9.,*'\"$ -]{0,12}\\)?",
    ) {
        let text = serde_json::json!({ "endpoints": [{
            "name": "x", "url": "https://a.example/", "conditions": [format!("{left} {operator} {right}")],
        }] });
        let imported = import::gatus(&[source(&text.to_string())]).unwrap();
        if imported.variables.is_empty() {
            proptest::prop_assert_eq!(loaded(&imported).monitors.len(), 1);
        }
    }
}

/// Runs the command in a folder; exit status, standard output and standard error.
fn command_in(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let input = directory.join("input");
    let input = match input.is_file() {
        true => std::fs::File::open(input).unwrap().into(),
        false => std::process::Stdio::null(),
    };
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sitewatch"))
        .arg("import")
        .args(arguments)
        .current_dir(directory)
        .stdin(input)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Runs the command on a file with these bytes.
fn command(format: &str, bytes: impl AsRef<[u8]>) -> (Option<i32>, String, String) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("given"), bytes).unwrap();
    command_in(directory.path(), &[format, "given"])
}

#[test]
fn the_command_says_what_is_lost_and_what_is_needed() {
    let (status, out, said) = command(
        "gatus",
        "endpoints: [{name: a, url: 'https://${SHOP}/$PART'}, {name: b, url: 'ssh://b.example'}]",
    );
    assert_eq!(status, Some(0));
    assert!(out.contains("url = \"https://${SHOP}/${PART}\""), "{out}");
    assert_eq!(
        said,
        "1 monitor written\nwarning: not carried over:\n  not checked (ssh; there are no monitors of that kind): b (ssh://b.example)\nit needs these environment variables: PART, SHOP\n"
    );
    let (status, out, said) = command("urls", "not a url\nnor this\n");
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(said.starts_with("0 monitors written\n"), "{said}");
    let (status, out, _) = command("urls", "\u{feff}https://a.example/\n");
    assert_eq!(status, Some(0));
    assert!(out.contains("a.example"));
}

#[test]
fn what_is_no_web_site_is_named() {
    let sites = |count: u16| -> String {
        let ports =
            (1..=count).map(|port| format!("{{name: p{port}, url: 'tcp://h.example:{port}'}}"));
        let web = "{name: w, url: 'https://w.example/'}".to_owned();
        format!(
            "endpoints: [{}]",
            ports.chain([web]).collect::<Vec<_>>().join(", ")
        )
    };
    for (count, named) in [
        (0, "1 monitor written\n"),
        (
            1,
            "2 monitors written\n1 is no web site: tcp://h.example:1\n",
        ),
        (
            10,
            "11 monitors written\n10 are no web site: tcp://h.example:1, tcp://h.example:2, tcp://h.example:3, \
             tcp://h.example:4, tcp://h.example:5, tcp://h.example:6, tcp://h.example:7, tcp://h.example:8 and 2 more\n",
        ),
    ] {
        let (status, _, said) = command("gatus", sites(count));
        assert_eq!((status, said.as_str()), (Some(0), named));
    }
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("b.yml", "modules: {tcp: {prober: tcp}}");
    write(
        "p.yml",
        "scrape_configs: [{job_name: db, metrics_path: /probe, params: {module: [tcp]}, \
         static_configs: [{targets: ['db.example:5432', 'mail.example:25']}]}]",
    );
    let (status, _, said) = command_in(
        directory.path(),
        &["blackbox", "b.yml", "--targets", "p.yml"],
    );
    assert_eq!(status, Some(0));
    assert_eq!(
        said,
        "2 monitors written\n2 are no web site: tcp://db.example:5432, tcp://mail.example:25\n"
    );
}

#[test]
fn nothing_imported_is_a_failure() {
    let module = "modules: {http_2xx: {prober: http}}";
    for (format, text) in [
        ("urls", ""),
        ("urls", "# none\n"),
        ("gatus", "endpoints: []"),
        ("gatus", "endpoints: [{name: p, url: 'ssh://a.example'}]"),
        ("uptime-kuma", "{\"monitorList\": []}"),
        (
            "uptime-kuma",
            "[{\"id\": 1, \"name\": \"p\", \"type\": \"docker\", \"hostname\": \"10.0.0.1\"}]",
        ),
        ("blackbox", module),
        (
            "sitemap",
            "<sitemapindex><sitemap><loc>https://a.example/s.xml</loc></sitemap></sitemapindex>",
        ),
        ("csv", "url,name\n"),
    ] {
        let (status, out, said) = command(format, text);
        assert_eq!((status, out.as_str()), (Some(1), ""), "{format}: {text}");
        assert!(said.starts_with("0 monitors written\n"), "{said}");
    }
    // Each format alike: an empty file, an empty folder, and a file in which nothing can be found.
    let page = "<!doctype html><p>gone</p>";
    for (format, says) in [
        (
            "gatus",
            "there are no `endpoints`: is this Gatus' config.yaml?",
        ),
        ("uptime-kuma", ""),
        (
            "blackbox",
            "there are no `modules` and no `scrape_configs`: is this blackbox_exporter's file?",
        ),
        (
            "upptime",
            "there are no `sites`: is this Upptime's .upptimerc.yml?",
        ),
        ("csv", ""),
        (
            "urls",
            "not carried over:\n  line 1: `<!doctype html><p>gone</p>` is not a URL",
        ),
        ("sitemap", "there is no `<urlset>`: is this a sitemap?"),
        (
            "nginx",
            "there is no `server` block: is this nginx' configuration?",
        ),
        ("caddy", "there is no site address: is this a Caddyfile?"),
        (
            "traefik",
            "there is no rule with a host, as Host(`example.com`): is this Traefik's configuration or a compose file \
             with its labels?",
        ),
    ] {
        for blank in ["", " \n\t\n"] {
            let expected = "0 monitors written\nwarning: given: it is empty\n".to_owned();
            assert_eq!(
                command(format, blank),
                (Some(1), String::new(), expected),
                "{format}"
            );
        }
        let directory = tempfile::tempdir().unwrap();
        let why = match format {
            "uptime-kuma" => "there is no `kuma.db` in this folder",
            _ => "no file in this folder has a name of the format",
        };
        let expected = format!("0 monitors written\nwarning: .: {why}\n");
        let got = command_in(directory.path(), &[format, "."]);
        assert_eq!(got, (Some(1), String::new(), expected), "{format}");
        let text = if format == "caddy" { "# none" } else { page };
        let (status, _, said) = command(format, text);
        match says {
            // These two cannot be read as JSON and as a table.
            "" => assert_eq!(status, Some(2), "{said}"),
            says => {
                assert_eq!(status, Some(1), "{said}");
                let said = said.replace("given: ", "");
                assert_eq!(said, format!("0 monitors written\nwarning: {says}\n"));
            }
        }
    }
    // What the YAML parser panics at is no YAML either, and its own words are not shown.
    for text in ["endpoints: [!,x]", "endpoints: {a: !b,c: 1}"] {
        let (status, out, said) = command("gatus", text);
        assert_eq!((status, out.as_str()), (Some(2), ""), "{said}");
        assert_eq!(said, "error: given: this is not valid YAML\n");
    }
    let (_, _, said) = command("blackbox", module);
    assert!(said.contains("give them with --targets"), "{said}");
}

#[test]
fn targets_that_were_given_are_not_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write(
        "b.yml",
        "modules: {http_2xx: {prober: http}, login: {prober: http}, other: {prober: http}}",
    );
    let job = "job_name: j, metrics_path: /probe, static_configs: [{targets: [a.example]}]";
    for params in ["module: [http_2xx, login]", "module: [http_2xx]", ""] {
        write(
            "p.yml",
            &format!("scrape_configs: [{{{job}, params: {{{params}}}}}]"),
        );
        let (status, _, said) = command_in(
            directory.path(),
            &["blackbox", "b.yml", "--targets", "p.yml"],
        );
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("login"), "{said}");
        assert!(!said.contains("give them with --targets"), "{said}");
    }
}

#[test]
fn files_are_read_as_they_are_saved() {
    let list = "https://a.example/\r\nhttps://b.example/ Shop\r\n";
    let wide = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
        let units = list.encode_utf16().flat_map(bytes);
        mark.iter().copied().chain(units).collect::<Vec<u8>>()
    };
    for bytes in [
        list.as_bytes().to_vec(),
        format!("\u{feff}{list}").into_bytes(),
        wide(b"\xff\xfe", u16::to_le_bytes),
        wide(b"\xfe\xff", u16::to_be_bytes),
    ] {
        let (status, out, said) = command("urls", &bytes);
        assert_eq!((status, said.as_str()), (Some(0), "2 monitors written\n"));
        assert!(out.contains("name = \"Shop\"\nurl = \"https://b.example/\""));
    }
    let (status, _, said) = command("urls", b"caf\xe9");
    assert_eq!(status, Some(2));
    assert!(said.contains("it is not UTF-8"), "{said}");
}

#[test]
fn a_folder_is_its_files_together() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("conf/more")).unwrap();
    for (name, text) in [
        (
            "conf/a.yaml",
            "alerting: {email: {from: a@example.com, host: mail.example.com, port: 587, to: ops@example.com}}",
        ),
        (
            "conf/more/b.yml",
            "endpoints: [{name: b, url: 'https://b.example/', alerts: [{type: email}]}]",
        ),
        (
            "conf/more/c.json",
            "{\"endpoints\": [{\"name\": \"c\", \"url\": \"https://c.example/\"}]}",
        ),
        (
            "conf/.old.yaml",
            "endpoints: [{name: d, url: 'https://d.example/'}]",
        ),
        (
            "conf/notes.txt",
            "endpoints: [{name: e, url: 'https://e.example/'}]",
        ),
    ] {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let (status, out, said) = command_in(directory.path(), &["gatus", "conf"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("2 monitors written\n"), "{said}");
    for word in [
        "mail.example.com",
        "https://b.example/",
        "https://c.example/",
    ] {
        assert!(out.contains(word), "{word}: {out}");
    }
}

#[test]
fn a_database_is_taken_wherever_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kuma.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE monitor (id INTEGER PRIMARY KEY, name TEXT, active INTEGER, interval INTEGER, url TEXT, type TEXT);\n\
             INSERT INTO monitor VALUES (1, 'shop', 1, 60, 'https://shop.example/', 'http');",
        )
        .unwrap();
    std::fs::copy(&path, directory.path().join("input")).unwrap();
    for place in ["kuma.db", ".", "-"] {
        let (status, out, said) = command_in(directory.path(), &["uptime-kuma", place]);
        assert_eq!(status, Some(0), "{place}: {said}");
        assert!(out.contains("https://shop.example/"), "{place}: {out}");
    }
    let bytes = std::fs::read(&path).unwrap();
    let (status, _, said) = command("uptime-kuma", &bytes[..bytes.len() / 2]);
    assert_eq!(status, Some(2), "{said}");
    assert!(!said.contains("UTF-8"), "{said}");
}

/// A login in the URL and another one beside it: what is written loads, and says which one is sent.
#[test]
fn of_two_logins_one_is_kept() {
    let targets = "scrape_configs: [{job_name: j, metrics_path: /probe, params: {module: [m]}, \
        static_configs: [{targets: ['https://u:p@a.example/x@y']}]}]";
    let module = |login: &str| format!("modules: {{m: {{prober: http, http: {{{login}}}}}}}");
    let kuma = "[{\"id\": 1, \"name\": \"k\", \"type\": \"http\", \"url\": \"https://u:p@a.example/x@y\", \
        \"authMethod\": \"basic\", \"basic_auth_user\": \"me\", \"basic_auth_pass\": \"pw\"}]";
    let gatus = "endpoints: [{name: g, url: 'https://u:p@a.example/x@y', headers: {authorization: Bearer z}, \
        conditions: ['[STATUS] == 200']}]";
    let blackbox = |login: &str| {
        import::blackbox(&[source(&module(login))], &[source(targets)], &nothing).unwrap()
    };
    for imported in [
        blackbox("bearer_token: z"),
        blackbox("headers: {Authorization: Bearer z}"),
        blackbox("basic_auth: {username: me, password: pw}"),
        import::uptime_kuma(kuma).unwrap(),
        import::gatus(&[source(gatus)]).unwrap(),
    ] {
        let said = imported.left_out.join("\n");
        let what = "the login in the URL; the one of the headers or of basic_auth is sent: ";
        assert!(said.contains(what), "{said}");
        let config = loaded(&imported);
        assert_eq!(
            config.monitors[0].subject.url_text().to_string(),
            "https://a.example/x@y"
        );
    }
    let alone = blackbox("");
    assert!(
        alone.toml.contains("https://u:p@a.example/x@y"),
        "{}",
        alone.toml
    );
    assert_eq!(alone.left_out, Vec::<String>::new());
    loaded(&alone);
}
