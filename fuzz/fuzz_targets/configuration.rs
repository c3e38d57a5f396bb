//! A whole `monitors.toml`: it loads, or what is wrong is said in printable text.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sitewatch::config::{self, Environment};

static DIRECTORY: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a directory for one file"));

fuzz_target!(|text: &[u8]| {
    let file = DIRECTORY.path().join("monitors.toml");
    std::fs::write(&file, text).expect("the file is written");
    let environment = Environment {
        directory: DIRECTORY.path().to_owned(),
        ..Environment::default()
    };
    if let Err(errors) = config::load(&file, &environment) {
        let said = errors.to_string();
        assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
    }
});
