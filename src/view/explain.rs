//! Status codes, classes and failure kinds explained, for `sitewatch explain`.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::terminal::{Screen, Tone};
use super::wrap;
use crate::domain::check::FailureKind;
use crate::domain::status_code::{self, Class, Side, Standing, StatusCode};

/// Running text is easiest to read in lines of this width.
const TEXT_COLUMNS: usize = 100;

/// What is to be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// One code, known or not.
    Code(u16),
    /// A class: `4xx`.
    Class(Class),
    /// A failure kind: `tls_expired`.
    Failure(FailureKind),
}

impl Subject {
    /// Reads `503`, `4xx` or `tls_expired`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(class) = Class::parse(text) {
            return Some(Self::Class(class));
        }
        // `0200` and `+200` are no codes, whatever number they are.
        if text.len() == 3
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(code @ 100..=999) = text.parse::<u16>()
        {
            return Some(Self::Code(code));
        }
        FailureKind::parse(&text.to_ascii_lowercase().replace('-', "_")).map(Self::Failure)
    }
}

/// Writes the explanation of one subject.
pub fn text(subject: Subject, screen: Screen, out: &mut impl Write) -> fmt::Result {
    match subject {
        Subject::Code(code) => match status_code::lookup(code) {
            Some(known) => known_code(known, screen, out),
            None => unknown_code(code, screen, out),
        },
        Subject::Class(class) => whole_class(class, screen, out),
        Subject::Failure(kind) => failure(kind, screen, out),
    }
}

/// The same as one JSON object.
pub fn json(subject: Subject) -> Value {
    match subject {
        Subject::Code(code) => {
            let class = Class::of(code);
            let known = status_code::lookup(code);
            json!({
                "code": code,
                "name": known.map(|known| known.name),
                "class": class.pattern(),
                "registered": known.is_some_and(StatusCode::is_registered),
                "source": known.map_or(class.source(), |known| known.source),
                "default": standing_word(Standing::of(code)),
                "side": known.map_or(class.side(), |known| known.side).as_str(),
                "meaning": known.map_or(class.meaning(), |known| known.meaning),
                "advice": known.map(|known| known.advice).filter(|advice| !advice.is_empty()),
            })
        }
        Subject::Class(class) => json!({
            "class": class.pattern(),
            "name": class.name(),
            "source": class.source(),
            "side": class.side().as_str(),
            "meaning": class.meaning(),
            "codes": status_code::all()
                .filter(|known| known.class() == class)
                .map(|known| known.code)
                .collect::<Vec<_>>(),
        }),
        Subject::Failure(kind) => {
            let explained = kind.meaning();
            json!({
                "kind": kind.as_str(),
                "name": explained.name,
                "side": explained.side.as_str(),
                "meaning": explained.meaning,
                "advice": explained.advice,
            })
        }
    }
}

fn known_code(known: &StatusCode, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let title = format!("{} {}", known.code, known.name);
    writeln!(
        out,
        "{} ({}) - {}\n",
        screen.paint(tone(known.standing()), &title),
        known.source,
        known.class().name()
    )?;
    paragraph("", known.meaning, screen, out)?;
    verdict(known.standing(), known.side, screen, out)?;
    if !known.advice.is_empty() {
        paragraph("Look at: ", known.advice, screen, out)?;
    }
    if !known.is_registered() {
        paragraph(
            "",
            "The code is in no registry: the Server header tells whether it comes from this vendor.",
            screen,
            out,
        )?;
    }
    Ok(())
}

fn unknown_code(code: u16, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let class = Class::of(code);
    let title = format!("{code} is in no registry and known of no vendor");
    writeln!(
        out,
        "{} - {}\n",
        screen.paint(tone(Standing::of(code)), &title),
        class.name()
    )?;
    if class != Class::Beyond {
        let first = class.pattern().replace("xx", "00");
        let treated = format!(
            "A client treats a code it does not know as {first} ({}). {}",
            class.source(),
            class.meaning()
        );
        paragraph("", &treated, screen, out)?;
    } else {
        paragraph("", class.meaning(), screen, out)?;
    }
    verdict(Standing::of(code), class.side(), screen, out)?;
    paragraph(
        "Look at: ",
        "the answer's Server header and body, and the documentation of what sends it",
        screen,
        out,
    )
}

