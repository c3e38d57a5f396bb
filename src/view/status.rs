//! The current state of all monitors, as a table.

use std::fmt::{self, Write};

use super::rows::StatusRow;
use super::sparkline;
use super::table::{self, Cell, Column, Fit};
use super::terminal::{Screen, Tone};
use super::time_text::{self, Clock, grouped};
use crate::domain::check::{Check, CheckState, FailureKind};
use crate::domain::location::LocationStatus;
use crate::domain::order::{By, OrderWord};
use crate::policy::alert::state::ShownState;

/// The word for a monitor that is in the configuration and disabled.
const DISABLED: &str = "disabled";

/// Writes the table.
pub fn write(
    rows: &[&StatusRow],
    clock: &Clock,
    screen: Screen,
    out: &mut impl Write,
) -> fmt::Result {
    let with_locations = rows.iter().any(|row| !row.locations.is_empty());
    let mut columns = vec![
        Column::left("NAME").fit(Fit::Name),
        Column::left("STATE").fit(Fit::Cut(14)),
        Column::right("SINCE"),
        Column::right("LAST").fit(Fit::Drop(2)),
        // The bars are of the same 24 hours; they go first where there is no room, the heading must not.
        Column::left("").fit(Fit::Drop(4)),
        Column::right("24 h").fit(Fit::Drop(1)),
        Column::right("30 d").fit(Fit::Drop(3)),
    ];
    if with_locations {
        columns.insert(2, Column::left("FROM").fit(Fit::Cut(5)));
    }
    let cells = rows.iter().map(|row| {
        let mut cells = of(row, clock, screen);
        if with_locations {
            cells.insert(2, from(row).into());
        }
        cells
    });
    table::write(&columns, cells, screen, out)
}

fn of(row: &StatusRow, clock: &Clock, screen: Screen) -> Vec<Cell> {
    let last = row.last_check.as_ref();
    let since = match row.since {
        None => "-".to_owned(),
        Some(since) => clock.ago(since),
    };
    let bars = if screen.unicode {
        let values: Vec<Option<f64>> = row
            .latency_24h
            .iter()
            .map(|time| time.map(|time| time.as_ms()))
            .collect();
        sparkline::bars(&values)
    } else {
        String::new()
    };
    let mut cells = vec![
        Cell::from(row.monitor.as_str()),
        Cell::toned(state_words(row), tone(row)),
        since.into(),
        last.map_or_else(
            || "-".to_owned(),
            |check| time_text::ms(check.timings.total),
        )
        .into(),
    ];
    cells.push(Cell::toned(bars, Tone::Accent));
    cells.push(percent(row.uptime_percent_24h));
    cells.push(percent(row.uptime_percent_30d));
    cells
}

/// How many of how many locations say what is shown, and which if not all do: `3/3`, `2/4 fra nyc`.
fn from(row: &StatusRow) -> String {
    if row.locations.is_empty() {
        return "-".to_owned();
    }
    let fails = |one: &&LocationStatus| one.state == CheckState::Down;
    let failing = row.locations.iter().filter(fails).count();
    let shows_failing = row.state == ShownState::Down || failing > 0;
    let says_so = |one: &&LocationStatus| match shows_failing {
        true => one.state == CheckState::Down,
        false => matches!(one.state, CheckState::Up | CheckState::Degraded),
    };
    let saying: Vec<&str> = row
        .locations
        .iter()
        .filter(says_so)
        .map(|one| one.location.as_str())
        .collect();
    let count = format!("{}/{}", saying.len(), row.locations.len());
    match saying.len() == row.locations.len() || saying.is_empty() {
        true => count,
        false => format!("{count} {}", saying.join(" ")),
    }
}

fn percent(value: Option<f64>) -> Cell {
    let text = time_text::percent(value);
    match value {
        None => Cell::toned(text, Tone::Faint),
        Some(value) if value < 90.0 => Cell::toned(text, Tone::Bad),
        Some(value) if value < 99.0 => Cell::toned(text, Tone::Warning),
        Some(_) => text.into(),
    }
}

