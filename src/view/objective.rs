//! Objectives: how they stand, as a table, as JSON, as CSV and in words.

use std::fmt::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::table::{self, Cell, Column, Fit};
use super::terminal::{Screen, Tone};
use super::time_text;
use crate::domain::duration_text::Human;
use crate::domain::objective::Objective;
use crate::policy::availability::error_budget::Standing;

/// One objective and how it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectiveRow {
    /// Its name.
    pub name: String,
    /// Its period: `30d`, `month`.
    pub period: String,
    /// How much of the time its monitors should be up.
    pub target_percent: f64,
    /// How many monitors it covers.
    pub monitors: usize,
    /// How much of the observed time of its period they were, cut to 3 decimals; `None` if nothing was observed.
    pub uptime_percent: Option<f64>,
    /// How much of its period was observed, cut to 3 decimals.
    pub coverage_percent: Option<f64>,
    /// What its period allows to be lost, in milliseconds.
    pub budget_ms: i64,
    /// What is left of that; below zero where more was lost.
    pub left_ms: i64,
    /// How many times as fast as it would just last the budget burnt in the last hour, six hours and three days.
    pub burns: [Option<f64>; 3],
}

impl ObjectiveRow {
    /// The row of an objective.
    pub fn of(objective: &Objective, standing: &Standing) -> Self {
        Self {
            name: objective.name.to_string(),
            period: objective.period.to_string(),
            target_percent: objective.target.percent(),
            monitors: standing.monitors,
            uptime_percent: standing.spent.uptime_percent(),
            coverage_percent: standing.spent.coverage_percent(),
            budget_ms: standing.budget.whole_ms,
            left_ms: standing.budget.left_ms,
            burns: standing.burns,
        }
    }

    /// Whether more was lost than its period allows.
    pub const fn is_spent(&self) -> bool {
        self.left_ms < 0
    }

    /// The share of the budget that is left, in percent, rounded down; below zero where more was lost.
    fn left_percent(&self) -> i64 {
        (self.left_ms * 100).div_euclid(self.budget_ms.max(1))
    }

    /// `21m 36s of 43m 12s (50 %)`; `none of 43m 12s, 5m over`
    pub fn left(&self) -> String {
        let whole = Human(length(self.budget_ms));
        match self.is_spent() {
            true => format!("none of {whole}, {} over", Human(length(self.left_ms))),
            false => format!(
                "{} of {whole} ({} %)",
                Human(length(self.left_ms)),
                self.left_percent()
            ),
        }
    }

    /// `99.9 % of 30d`
    pub fn target(&self) -> String {
        let period = match &*self.period {
            "month" => "a month",
            period => period,
        };
        format!("{} % of {period}", self.target_percent)
    }
}

const fn length(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}

/// `14x`, rounded down; from one to ten with a decimal: `1.4x`
pub fn times(times: f64) -> String {
    match times {
        times if times >= 10.0 => format!("{}x", times.floor()),
        times => format!("{}x", (times * 10.0).floor() / 10.0),
    }
}

/// Writes the table; nothing where there are no objectives.
pub fn write(rows: &[ObjectiveRow], screen: Screen, out: &mut impl Write) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::left("OBJECTIVE").fit(Fit::Name),
        Column::right("TARGET").fit(Fit::Drop(3)),
        Column::right("UPTIME"),
        Column::right("COVERED").fit(Fit::Drop(2)),
        Column::left("BUDGET LEFT"),
        Column::right("BURN 1H").fit(Fit::Drop(4)),
        Column::right("6H").fit(Fit::Drop(5)),
        Column::right("3D").fit(Fit::Drop(6)),
    ];
    let burn = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), times);
    let cells = rows.iter().map(|row| {
        let [hour, six, days] = row.burns;
        vec![
            row.name.as_str().into(),
            row.target().into(),
            time_text::percent(row.uptime_percent).into(),
            time_text::percent(row.coverage_percent).into(),
            match row.is_spent() {
                true => Cell::toned(row.left(), Tone::Bad),
                false => row.left().into(),
            },
            burn(hour).into(),
            burn(six).into(),
            burn(days).into(),
        ]
    });
    table::write(&columns, cells, screen, out)
}

/// An objective, as `report --json` prints it.
#[derive(Debug, Serialize)]
pub struct ObjectiveObject<'a> {
    objective: &'a str,
    period: &'a str,
    uptime_target: f64,
    uptime_percent: Option<f64>,
    coverage_percent: Option<f64>,
    budget_s: f64,
    budget_left_s: f64,
    burn_1h: Option<f64>,
    burn_6h: Option<f64>,
    burn_3d: Option<f64>,
}

/// The JSON object of a row.
pub fn object(row: &ObjectiveRow) -> ObjectiveObject<'_> {
    let [burn_1h, burn_6h, burn_3d] = row.burns.map(|rate| rate.map(thousandths));
    ObjectiveObject {
        objective: &row.name,
        period: &row.period,
        uptime_target: row.target_percent,
        uptime_percent: row.uptime_percent,
        coverage_percent: row.coverage_percent,
        budget_s: seconds(row.budget_ms),
        budget_left_s: seconds(row.left_ms),
        burn_1h,
        burn_6h,
        burn_3d,
    }
}

/// Milliseconds of a period are far below 2^53.
pub(super) const fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

pub(super) fn thousandths(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(left_ms: i64) -> ObjectiveRow {
        ObjectiveRow {
            name: "Shop".into(),
            period: "30d".into(),
            target_percent: 99.9,
            monitors: 2,
            uptime_percent: Some(99.95),
            coverage_percent: Some(98.5),
            budget_ms: 2_592_000,
            left_ms,
            burns: [Some(14.444), Some(6.25), None],
        }
    }

    #[test]
    fn a_table_says_what_is_left() {
        let mut out = String::new();
        write(
            &[row(1_296_000), row(-300_000)],
            Screen::terminal(100),
            &mut out,
        )
        .unwrap();
        assert_eq!(
            out,
            "\
OBJECTIVE         TARGET   UPTIME  COVERED  BUDGET LEFT                BURN 1H    6H  3D
Shop       99.9 % of 30d  99.95 %  98.50 %  21m 36s of 43m 12s (50 %)      14x  6.2x   -
Shop       99.9 % of 30d  99.95 %  98.50 %  none of 43m 12s, 5m over       14x  6.2x   -
"
        );
    }

    #[test]
    fn json_has_every_figure() {
        assert_eq!(
            serde_json::to_string(&object(&row(-300_500))).unwrap(),
            r#"{"objective":"Shop","period":"30d","uptime_target":99.9,"uptime_percent":99.95,"coverage_percent":98.5,"budget_s":2592.0,"budget_left_s":-300.5,"burn_1h":14.444,"burn_6h":6.25,"burn_3d":null}"#
        );
    }

    #[test]
    fn rates_are_rounded_down() {
        for (rate, want) in [(0.0, "0x"), (0.99, "0.9x"), (6.25, "6.2x"), (14.99, "14x")] {
            assert_eq!(times(rate), want);
        }
    }
}
