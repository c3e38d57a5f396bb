//! Error budgets: how much of what an objective allows was lost, how fast, and when that is worth a message.
//!
//! The rules are those of Google's SRE workbook: the budget burns too fast where it does so over a long window and, so
//! that it is still going on, over a short one too. A burn is over when neither short window says so any more.

use std::time::Duration;

use super::uptime::{Class, Piece};
use crate::domain::objective::Target;
use crate::domain::timestamp::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A budget burns too fast where both windows burn it more than so many times as fast as it would just last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Enough was lost to matter.
    pub long: Duration,
    /// It goes on.
    pub short: Duration,
    /// Times.
    pub over: f64,
}

/// In the order in which they are looked at.
pub const RULES: [Rule; 2] = [
    Rule {
        long: HOUR,
        short: MINUTE.saturating_mul(5),
        over: 14.4,
    },
    Rule {
        long: HOUR.saturating_mul(6),
        short: MINUTE.saturating_mul(30),
        over: 6.0,
    },
];

/// The longest window of all rules.
pub const LOOKS_BACK: Duration = HOUR.saturating_mul(6);

/// How a window went for all monitors of an objective together, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Up and degraded.
    pub good_ms: i64,
    /// Down.
    pub down_ms: i64,
    /// Maintenance.
    pub maintenance_ms: i64,
    /// The window, once for each monitor.
    pub whole_ms: i64,
}

impl Spent {
    /// How the time from `from` to `to` went; `pieces` are those of all monitors, in any order.
    pub fn of(pieces: &[Piece], from: Timestamp, to: Timestamp, monitors: usize) -> Self {
        let (from, to) = (from.as_ms(), to.as_ms());
        let monitors = i64::try_from(monitors).unwrap_or(i64::MAX);
        let mut spent = Self {
            whole_ms: (to - from).max(0).saturating_mul(monitors),
            ..Self::default()
        };
        for piece in pieces {
            let took = (piece.to.min(to) - piece.from.max(from)).max(0);
            match piece.class {
                Class::Up | Class::Degraded => spent.good_ms += took,
                Class::Down(_) => spent.down_ms += took,
                Class::Maintenance => spent.maintenance_ms += took,
                Class::Silent | Class::Blind | Class::Unwatched => {}
            }
        }
        spent
    }

    /// Adds the same time of other monitors.
    pub const fn add(&mut self, other: &Self) {
        self.good_ms += other.good_ms;
        self.down_ms += other.down_ms;
        self.maintenance_ms += other.maintenance_ms;
        self.whole_ms += other.whole_ms;
    }

    /// The share of the time that was lost, of the time that was observed; `None` if none was.
    fn lost(&self) -> Option<f64> {
        let observed = self.good_ms + self.down_ms;
        (observed > 0).then(|| self.down_ms as f64 / observed as f64)
    }

    /// How many times as fast as it would just last the budget burns; `None` if nothing was observed.
    pub fn burn(&self, target: Target) -> Option<f64> {
        Some(self.lost()? / target.budget())
    }

    /// (up + degraded) / (up + degraded + down) in percent, cut to three decimals; `None` if nothing was observed.
    pub fn uptime_percent(&self) -> Option<f64> {
        percent(self.good_ms, self.good_ms + self.down_ms)
    }

    /// How much of the window was observed, in percent, cut to three decimals; `None` for an empty window.
    pub fn coverage_percent(&self) -> Option<f64> {
        let observed = self.good_ms + self.down_ms + self.maintenance_ms;
        percent(observed, self.whole_ms)
    }
}

fn percent(part: i64, whole: i64) -> Option<f64> {
    if whole <= 0 {
        return None;
    }
    let thousandths = i128::from(part.min(whole)) * 100_000 / i128::from(whole);
    let thousandths = i32::try_from(thousandths).expect("part is at most whole");
    Some(f64::from(thousandths) / 1000.0)
}

/// What both windows of a rule say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The rule.
    pub rule: Rule,
    /// Its long window.
    pub long: Spent,
    /// Its short window.
    pub short: Spent,
}

