//! Every block of configuration in `docs/channels.md` is read as it stands there.

use std::collections::BTreeMap;
use std::path::Path;

use sitewatch::config::{self, Environment};
use sitewatch::domain::channel::Format;

const PAGE: &str = include_str!("../../../docs/channels.md");

/// Each `${NAME}` of a text, with a value that fits everywhere.
fn variables(text: &str) -> BTreeMap<String, String> {
    let names = text.split("${").skip(1);
    names
        .filter_map(|piece| piece.split_once('}'))
        .map(|(name, _)| {
            let value = match name.ends_with("_URL") {
                true => "https://hooks.example.com/services/T0/B0/XX",
                false => "a-token-of-some-length",
            };
            (name.to_owned(), value.to_owned())
        })
        .chain([("HOME".to_owned(), "/home/kim".to_owned())])
        .collect()
}

#[test]
fn every_block_of_the_page_is_valid() {
    let (_, template) = PAGE.split_once("```jinja\n").unwrap();
    let (template, _) = template.split_once("```").unwrap();
    let mut formats = Vec::new();
    for block in PAGE.split("```toml\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text);
        write("monitors.toml", block).unwrap();
        write("hook-key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        write("body.json.j2", template).unwrap();
        let environment = Environment {
            variables: variables(block),
            directory: directory.path().to_owned(),
            is_root: false,
        };
        let loaded = config::load(Path::new("monitors.toml"), &environment);
        let loaded = loaded.unwrap_or_else(|errors| panic!("{block}\n{errors}"));
        formats.extend(loaded.channels.iter().map(|channel| channel.format()));
    }
    for format in Format::ALL {
        assert!(formats.contains(&format), "{format} has no block");
    }
}