/// `DOWN 503`, `degraded: slow`, `up, maintenance`, `up, failing` (its newest check failed, and is being confirmed).
pub fn state_words(row: &StatusRow) -> String {
    if !row.enabled {
        return DISABLED.to_owned();
    }
    let last_status = row.last_check.as_ref().and_then(status_of_failure);
    let mut words = match (row.state, row.reason) {
        (ShownState::Down, reason) if is_recovering(row) => match (row.cause_status, reason) {
            (Some(status), _) => format!("DOWN {status}, recovering"),
            (None, None | Some(FailureKind::Status)) => "DOWN, recovering".to_owned(),
            (None, Some(kind)) => format!("DOWN {kind}, recovering"),
        },
        (ShownState::Down, reason) => {
            let cause = last_status
                .map(|status| status.to_string())
                .or_else(|| reason.map(|reason| reason.as_str().to_owned()));
            cause.map_or_else(|| "DOWN".to_owned(), |cause| format!("DOWN {cause}"))
        }
        (ShownState::Degraded, Some(reason)) => format!("degraded: {reason}"),
        _ if is_only_paused(row) => "paused".to_owned(),
        (state @ (ShownState::Up | ShownState::Pending), _) if is_failing(row) => {
            format!("{}, failing", state.as_str())
        }
        (state, _) => state.as_str().to_owned(),
    };
    for flag in row.flags.words() {
        if flag == words {
            if let Some(by) = ordered_by(row, flag) {
                words.push_str(&format!(" by {by}"));
            }
            continue;
        }
        words.push_str(", ");
        words.push_str(&flag.replace('_', " "));
        if let ("acked", Some(note)) = (flag, &row.ack_note) {
            words.push_str(&format!(" ({note})"));
        }
        if let Some(by) = ordered_by(row, flag) {
            words.push_str(&format!(" by {by}"));
        }
    }
    words
}

/// Who gave the order behind a flag.
fn ordered_by<'a>(row: &'a StatusRow, flag: &str) -> Option<&'a By> {
    let word = match flag {
        "paused" => OrderWord::Pause,
        "muted" => OrderWord::Mute,
        "maintenance" => OrderWord::Maintenance,
        "acked" => OrderWord::Ack,
        _ => return None,
    };
    let mut orders = row.orders.iter().flatten();
    let found = orders.find(|kept| kept.order.word == word);
    found.map(|kept| &kept.order.by)
}

/// Whether the newest check is good again, which more checks must confirm.
fn is_recovering(row: &StatusRow) -> bool {
    let newest = row.last_check.as_ref().map(|check| check.verdict.state());
    matches!(newest, Some(CheckState::Up | CheckState::Degraded))
}

/// Whether the newest check failed, which more checks must confirm.
fn is_failing(row: &StatusRow) -> bool {
    let newest = row.last_check.as_ref().map(|check| check.verdict.state());
    newest == Some(CheckState::Down)
}

/// The status of a check that failed by its status.
fn status_of_failure(check: &Check) -> Option<u16> {
    let failure = check.verdict.failure()?;
    (failure.kind == FailureKind::Status).then_some(check.status)?
}

fn tone(row: &StatusRow) -> Tone {
    if !row.enabled {
        return Tone::Faint;
    }
    match row.state {
        ShownState::Up | ShownState::Pending if is_failing(row) => Tone::Warning,
        ShownState::Up => Tone::Good,
        ShownState::Degraded | ShownState::Unknown => Tone::Warning,
        ShownState::Down => Tone::Bad,
        ShownState::Pending => Tone::Faint,
    }
}

/// A paused monitor is not shown as pending or unknown.
fn is_only_paused(row: &StatusRow) -> bool {
    row.flags.paused && matches!(row.state, ShownState::Pending | ShownState::Unknown)
}

