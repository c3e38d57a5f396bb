//! What the tour shows: a table of its sites that is drawn again and again, lines of what changed, and mails.

use std::fmt::{self, Write};
use std::time::Duration;

use super::terminal::{Screen, Tone};
use super::wrap;
use crate::domain::safe_text;

/// The current state of one site of the tour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What it is there to show.
    pub shows: &'static str,
    /// Its state.
    pub state: State,
    /// The codes of its newest check, redirects first: `301 302 200`, or the kind of its failure.
    pub way: String,
    /// How long the newest check took.
    pub took: Duration,
}

/// The state of a site of the tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not checked yet.
    Pending,
    /// Good.
    Up,
    /// Good, with something to say.
    Degraded,
    /// Failed, not confirmed.
    Failing,
    /// An incident is open.
    Down,
    /// An incident is open, the newest check is good.
    Recovering,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Failing => "failing",
            Self::Down => "DOWN",
            Self::Recovering => "DOWN?",
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Pending => Tone::Faint,
            Self::Up => Tone::Good,
            Self::Degraded | Self::Failing | Self::Recovering => Tone::Warning,
            Self::Down => Tone::Bad,
        }
    }
}

/// What the words for the time between are: nothing is mailed on the strength of a single check.
const CONFIRMING: &str = "failing = first failure, being confirmed; DOWN? = recovering";

/// What each site is there to show, where no table says it.
///
/// # Errors
/// Those of `out`.
pub fn legend(rows: &[Row], out: &mut impl Write) -> fmt::Result {
    writeln!(out, "The sites:\n")?;
    for row in rows {
        writeln!(out, "  {:<12} {}", row.name, row.shows)?;
    }
    writeln!(
        out,
        "\nState changes, with the codes of the newest check ({CONFIRMING}):\n"
    )
}

/// An act of the tour: what happens, and why it matters.
///
/// # Errors
/// Those of `out`.
pub fn act(
    since: Duration,
    happens: &str,
    matters: &str,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let columns = screen.columns.map_or(100, usize::from);
    let indent = 9;
    let text = wrap::hanging("", happens, indent, columns);
    let time = format!("{:>5.1} s  ", since.as_secs_f64());
    writeln!(out, "\n{time}{}", screen.paint(Tone::Accent, &text))?;
    let why = wrap::hanging("", matters, indent, columns);
    writeln!(out, "{:indent$}{why}\n", "")
}

/// The table, with the address of the page and the time that is left below it; `None`: it goes on until it is ended.
///
/// # Errors
/// Those of `out`.
pub fn table(
    rows: &[Row],
    left: Option<Duration>,
    page: &str,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let columns = usize::from(screen.columns.unwrap_or(80));
    let head = format!(
        "{:<12} {:<9} {:<12} {:>7}  WHAT IT SHOWS",
        "SITE", "STATE", "NEWEST CHECK", "TOOK"
    );
    writeln!(
        out,
        "{}",
        screen.paint(Tone::Strong, &safe_text::line_end(&head, columns))
    )?;
    for row in rows {
        let state = format!("{:<9}", row.state.word());
        let before = format!("{:<12} ", row.name);
        let took = match row.state {
            State::Pending => String::new(),
            _ if row.took.as_millis() == 0 => "<1 ms".to_owned(),
            _ => format!("{} ms", row.took.as_millis()),
        };
        let after = format!(
            " {:<12} {took:>7}  {}",
            safe_text::line(&row.way, 12),
            row.shows
        );
        let room = columns.saturating_sub(before.len() + state.len());
        writeln!(
            out,
            "{before}{}{}",
            screen.paint(row.state.tone(), &state),
            safe_text::line_end(&after, room)
        )?;
    }
    let foot = match left {
        None => format!("{page}  Ctrl-C ends it."),
        Some(left) if left.is_zero() => "Demo finished.".to_owned(),
        Some(left) => format!("{page}  {} s left, Ctrl-C ends it.", left.as_secs()),
    };
    writeln!(
        out,
        "{}",
        screen.paint(Tone::Faint, &safe_text::line_end(&foot, columns))
    )
}

/// One line of what changed, where nobody watches a table.
///
/// # Errors
/// Those of `out`.
pub fn change(since: Duration, row: &Row, out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "{:>5.1} s  {:<12} {:<9} {}",
        since.as_secs_f64(),
        row.name,
        row.state.word(),
        safe_text::line(&row.way, 60)
    )
}

/// A mail of the mailbox, line by line.
pub fn mail(since: Duration, subject: &str, body: &str, screen: Screen) -> Vec<String> {
    let title = format!(
        "{:>5.1} s  a mail arrived: {}",
        since.as_secs_f64(),
        safe_text::line(subject, 60)
    );
    let bar = if screen.unicode { "│" } else { "|" };
    let columns = screen.columns.map_or(usize::MAX, usize::from);
    let mut lines = vec![
        String::new(),
        screen.paint(Tone::Strong, &title).into_owned(),
    ];
    lines.extend(body.lines().map(|line| {
        let line = safe_text::line_end(line, columns.saturating_sub(2));
        format!("{bar} {line}").trim_end().to_owned()
    }));
    lines.push(String::new());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        vec![
            Row {
                name: "shop",
                shows: "200, 503, 200: one mail each way",
                state: State::Down,
                way: "503".into(),
                took: Duration::from_millis(12),
            },
            Row {
                name: "certificate",
                shows: "an expired certificate",
                state: State::Pending,
                way: String::new(),
                took: Duration::ZERO,
            },
        ]
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for columns in [20, 80, 120] {
            let mut text = String::new();
            table(
                &rows(),
                Some(Duration::from_secs(42)),
                "http://127.0.0.1:4000/",
                Screen::terminal(columns),
                &mut text,
            )
            .unwrap();
            for line in text.lines() {
                assert!(
                    line.chars().count() <= usize::from(columns.max(24)),
                    "{columns}: {line:?}"
                );
            }
        }
    }

    #[test]
    fn what_the_words_between_up_and_down_mean_is_said() {
        let mut text = String::new();
        legend(&rows(), &mut text).unwrap();
        assert!(text.contains("\n  shop         200, 503, 200: one mail each way\n"));
        for state in [State::Failing, State::Recovering] {
            assert!(text.contains(state.word()), "{state:?}: {text}");
        }
    }

    #[test]
    fn an_act_says_what_happens_and_why_it_matters() {
        let mut text = String::new();
        let screen = Screen::terminal(40);
        let matters = "Two good checks, then one mail.";
        act(
            Duration::from_secs(26),
            "It is back.",
            matters,
            screen,
            &mut text,
        )
        .unwrap();
        assert_eq!(
            text,
            "\n 26.0 s  It is back.\n         Two good checks, then one mail.\n\n"
        );
    }

    #[test]
    fn a_change_is_one_line() {
        let mut text = String::new();
        change(Duration::from_millis(8300), &rows()[0], &mut text).unwrap();
        assert_eq!(text, "  8.3 s  shop         DOWN      503\n");
    }
}