impl Seen {
    /// What the windows of all rules say at `now`.
    pub fn all(pieces: &[Piece], now: Timestamp, monitors: usize) -> [Self; RULES.len()] {
        RULES.map(|rule| Self {
            rule,
            long: Spent::of(pieces, now.minus(rule.long), now, monitors),
            short: Spent::of(pieces, now.minus(rule.short), now, monitors),
        })
    }

    /// Adds what the windows say of other monitors.
    pub fn add(&mut self, pieces: &[Piece], now: Timestamp, monitors: usize) {
        let of = |length| Spent::of(pieces, now.minus(length), now, monitors);
        self.long.add(&of(self.rule.long));
        self.short.add(&of(self.rule.short));
    }

    /// Whether the short window burns too fast: what is added to it can only make that less.
    pub fn short_is_over(&self, target: Target) -> bool {
        self.is_over(&self.short, target)
    }

    /// Time that nobody observed counts as good here: a short outage right after a start is no burn.
    fn is_over(&self, spent: &Spent, target: Target) -> bool {
        spent.down_ms as f64 > spent.whole_ms as f64 * target.budget() * self.rule.over
    }

    /// Whether the budget burns too fast by this rule.
    pub fn holds(&self, target: Target) -> bool {
        self.is_over(&self.long, target) && self.is_over(&self.short, target)
    }
}

/// What a look at the windows changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// As before.
    None,
    /// A burn begins: tell it.
    Begins(Seen),
    /// It is over.
    Ends,
}

/// What follows from a look. A burn goes on while a short window is over its limit, and while nothing is observed.
pub fn look(is_burning: bool, seen: &[Seen], target: Target) -> Change {
    if !is_burning {
        let holding = seen.iter().find(|seen| seen.holds(target));
        return holding.map_or(Change::None, |seen| Change::Begins(*seen));
    }
    let goes_on = |seen: &Seen| seen.short_is_over(target);
    let is_observed = |seen: &Seen| seen.short.burn(target).is_some();
    match seen.iter().any(goes_on) || !seen.iter().any(is_observed) {
        true => Change::None,
        false => Change::Ends,
    }
}

/// How the time of all monitors of an objective passed, so that any part of it is summed up at once.
#[derive(Debug, Default)]
struct Sums {
    /// In order: from a moment on, so many monitors are good, down and in maintenance, and what was so before it.
    steps: Vec<(i64, [i64; 3], [i64; 3])>,
}

impl Sums {
    fn of(pieces: &[Piece]) -> Self {
        let mut edges: Vec<(i64, usize, i64)> = Vec::with_capacity(2 * pieces.len());
        for piece in pieces {
            let place = match piece.class {
                Class::Up | Class::Degraded => 0,
                Class::Down(_) => 1,
                Class::Maintenance => 2,
                Class::Silent | Class::Blind | Class::Unwatched => continue,
            };
            edges.push((piece.from, place, 1));
            edges.push((piece.to, place, -1));
        }
        edges.sort_unstable();
        let mut steps: Vec<(i64, [i64; 3], [i64; 3])> = Vec::with_capacity(edges.len());
        let (mut counts, mut sums, mut at) = ([0; 3], [0; 3], i64::MIN);
        for (moment, place, change) in edges {
            if moment > at {
                if at > i64::MIN {
                    steps.push((at, counts, sums));
                    for (sum, count) in sums.iter_mut().zip(counts) {
                        *sum += count * (moment - at);
                    }
                }
                at = moment;
            }
            counts[place] += change;
        }
        if at > i64::MIN {
            steps.push((at, counts, sums));
        }
        Self { steps }
    }

    /// What was good, down and in maintenance before a moment.
    fn before(&self, moment: i64) -> [i64; 3] {
        let after = self.steps.partition_point(|(at, ..)| *at <= moment);
        let Some((at, counts, sums)) = after.checked_sub(1).and_then(|it| self.steps.get(it))
        else {
            return [0; 3];
        };
        let mut sums = *sums;
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count * (moment - at);
        }
        sums
    }

    fn spent(&self, from: Timestamp, to: Timestamp, monitors: usize) -> Spent {
        let (begin, end) = (self.before(from.as_ms()), self.before(to.as_ms()));
        let [good_ms, down_ms, maintenance_ms] = [0, 1, 2].map(|place| end[place] - begin[place]);
        let monitors = i64::try_from(monitors).unwrap_or(i64::MAX);
        Spent {
            good_ms,
            down_ms,
            maintenance_ms,
            whole_ms: (to.as_ms() - from.as_ms()).max(0).saturating_mul(monitors),
        }
    }
}

