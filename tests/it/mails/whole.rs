//! Each mail compared as a whole with the file of its name.

use sitewatch::view::mail::render::render;
use unicode_width::UnicodeWidthStr;

use super::{kinds, samples};
use crate::support::golden::Golden;

/// Only one word that is too long for a line, or one that is quoted for a shell, makes it longer than 78 columns.
pub(super) fn is_broken_at_blanks(line: &str) -> bool {
    let is_long = |word: &str| word.width() >= 12 && line.width() - word.width() <= 66;
    line.width() <= 78 || line.split(' ').any(is_long) || line.contains('\'')
}

#[test]
fn every_mail_is_as_it_was() {
    let mut golden = Golden::folder("mails");
    for (name, parcel, context) in samples::all().into_iter().chain(kinds::all()) {
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
            assert!(is_broken_at_blanks(line), "{name}: {line}");
        }
        assert!(
            mail.html.len() < 60_000,
            "{name}: {} bytes",
            mail.html.len()
        );
    }
    golden.end(&[".txt", ".html"]);
}

#[test]
fn addresses_and_the_lines_of_a_note_stay_whole() {
    let wiki = format!(
        "https://wiki.example.com/{}#section-3",
        "Long+Title+".repeat(12)
    );
    let note = format!(
        "\r\n\tRunbook:\n\t  {wiki} then call\r- a & b\n\n- c  d\n{}\n",
        "word ".repeat(30)
    );
    let (_, parcel, around) = samples::all().remove(0);
    let mut monitor = around.context().monitor.unwrap().clone();
    monitor.note = note.into();
    let mut context = around.context();
    context.monitor = Some(&monitor);
    let mail = render(&parcel, &context);
    let begin = mail.text.find("Note ").unwrap();
    let wrapped = "word ".repeat(12);
    let blank = " ".repeat(16);
    let want = format!(
        "Note                Runbook:\n{blank}      {wiki}\n{blank}      then call\n{blank}- a & b\n\n{blank}- c  d\n\
         {blank}{}\n{blank}{}\n{blank}{}\n",
        wrapped.trim_end(),
        wrapped.trim_end(),
        "word ".repeat(6).trim_end()
    );
    assert_eq!(&mail.text[begin..begin + want.len()], want, "{}", mail.text);
    assert!(
        mail.html.contains(&format!("<a href=\"{wiki}\"")),
        "{}",
        mail.html
    );
    assert!(
        mail.html.contains("then call<br>- a &amp; b<br><br>- c"),
        "{}",
        mail.html
    );
}
