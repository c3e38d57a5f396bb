//! What a file chooses to cost, and how little it may.

use std::time::Duration;

use serde_json::json;
use sitewatch::clock;

use super::*;

/// Runs an import that has to be quick, also in a debug build on a busy machine.
fn quick<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = clock::tick();
    let result = work();
    let took = clock::tick() - start;
    assert!(took < Duration::from_secs(20), "{what} took {took:?}");
    result
}

#[test]
fn many_equal_names_and_many_lines_take_no_time() {
    let many: Vec<_> = (0..8_000)
        .map(|number| json!({ "id": number, "name": "x", "type": "http", "url": "https://a.example/", "parent": number + 1 }))
        .collect();
    let imported = quick("names", || {
        import::uptime_kuma(&json!(many).to_string()).unwrap()
    });
    assert_eq!(imported.monitors, 8_000);
    let lines: String = (0..200_000)
        .map(|number| format!("nothing {number}\n"))
        .collect();
    let imported = quick("lines", || import::urls(&[source(&lines)]).unwrap());
    assert_eq!(imported.left_out.len(), 11);
    let kinds: Vec<_> = (0..50_000)
        .map(|number| json!({ "id": number, "name": "x", "type": format!("kind{number}") }))
        .collect();
    let imported = quick("kinds", || {
        import::uptime_kuma(&json!(kinds).to_string()).unwrap()
    });
    assert_eq!(imported.left_out.len(), 1001);
    let hosts: String = (0..20_000)
        .map(|number| format!("server {{ listen 80; server_name h{number}.example; }}\n"))
        .collect();
    let imported = quick("hosts", || {
        import::nginx(&[source(&hosts)], &nothing).unwrap()
    });
    assert_eq!(imported.monitors, 20_000);
}

#[test]
fn texts_in_texts_are_read_once_and_within_bounds() {
    let mut text = "endpoints: []".to_owned();
    for _ in 0..6 {
        let indented: String = text.lines().map(|line| format!("  {line}\n")).collect();
        text = format!("a: &a |\n{indented}b: [{}]\n", "*a, ".repeat(40));
    }
    text = format!("# {}\n{text}", "x".repeat(1000));
    quick("texts", || {
        let _ = import::gatus(&[source(&text)]);
    });
}

/// A database made by these statements.
fn database(script: &str) -> Result<serde_json::Value, sitewatch::store::file::kuma::KumaError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kuma.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(script)
        .unwrap();
    quick("the database", || sitewatch::store::file::kuma::read(&path))
}

#[test]
fn a_database_computes_nothing_for_us() {
    let view = "CREATE TABLE m (id); CREATE VIEW monitor AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x AS id FROM r;";
    assert!(
        database(view)
            .unwrap_err()
            .to_string()
            .contains("no table `monitor`")
    );
    let computed = "CREATE TABLE monitor (id INTEGER PRIMARY KEY, name TEXT, url TEXT, type TEXT GENERATED ALWAYS AS (hex(zeroblob(400000000))));\n\
        INSERT INTO monitor (id, name, url) VALUES (1, 'a', 'https://a.example/');";
    let export = database(computed).unwrap();
    assert!(export["monitorList"][0].get("type").is_none());
    let imported = import::uptime_kuma_value(&export).unwrap();
    assert_eq!(loaded(&imported).monitors.len(), 1);
    let trigger = "CREATE TABLE monitor (id INTEGER PRIMARY KEY, name TEXT, url TEXT); INSERT INTO monitor VALUES (1, 'a', 'https://a.example/');\n\
        CREATE TRIGGER t AFTER INSERT ON monitor BEGIN DELETE FROM monitor; END;";
    assert!(database(trigger).is_ok());
    // A column that was added has its default in each row and takes no room in the file.
    let long = format!(
        "CREATE TABLE monitor (id INTEGER PRIMARY KEY); WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 400) INSERT INTO monitor SELECT x FROM r;\n\
        ALTER TABLE monitor ADD COLUMN name TEXT DEFAULT '{}';",
        "x".repeat(900_000)
    );
    let error = database(&long).unwrap_err().to_string();
    assert!(error.contains("more than 256 MiB"), "{error}");
}

#[test]
fn a_packed_list_is_unpacked_within_bounds() {
    use std::io::Write as _;
    let pack = |text: &[u8], times: usize| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..times {
            packer.write_all(text).unwrap();
        }
        packer.finish().unwrap()
    };
    let directory = tempfile::tempdir().unwrap();
    let run = |bytes: &[u8]| {
        std::fs::write(directory.path().join("sitemap.xml.gz"), bytes).unwrap();
        std::process::Command::new(env!("CARGO_BIN_EXE_sitewatch"))
            .args(["import", "sitemap", "sitemap.xml.gz"])
            .current_dir(directory.path())
            .output()
            .unwrap()
    };
    let page = b"<urlset><url><loc>https://a.example/x</loc></url></urlset>";
    let output = run(&pack(page, 1));
    assert_eq!(output.status.code(), Some(0));
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("https://a.example/x")
    );
    let output = run(&pack(&[b' '; 1 << 20], 100));
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("larger than 64 MiB"), "{said}");
    let output = run(&pack(page, 1)[..20]);
    assert_eq!(output.status.code(), Some(2));
}
