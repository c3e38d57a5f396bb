//! XMPP (RFC 6120 section 5), as a client: a stream, its features, starttls, proceed.

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::{Dialogue, UpgradeFault, words};

/// A tag with its attributes; a stream's first one has 300 bytes.
const TAG_BYTES_MAX: usize = 4096;

/// Features that are named when there is no STARTTLS among them.
const FEATURES_SHOWN_MAX: usize = 12;

pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
    host: &str,
) -> Result<(), UpgradeFault> {
    let to = escaped(host.trim_end_matches('.'));
    let stream = format!(
        "<?xml version='1.0'?><stream:stream to='{to}' version='1.0' xmlns='jabber:client' \
         xmlns:stream='http://etherx.jabber.org/streams'>"
    );
    dialogue.send(stream.as_bytes()).await;
    let features = features(dialogue).await?;
    if !features.iter().any(|feature| feature == "starttls") {
        let some: Vec<&str> = features
            .iter()
            .take(FEATURES_SHOWN_MAX)
            .map(String::as_str)
            .collect();
        let some = match some.is_empty() {
            true => "none".to_owned(),
            false => format!("`{}`", words(some.join(" ").as_bytes())),
        };
        return Err(UpgradeFault::NoTls(format!(
            "the XMPP server does not offer STARTTLS; its features: {some}"
        )));
    }
    dialogue
        .send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        .await;
    loop {
        let tag = tag(dialogue, Before::Text).await?;
        match (tag.form, tag.name.as_str()) {
            (Form::Empty, "proceed") | (Form::End, "proceed") => return Ok(()),
            (Form::Begin, "proceed") | (Form::Other, _) => {}
            _ => return Err(dialogue.refused(&tag.text)),
        }
    }
}

/// The names of the elements directly below `<stream:features>`.
async fn features<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
) -> Result<Vec<String>, UpgradeFault> {
    let mut found = Vec::new();
    // How deep below the features we are; `None` before they begin.
    let mut depth: Option<usize> = None;
    let mut in_error = false;
    let mut before = Before::Nothing;
    loop {
        let tag = tag(dialogue, before).await?;
        before = Before::Text;
        let begins = matches!(tag.form, Form::Begin | Form::Empty);
        if in_error {
            return Err(UpgradeFault::NoTls(format!(
                "the XMPP server answers with an error: `{}`",
                words(tag.name.as_bytes())
            )));
        }
        match (depth, tag.form, tag.name.as_str()) {
            (_, Form::Other, _) | (None, Form::Begin, "stream") => {}
            (None, Form::Begin, "error") => in_error = true,
            (None, Form::Empty, "features") => return Ok(found),
            (None, Form::Begin, "features") => depth = Some(0),
            (None, _, _) => return Err(dialogue.foreign(tag.text.as_bytes())),
            (Some(0), Form::End, _) => return Ok(found),
            (Some(level), form, _) => {
                if level == 0 && begins {
                    found.push(tag.name);
                }
                depth = Some(match form {
                    Form::Begin => level + 1,
                    Form::End => level - 1,
                    Form::Empty | Form::Other => level,
                });
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Begin,
    End,
    /// `<x/>`.
    Empty,
    /// The declaration at the beginning.
    Other,
}

struct Tag {
    form: Form,
    /// Without its prefix.
    name: String,
    text: String,
}

/// What may stand before a tag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A stream begins with a tag.
    Nothing,
    /// The content of an element; it is passed over.
    Text,
}

/// The next tag.
async fn tag<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
    before: Before,
) -> Result<Tag, UpgradeFault> {
    let mut scanned = Scan::default();
    loop {
        let come = dialogue.come();
        let first = come.iter().find(|byte| !byte.is_ascii_whitespace());
        if before == Before::Nothing && first.is_some_and(|byte| *byte != b'<') {
            return Err(dialogue.foreign(come));
        }
        if let Some(end) = scanned.end(come) {
            let bytes = dialogue.take(end);
            return read(&bytes).ok_or_else(|| dialogue.foreign(&bytes));
        }
        if come.len() > TAG_BYTES_MAX {
            return Err(UpgradeFault::NoTls(format!(
                "the server sends a tag of more than {TAG_BYTES_MAX} bytes, which is not XMPP"
            )));
        }
        dialogue.more().await?;
    }
}

/// Looks for the end of a tag; each byte is looked at once.
#[derive(Default)]
struct Scan {
    looked: usize,
    quote: Option<u8>,
    in_tag: bool,
}

impl Scan {
    /// Where the first tag ends.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(byte) = bytes.get(self.looked) {
            self.looked += 1;
            match (self.quote, *byte) {
                (Some(quote), byte) if byte == quote => self.quote = None,
                (Some(_), _) => {}
                (None, b'<') => self.in_tag = true,
                (None, b'>') if self.in_tag => return Some(self.looked),
                (None, quote @ (b'"' | b'\'')) if self.in_tag => self.quote = Some(quote),
                (None, _) => {}
            }
        }
        None
    }
}

fn read(bytes: &[u8]) -> Option<Tag> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.get(text.find('<')?..)?;
    let inside = text.strip_prefix('<')?.strip_suffix('>')?;
    let (form, inside) = if inside.starts_with('?') {
        (Form::Other, inside)
    } else if let Some(inside) = inside.strip_prefix('/') {
        (Form::End, inside)
    } else if let Some(inside) = inside.strip_suffix('/') {
        (Form::Empty, inside)
    } else {
        (Form::Begin, inside)
    };
    let name = inside
        .split(|c: char| c.is_ascii_whitespace() || c == '/')
        .next()
        .unwrap_or_default();
    let name = name.rsplit(':').next().unwrap_or_default();
    Some(Tag {
        form,
        name: name.to_owned(),
        text: text.to_owned(),
    })
}

/// A host in an attribute.
fn escaped(host: &str) -> String {
    host.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('\'', "&apos;")
}
