//! Each mail compared as a whole with the file of its name.

use sitewatch::view::mail::render::render;
use unicode_width::UnicodeWidthStr;

use super::samples;
use crate::support::golden::Golden;

#[test]
fn every_mail_is_as_it_was() {
    let mut golden = Golden::folder("mails");
    for (name, parcel, context) in samples::all() {
        let mail = render(&parcel, &context.context());
        let mut text = format!("Subject: {}\n", mail.subject);
        for (field, value) in &mail.headers {
            text.push_str(&format!("{field}: {value}\n"));
        }
        text.push('\n');
        text.push_str(&mail.text);
        golden.file(&format!("{name}.txt"), &text);
        golden.file(&format!("{name}.html"), &mail.html);
        for line in mail.text.lines() {
            assert!(line.width() <= 78, "{name}: {line}");
        }
        assert!(
            mail.html.len() < 60_000,
            "{name}: {} bytes",
            mail.html.len()
        );
    }
    golden.end(&[".txt", ".html"]);
}
