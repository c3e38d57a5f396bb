//! Each mail compared as a whole with the file of its name.
//!
//! Where one differs, what came stands in `mails/` of the target directory's `tmp`: look at it, and copy it here.

use std::fs;
use std::path::Path;

use sitewatch::view::mail::render::render;
use unicode_width::UnicodeWidthStr;

use super::samples;

#[test]
fn every_mail_is_as_it_was() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mails");
    let came = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mails");
    fs::create_dir_all(&came).unwrap();
    let mut different = Vec::new();
    for (name, parcel, context) in samples::all() {
        let mail = render(&parcel, &context.context());
        let mut text = format!("Subject: {}\n", mail.subject);
        for (field, value) in &mail.headers {
            text.push_str(&format!("{field}: {value}\n"));
        }
        text.push('\n');
        text.push_str(&mail.text);
        for (file, now) in [
            (format!("{name}.txt"), &text),
            (format!("{name}.html"), &mail.html),
        ] {
            let before = fs::read_to_string(kept.join(&file)).unwrap_or_default();
            if before != **now {
                fs::write(came.join(&file), now).unwrap();
                different.push(file);
            }
        }
        for line in mail.text.lines() {
            assert!(line.width() <= 78, "{name}: {line}");
        }
        assert!(
            mail.html.len() < 60_000,
            "{name}: {} bytes",
            mail.html.len()
        );
    }
    assert!(
        different.is_empty(),
        "{different:?} differ; see {}",
        came.display()
    );
}