/// Sorts what needs somebody before what does not; what is alike keeps its order.
pub fn broken_first(rows: &mut [&StatusRow]) {
    rows.sort_by_key(|row| match row.state {
        _ if !row.enabled => 6,
        _ if is_only_paused(row) => 5,
        ShownState::Down => 0,
        ShownState::Degraded => 1,
        ShownState::Unknown => 2,
        ShownState::Up | ShownState::Pending if is_failing(row) => 2,
        ShownState::Pending => 3,
        ShownState::Up => 4,
    });
}

/// `4 sites: 3 up, 1 down`
pub fn summary(rows: &[&StatusRow]) -> String {
    let words = states(rows);
    let sites = if rows.len() == 1 { "site" } else { "sites" };
    let total = grouped(rows.len() as u64);
    if words.is_empty() {
        format!("{total} {sites}")
    } else {
        format!("{total} {sites}: {words}")
    }
}

/// `3 up, 1 down`
pub fn states(rows: &[&StatusRow]) -> String {
    let enabled = || rows.iter().filter(|row| row.enabled);
    let count = |state| {
        let rows = enabled().filter(|row| row.state == state);
        rows.filter(|row| !is_only_paused(row)).count()
    };
    let words: Vec<String> = [
        ("up", count(ShownState::Up)),
        ("degraded", count(ShownState::Degraded)),
        ("down", count(ShownState::Down)),
        ("unknown", count(ShownState::Unknown)),
        ("pending", count(ShownState::Pending)),
        (
            "paused",
            enabled().filter(|row| is_only_paused(row)).count(),
        ),
        (DISABLED, rows.len() - enabled().count()),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(word, count)| format!("{} {word}", grouped(count as u64)))
    .collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::domain::check::{Chain, Failure, Micros, Timings, Verdict};
    use crate::domain::timestamp::Timestamp;
    use crate::policy::alert::state::Flags;

    const NOW: Timestamp = Timestamp::from_ms(1_795_377_600_123);

    fn row(name: &str, state: ShownState, seconds: u64, reason: Option<FailureKind>) -> StatusRow {
        StatusRow {
            enabled: true,
            monitor: name.into(),
            url: format!("https://{name}/"),
            state,
            since: Some(NOW.minus(Duration::from_secs(seconds))),
            reason,
            flags: Flags::default(),
            incident: None,
            ack_note: None,
            cause_status: None,
            orders: None,
            last_check: None,
            next_check_at: None,
            uptime_percent_24h: Some(99.02),
            uptime_percent_30d: None,
            latency_24h: vec![Some(Micros::new(1)), None, Some(Micros::new(2))],
            tags: Vec::new(),
            note: String::new(),
            locations: Vec::new(),
        }
    }

    fn check(screen: Screen, want: &str) {
        let mut wiki = row("wiki", ShownState::Up, 86_400 * 41, None);
        wiki.flags.maintenance = true;
        let mut shop = row(
            "shop",
            ShownState::Down,
            840,
            Some(FailureKind::ConnectRefused),
        );
        shop.flags.acked = true;
        shop.ack_note = Some("deploy".into());
        let rows = [
            shop,
            row("api", ShownState::Degraded, 10_800, Some(FailureKind::Slow)),
            wiki,
        ];
        let clock = Clock {
            zone: TimeZone::UTC,
            now: NOW,
        };
        let mut out = String::new();
        write(&rows.each_ref(), &clock, screen, &mut out).unwrap();
        writeln!(out, "{}", summary(&rows.each_ref())).unwrap();
        assert_eq!(out, want);
    }

    fn failed() -> Check {
        Check {
            at: NOW,
            verdict: Verdict::Down(Failure {
                kind: FailureKind::ConnectRefused,
                detail: "connection refused".into(),
            }),
            status: None,
            chain: Arc::new(Chain::default()),
            redirect_times: Box::default(),
            timings: Timings::default(),
            http_version: None,
            body_bytes: 0,
            retry_after_s: None,
            certificate: None,
            excerpt: None,
            remarks: Box::default(),
            extras: None,
        }
    }

    #[test]
    fn a_failure_that_is_being_confirmed_is_shown_before_what_is_well() {
        let mut failing = row("b", ShownState::Up, 60, None);
        failing.last_check = Some(failed());
        assert_eq!(state_words(&failing), "up, failing");
        let mut new = failing.clone();
        new.state = ShownState::Pending;
        assert_eq!(state_words(&new), "pending, failing");
        let well = row("a", ShownState::Up, 60, None);
        let mut rows = [&well, &failing];
        broken_first(&mut rows);
        assert_eq!(rows.map(|row| row.monitor.as_str()), ["b", "a"]);
        new.flags.paused = true;
        assert_eq!(state_words(&new), "paused");
    }

    #[test]
    fn what_failed_stays_in_sight_while_a_recovery_is_confirmed() {
        let good = || Check {
            verdict: Verdict::Up,
            status: Some(200),
            ..failed()
        };
        let words = |reason, cause_status| {
            state_words(&StatusRow {
                last_check: Some(good()),
                cause_status,
                ..row("a", ShownState::Down, 60, Some(reason))
            })
        };
        assert_eq!(
            words(FailureKind::Status, Some(502)),
            "DOWN 502, recovering"
        );
        assert_eq!(
            words(FailureKind::ConnectRefused, None),
            "DOWN connect_refused, recovering"
        );
    }

    #[test]
    fn a_pause_is_a_word_of_its_own() {
        let mut paused = row("a", ShownState::Pending, 60, None);
        paused.flags.paused = true;
        paused.flags.muted = true;
        assert_eq!(state_words(&paused), "paused, muted");
        let rows = [paused, row("b", ShownState::Pending, 60, None)];
        assert_eq!(summary(&rows.each_ref()), "2 sites: 1 pending, 1 paused");
        // Its newest check is soon older than two intervals.
        let mut stale = row("c", ShownState::Unknown, 60, None);
        stale.flags.paused = true;
        assert_eq!(state_words(&stale), "paused");
    }

    #[test]
    fn a_terminal_gets_a_table() {
        check(
            Screen::terminal(80),
            "NAME  STATE                                 SINCE  LAST          24 h  30 d
shop  DOWN connect_refused, acked (deploy)    14m     -  ▅ █  99.02 %     -
api   degraded: slow                           3h     -  ▅ █  99.02 %     -
wiki  up, maintenance                         41d     -  ▅ █  99.02 %     -
3 sites: 1 up, 1 degraded, 1 down
",
        );
    }

    #[test]
    fn without_room_for_the_bars_the_headings_stay() {
        check(
            Screen::terminal(50),
            "NAME  STATE                         SINCE     24 h
shop  DOWN connect_refused, acked…    14m  99.02 %
api   degraded: slow                   3h  99.02 %
wiki  up, maintenance                 41d  99.02 %
3 sites: 1 up, 1 degraded, 1 down
",
        );
    }

    #[test]
    fn a_pipe_gets_the_same_table_with_whole_texts() {
        check(
            Screen::PLAIN,
            "NAME  STATE                                 SINCE  LAST          24 h  30 d
shop  DOWN connect_refused, acked (deploy)    14m     -  ▅ █  99.02 %     -
api   degraded: slow                           3h     -  ▅ █  99.02 %     -
wiki  up, maintenance                         41d     -  ▅ █  99.02 %     -
3 sites: 1 up, 1 degraded, 1 down
",
        );
    }

    #[test]
    fn what_is_disabled_is_neither_good_nor_bad() {
        let mut old = row("old", ShownState::Unknown, 86_400, None);
        old.enabled = false;
        let rows = [old, row("shop", ShownState::Up, 60, None)];
        assert_eq!(state_words(&rows[0]), "disabled");
        assert_eq!(summary(&rows.each_ref()), "2 sites: 1 up, 1 disabled");
    }
}