/// The burns that would have been told from `from` to `to` with a look every `step`; `pieces` are those of all
/// monitors, from the longest window before `from` on.
pub fn burns(
    pieces: &[Piece],
    monitors: usize,
    target: Target,
    (from, to): (Timestamp, Timestamp),
    step: Duration,
) -> Vec<(Timestamp, Seen)> {
    let sums = Sums::of(pieces);
    let is_down = |piece: &&Piece| matches!(piece.class, Class::Down(_));
    let outages = || pieces.iter().filter(is_down);
    let mut told = Vec::new();
    let (Some(first), Some(last)) = (
        outages().map(|piece| piece.from).min(),
        outages().map(|piece| piece.to).max(),
    ) else {
        return told;
    };
    let mut at = from.max(Timestamp::from_ms(first));
    let end = to.min(Timestamp::from_ms(last).plus(LOOKS_BACK));
    let mut is_burning = false;
    while at <= end {
        let seen = RULES.map(|rule| Seen {
            rule,
            long: sums.spent(at.minus(rule.long), at, monitors),
            short: sums.spent(at.minus(rule.short), at, monitors),
        });
        match look(is_burning, &seen, target) {
            Change::None => {}
            Change::Begins(seen) => {
                is_burning = true;
                told.push((at, seen));
            }
            Change::Ends => is_burning = false,
        }
        at = at.plus(step);
    }
    told
}

/// The error budget of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// What may be lost, in milliseconds.
    pub whole_ms: i64,
    /// What is left of it; below zero where more was lost.
    pub left_ms: i64,
}

impl Budget {
    /// That of a period of `period`, of which `spent` is known. Of several monitors the mean counts: one of two that is
    /// down for an hour costs half an hour.
    pub fn of(target: Target, period: Duration, spent: &Spent, monitors: usize) -> Self {
        // A period of a year in milliseconds is far below 2^53.
        let whole_ms = (period.as_millis() as f64 * target.budget()).round() as i64;
        let monitors = i64::try_from(monitors).unwrap_or(i64::MAX).max(1);
        Self {
            whole_ms,
            left_ms: whole_ms - spent.down_ms / monitors,
        }
    }
}

/// Burn rates are told over one hour, six hours and three days.
pub const BURNS: [Duration; 3] = [HOUR, HOUR.saturating_mul(6), HOUR.saturating_mul(72)];