fn whole_class(class: Class, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let title = format!("{} {}", class.pattern(), class.name());
    writeln!(
        out,
        "{} ({})\n",
        screen.paint(Tone::Strong, &title),
        class.source()
    )?;
    paragraph("", class.meaning(), screen, out)?;
    writeln!(out)?;
    for known in status_code::all().filter(|known| known.class() == class) {
        let code = known.code.to_string();
        let from = if known.is_registered() {
            String::new()
        } else {
            format!(" ({})", known.source)
        };
        writeln!(
            out,
            "  {}  {}{}",
            screen.paint(tone(known.standing()), &code),
            known.name,
            screen.paint(Tone::Faint, &from)
        )?;
    }
    Ok(())
}

fn failure(kind: FailureKind, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let explained = kind.meaning();
    writeln!(
        out,
        "{} - {}\n",
        screen.paint(Tone::Strong, kind.as_str()),
        explained.name
    )?;
    paragraph("", explained.meaning, screen, out)?;
    paragraph(
        "Responsible: ",
        &format!("{}.", explained.side.phrase()),
        screen,
        out,
    )?;
    paragraph("Look at: ", &format!("{}.", explained.advice), screen, out)
}

fn verdict(standing: Standing, side: Side, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let text = match side {
        Side::Nobody => format!("{}.", standing.phrase()),
        Side::Request
        | Side::Site
        | Side::Server
        | Side::Gateway
        | Side::Protection
        | Side::Network => format!("{}. Responsible: {}.", standing.phrase(), side.phrase()),
    };
    paragraph("For a monitor: ", &text, screen, out)
}

fn paragraph(label: &str, text: &str, screen: Screen, out: &mut impl Write) -> fmt::Result {
    let columns = screen.columns.map_or(TEXT_COLUMNS, |columns| {
        usize::from(columns).min(TEXT_COLUMNS)
    });
    let mut text = wrap::hanging(label, text, 0, columns);
    if label == "Look at: " && !text.ends_with('.') {
        text.push('.');
    }
    writeln!(out, "{text}")
}

const fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Interim => "interim",
        Standing::Up => "up",
        Standing::Followed => "redirect",
        Standing::Down => "down",
    }
}

const fn tone(standing: Standing) -> Tone {
    match standing {
        Standing::Interim => Tone::Faint,
        Standing::Up => Tone::Good,
        Standing::Followed => Tone::Accent,
        Standing::Down => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(subject: &str, want: &str) {
        let mut out = String::new();
        text(Subject::parse(subject).unwrap(), Screen::PLAIN, &mut out).unwrap();
        assert_eq!(out, want);
    }

    #[test]
    fn a_code_is_explained() {
        check(
            "503",
            "503 Service Unavailable (RFC 9110, 15.6.4) - server error\n\
             \n\
             The server is there but cannot handle the request now: overload, an attack, planned maintenance.\n\
             Retry-After, if sent, says when to come back; sitewatch shows it.\n\
             For a monitor: down, unless expect_status names it. Responsible: the server (or the proxy in front\n\
             of it), not the request.\n\
             Look at: load and connection limits, the proxy's view of its backends, a deployment in progress.\n",
        );
    }

    #[test]
    fn an_unknown_code_is_explained_by_its_class() {
        check(
            "577",
            "577 is in no registry and known of no vendor - server error\n\
             \n\
             A client treats a code it does not know as 500 (RFC 9110, 15.6). The server, or a gateway in front\n\
             of it, failed to answer a request that seems in order. Visitors see the same.\n\
             For a monitor: down, unless expect_status names it. Responsible: the server (or the proxy in front\n\
             of it), not the request.\n\
             Look at: the answer's Server header and body, and the documentation of what sends it.\n",
        );
    }

    #[test]
    fn words_of_every_kind_are_subjects() {
        assert_eq!(
            Subject::parse("4XX"),
            Some(Subject::Class(Class::ClientError))
        );
        assert_eq!(
            Subject::parse("tls-expired"),
            Some(Subject::Failure(FailureKind::TlsExpired))
        );
        assert_eq!(Subject::parse("99"), None);
        assert_eq!(Subject::parse("gateway"), None);
    }
}