/// How an objective stands at the end of a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Monitors that count.
    pub monitors: usize,
    /// How its period went so far.
    pub spent: Spent,
    /// What its period allows.
    pub budget: Budget,
    /// How many times as fast as it would just last the budget burnt in the last hour, six hours and three days; none
    /// where nothing was observed.
    pub burns: [Option<f64>; 3],
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::new(99.9).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1000)
    }

    fn piece(from: i64, to: i64, class: Class) -> Piece {
        Piece {
            from: from * 1000,
            to: to * 1000,
            class,
        }
    }

    /// Looks every half a minute; the seconds at which a burn began, with its rate, and ended.
    #[track_caller]
    fn check(pieces: &[Piece], until: i64, want: &str) {
        let mut told = Vec::new();
        let mut burning = false;
        for second in (0..=until).step_by(30) {
            match look(burning, &Seen::all(pieces, at(second), 1), target()) {
                Change::None => {}
                Change::Begins(seen) => {
                    burning = true;
                    let times = seen.long.burn(target()).unwrap();
                    told.push(format!("{second} {times:.1} over {:?}", seen.rule.long));
                }
                Change::Ends => {
                    burning = false;
                    told.push(format!("{second} over"));
                }
            }
        }
        assert_eq!(told.join(", "), want);
    }

    const H: i64 = 3600;

    #[test]
    fn an_outage_burns_once_until_half_an_hour_after_it() {
        // 14.4 times a thousandth of an hour are 51.84 s; 6 of half an hour 10.8 s.
        let pieces = [
            piece(0, 10 * H, Class::Up),
            piece(10 * H, 10 * H + 600, Class::Down(0)),
            piece(10 * H + 600, 20 * H, Class::Up),
        ];
        check(&pieces, 20 * H, "36060 16.7 over 3600s, 38400 over");
    }

    #[test]
    fn a_slow_burn_is_told_by_the_long_windows() {
        // 8 s down every 10 minutes are 13.3 times the budget: too slow for the hour alone.
        let mut pieces = Vec::new();
        for round in 0..36 {
            let begin = round * 600;
            let down = if round >= 30 { 8 } else { 0 };
            pieces.push(piece(begin, begin + 600 - down, Class::Up));
            pieces.push(piece(begin + 600 - down, begin + 600, Class::Down(0)));
        }
        // One such hour is too little of six.
        check(&pieces, 6 * H, "");
        let mut pieces = Vec::new();
        for round in 0..72 {
            let begin = round * 600;
            pieces.push(piece(begin, begin + 592, Class::Up));
            pieces.push(piece(begin + 592, begin + 600, Class::Down(0)));
        }
        check(&pieces, 6 * H, "10200 13.3 over 21600s");
    }

    #[test]
    fn what_nobody_saw_neither_burns_nor_ends_a_burn() {
        let pieces = [
            piece(0, 7 * H, Class::Up),
            piece(7 * H, 7 * H + 300, Class::Down(0)),
            piece(7 * H + 300, 9 * H, Class::Silent),
            piece(9 * H, 10 * H, Class::Up),
        ];
        check(&pieces, 10 * H, "25260 16.7 over 3600s, 32430 over");
        let maintenance = [
            piece(0, 7 * H, Class::Up),
            piece(7 * H, 8 * H, Class::Maintenance),
            piece(8 * H, 9 * H, Class::Up),
        ];
        check(&maintenance, 9 * H, "");
    }

    #[test]
    fn a_short_outage_right_after_a_start_is_no_burn() {
        let pieces = [piece(0, 10, Class::Down(0)), piece(10, 2 * H, Class::Up)];
        check(&pieces, 2 * H, "");
    }

    #[test]
    fn sums_tell_what_the_pieces_tell() {
        let classes = [
            Class::Up,
            Class::Down(0),
            Class::Maintenance,
            Class::Silent,
            Class::Degraded,
        ];
        let pieces: Vec<Piece> = (0..60)
            .map(|number| {
                let from = number / 3 * 100 + number % 3 * 20;
                let class = classes[usize::try_from(number * 7 % 5).unwrap()];
                piece(from, from + 100, class)
            })
            .collect();
        let sums = Sums::of(&pieces);
        for from in (0..2100).step_by(37) {
            for to in (from..2200).step_by(91) {
                assert_eq!(
                    sums.spent(at(from), at(to), 3),
                    Spent::of(&pieces, at(from), at(to), 3),
                    "{from} to {to}"
                );
            }
        }
        let outage = [
            piece(0, 10 * H, Class::Up),
            piece(10 * H, 10 * H + 600, Class::Down(0)),
            piece(10 * H + 600, 20 * H, Class::Up),
        ];
        let step = Duration::from_secs(30);
        let told = burns(&outage, 1, target(), (at(0), at(20 * H)), step);
        let moments: Vec<Timestamp> = told.iter().map(|(moment, _)| *moment).collect();
        assert_eq!(moments, [at(36_060)]);
    }

    #[test]
    fn what_was_not_observed_is_said() {
        let spent = Spent::of(&[piece(3000, 3600, Class::Up)], at(0), at(3600), 2);
        assert_eq!(spent.burn(target()), Some(0.0));
        assert_eq!(spent.coverage_percent(), Some(8.333));
        assert_eq!(Spent::default().burn(target()), None);
        assert_eq!(Spent::default().coverage_percent(), None);
    }

    #[test]
    fn a_budget_is_that_of_the_mean_monitor() {
        let month = Duration::from_secs(30 * 86_400);
        let spent = Spent {
            down_ms: 600_000,
            ..Spent::default()
        };
        let budget = Budget::of(target(), month, &spent, 2);
        assert_eq!((budget.whole_ms, budget.left_ms), (2_592_000, 2_292_000));
        let spent = Spent {
            down_ms: 3_000_000,
            ..Spent::default()
        };
        assert_eq!(Budget::of(target(), month, &spent, 1).left_ms, -408_000);
    }
}
