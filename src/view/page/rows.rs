//! What the pages show, as plain values. Whoever fills them decides what the reader may see: a row
//! for somebody without the token carries no address, no query string and no note in the first place.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::brand::Brand;
use crate::domain::check::{CheckState, Micros};
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::monitor::ShownState;
use crate::view::objective::ObjectiveRow;

/// What every page knows.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The configured title.
    pub title: String,
    /// The zone all times are shown in.
    pub zone: TimeZone,
    /// When the page was made.
    pub now: Timestamp,
    /// Whether the reader gave the token.
    pub trusted: bool,
    /// Whose page it is.
    pub brand: Brand,
}

/// How a monitor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Down, confirmed.
    Down,
    /// Good, with something to say.
    Degraded,
    /// Nothing is known at the moment.
    Unknown,
    /// Not checked yet.
    Pending,
    /// Not checked by order.
    Paused,
    /// As expected.
    Up,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Up,
        Self::Degraded,
        Self::Down,
        Self::Unknown,
        Self::Paused,
    ];

    /// The word, also the CSS class.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Degraded => "degraded",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Paused => "paused",
            Self::Up => "up",
        }
    }

    /// A sign that tells the state without colour.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Down => "▼",
            Self::Degraded => "◆",
            Self::Unknown => "?",
            Self::Pending => "…",
            Self::Paused => "‖",
            Self::Up => "▲",
        }
    }
}

/// A state as it is drawn: planned maintenance covers whatever was seen in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The word, also the CSS class.
    pub word: &'static str,
    /// A sign that tells it without colour.
    pub sign: &'static str,
}

impl From<State> for Look {
    fn from(state: State) -> Self {
        Self {
            word: state.as_str(),
            sign: state.sign(),
        }
    }
}

impl Look {
    /// Planned maintenance.
    pub const MAINTENANCE: Self = Self {
        word: "maintenance",
        sign: "■",
    };
}

impl MonitorRow {
    /// Whether a maintenance window covers it now.
    pub fn in_maintenance(&self) -> bool {
        self.state != State::Paused && self.flags.contains(&"maintenance")
    }

    /// How it is drawn.
    pub fn look(&self) -> Look {
        match self.in_maintenance() {
            true => Look::MAINTENANCE,
            false => self.state.into(),
        }
    }
}

impl State {
    /// What a page shows of a monitor: a pause hides the state that was left behind.
    pub const fn of(shown: ShownState, paused: bool) -> Self {
        match (paused, shown) {
            (true, _) => Self::Paused,
            (false, ShownState::Pending) => Self::Pending,
            (false, ShownState::Up) => Self::Up,
            (false, ShownState::Degraded) => Self::Degraded,
            (false, ShownState::Down) => Self::Down,
            (false, ShownState::Unknown) => Self::Unknown,
        }
    }
}

impl From<CheckState> for State {
    fn from(state: CheckState) -> Self {
        match state {
            CheckState::Up => Self::Up,
            CheckState::Degraded => Self::Degraded,
            CheckState::Down => Self::Down,
            CheckState::Unknown => Self::Unknown,
        }
    }
}

/// How much of a stretch of time was what, in milliseconds; the five never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// Good.
    pub up_ms: u64,
    /// Good, with something to say.
    pub degraded_ms: u64,
    /// An outage outside maintenance.
    pub down_ms: u64,
    /// Inside a maintenance window, whatever was seen there.
    pub maintenance_ms: u64,
    /// Not observed: no daemon, no network, paused.
    pub unknown_ms: u64,
}

impl Times {
    /// All of it.
    pub const fn whole_ms(&self) -> u64 {
        self.observed_ms()
            .saturating_add(self.maintenance_ms)
            .saturating_add(self.unknown_ms)
    }

    /// The sum of two stretches.
    pub const fn add(&mut self, other: &Self) {
        self.up_ms = self.up_ms.saturating_add(other.up_ms);
        self.degraded_ms = self.degraded_ms.saturating_add(other.degraded_ms);
        self.down_ms = self.down_ms.saturating_add(other.down_ms);
        self.maintenance_ms = self.maintenance_ms.saturating_add(other.maintenance_ms);
        self.unknown_ms = self.unknown_ms.saturating_add(other.unknown_ms);
    }

    /// What uptime is measured over.
    pub const fn observed_ms(&self) -> u64 {
        self.up_ms
            .saturating_add(self.degraded_ms)
            .saturating_add(self.down_ms)
    }

    /// Uptime in hundredths of a percent, rounded down so that 100 % means no downtime; none when nothing was observed.
    pub fn uptime(&self) -> Option<u32> {
        hundredths(
            self.up_ms.saturating_add(self.degraded_ms),
            self.observed_ms(),
        )
    }

    /// How much of the time somebody looked, in hundredths of a percent, rounded down.
    pub fn coverage(&self) -> Option<u32> {
        hundredths(
            self.observed_ms().saturating_add(self.maintenance_ms),
            self.whole_ms(),
        )
    }
}

fn hundredths(part: u64, whole: u64) -> Option<u32> {
    let share = (u128::from(part) * 10_000).checked_div(u128::from(whole))?;
    u32::try_from(share).ok()
}

/// One day of a monitor, in the configured zone, or one hour of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Which day.
    pub date: Date,
    /// When its hour begins; `None` for a whole day. Hours are those of UTC, so in some zones they do not begin with
    /// minute 0.
    pub hour: Option<Time>,
    /// What it was made of; all zero before the monitor existed.
    pub times: Times,
}

/// One outage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRow {
    /// The lasting id.
    pub id: String,
    /// The monitor's name.
    pub monitor: String,
    /// The first failed check.
    pub opened_at: Timestamp,
    /// The first good one after it.
    pub closed_at: Option<Timestamp>,
    /// `503` or the failure kind for the owner, words for visitors.
    pub cause: String,
    /// One line for the owner; empty for readers without the token.
    pub detail: String,
    /// How many checks failed.
    pub checks_failed: u32,
    /// Whether any of it fell into a maintenance window.
    pub maintenance: bool,
    /// When somebody took note.
    pub acked_at: Option<Timestamp>,
    /// What they said; empty for readers without the token.
    pub ack_note: String,
    /// When it was first told by a step of escalation; never for readers without the token.
    pub escalated_at: Option<Timestamp>,
    /// How somebody ordered that it counts, in words; empty where nobody did.
    pub amended: &'static str,
    /// When that was ordered, or taken back, last.
    pub amended_at: Option<Timestamp>,
    /// Whether it is an outage: not if it was planned, or amended otherwise.
    pub is_outage: bool,
    /// What was noted of it, oldest first; for readers without the token what is public.
    pub notes: Vec<(Timestamp, String)>,
}

/// A maintenance window, running or to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRow {
    /// Since when it is news: its begin, once it has begun.
    pub announced_at: Timestamp,
    /// Its begin.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// The monitors it covers, by name; empty: all.
    pub monitors: Vec<String>,
    /// What is being done; empty for nothing.
    pub note: String,
}

/// One monitor on the overview.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorRow {
    /// Its unique name.
    pub name: String,
    /// Its URL as this reader may see it.
    pub url: String,
    /// Its tags, in the order of the file.
    pub tags: Vec<String>,
    /// How it stands.
    pub state: State,
    /// Since when.
    pub since: Option<Timestamp>,
    /// `503` or a failure kind for the owner, words for visitors; empty when there is nothing to say.
    pub cause: String,
    /// Beside the state: muted, maintenance, acked, flapping.
    pub flags: Vec<&'static str>,
    /// The last 24 hours.
    pub day: Times,
    /// The last 30 days.
    pub month: Times,
    /// At most 90 days, the oldest first, today the last.
    pub days: Vec<Day>,
    /// The last [`super::bars::HOURS`] hours while there are no three days yet; else empty.
    pub hours: Vec<Day>,
    /// The median latency of each of the last 24 hours, the oldest first.
    pub spark: Vec<Option<Micros>>,
    /// The newest outage, open or closed.
    pub last_incident: Option<IncidentRow>,
    /// How it stands at each of its locations; empty without locations.
    pub locations: Vec<(String, State)>,
}

/// Everything on `/`.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Title, zone, time.
    pub frame: Frame,
    /// All monitors that this reader may see, in the order of the file.
    pub monitors: Vec<MonitorRow>,
    /// Open incidents outside maintenance, the newest first; where there are very many, not all of them.
    pub open: Vec<IncidentRow>,
    /// How many there are.
    pub open_count: usize,
    /// Running and announced maintenance, the next first.
    pub windows: Vec<WindowRow>,
    /// The objectives that this reader may see, in the order of the file.
    pub objectives: Vec<ObjectiveRow>,
    /// What is wrong with the watcher itself, one sentence each; empty when all is well.
    pub trouble: Vec<String>,
    /// Only monitors with this tag are asked for.
    pub tag: Option<String>,
    /// Only monitors with this in their name or tags are asked for; in lower case, empty for all.
    pub filter: String,
    /// Which page of [`super::overview::MONITORS_PER_PAGE`] monitors, from 0.
    pub page: usize,
}

/// A stretch of a latency chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Its begin; it ends where the next one begins.
    pub at: Timestamp,
    /// Median and 95th percentile of the good answers' total time; none: nothing was measured.
    pub latency: Option<(Micros, Micros)>,
    /// Whether any of it was an outage.
    pub down: bool,
}

/// A latency chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// `1 hour`, `24 hours`, `7 days`, `30 days`, `90 days`.
    pub span: &'static str,
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// In order, all of the same length.
    pub buckets: Vec<Bucket>,
}

/// One phase of a check beside what is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseRow {
    /// `dns`, `connect`, `tls`, `ttfb`, `body`.
    pub phase: &'static str,
    /// In the last check.
    pub last: Option<Micros>,
    /// The median of the last day.
    pub usual: Option<Micros>,
}

/// One answer of a redirect chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HopRow {
    /// What was asked.
    pub url: String,
    /// What came; none where nothing came.
    pub status: Option<u16>,
    /// Who answered; empty for readers without the token.
    pub address: String,
    /// How long it took, where that is known.
    pub took: Option<Micros>,
}

/// From when on the chain was another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainChangeRow {
    /// The first check that went this way.
    pub at: Timestamp,
    /// The way, hop by hop, the final answer last.
    pub hops: Vec<HopRow>,
}

/// The certificate that was seen last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRow {
    /// The leaf's subject.
    pub subject: String,
    /// The leaf's issuer.
    pub issuer: String,
    /// When the first certificate of the path ends.
    pub not_after: Timestamp,
}

/// One address, or one version of HTTP, of the last check that looked at each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// The address with its port, or the version.
    pub name: String,
    /// What was seen of it.
    pub state: CheckState,
    /// Its status.
    pub status: Option<u16>,
    /// How long its check took.
    pub total: Option<Micros>,
    /// What was wrong; empty when nothing was.
    pub detail: String,
}

/// One line of the list of last checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// When it began.
    pub at: Timestamp,
    /// Its verdict alone.
    pub state: CheckState,
    /// The last status.
    pub status: Option<u16>,
    /// How long it took.
    pub total: Micros,
    /// How many redirects were followed.
    pub redirects: usize,
    /// What was wrong; empty when nothing was.
    pub detail: String,
}

/// Everything on `/monitor/NAME`.
#[derive(Debug, Clone)]
pub struct MonitorPage {
    /// Title, zone, time.
    pub frame: Frame,
    /// The same as on the overview.
    pub row: MonitorRow,
    /// How it is checked: one sentence.
    pub how: String,
    /// The note; empty for readers without the token.
    pub note: String,
    /// When the next check is due.
    pub next_check_at: Option<Timestamp>,
    /// From the last hour to 90 days.
    pub charts: Vec<Chart>,
    /// Where the time went.
    pub phases: Vec<PhaseRow>,
    /// The way of the last check, the final answer last.
    pub chain: Vec<HopRow>,
    /// How the way changed, the newest first.
    pub chain_changes: Vec<ChainChangeRow>,
    /// Each address of the name, where they are checked by themselves; none for readers without the token.
    pub addresses: Vec<PartRow>,
    /// Each version of HTTP, where they are checked by themselves.
    pub versions: Vec<PartRow>,
    /// The certificate, where one was seen.
    pub certificate: Option<CertificateRow>,
    /// Outages, the newest first.
    pub incidents: Vec<IncidentRow>,
    /// Checks, the newest first.
    pub checks: Vec<CheckRow>,
    /// Running and announced maintenance of this monitor.
    pub windows: Vec<WindowRow>,
}

#[cfg(test)]
pub(in crate::view) mod tests {
    use super::*;

    pub(in crate::view) fn frame() -> Frame {
        Frame {
            title: "Status".to_owned(),
            zone: TimeZone::UTC,
            now: Timestamp::from_ms(1_795_377_600_000),
            trusted: false,
            brand: Brand::default(),
        }
    }

    pub(in crate::view) fn row(name: &str) -> MonitorRow {
        MonitorRow {
            name: name.to_owned(),
            url: "https://example.com/".to_owned(),
            tags: Vec::new(),
            state: State::Up,
            since: None,
            cause: String::new(),
            flags: Vec::new(),
            day: Times::default(),
            month: Times::default(),
            days: Vec::new(),
            hours: Vec::new(),
            spark: Vec::new(),
            last_incident: None,
            locations: Vec::new(),
        }
    }

    pub(in crate::view) fn incident(monitor: &str) -> IncidentRow {
        IncidentRow {
            id: format!("1-{monitor}"),
            monitor: monitor.to_owned(),
            opened_at: frame().now,
            closed_at: None,
            cause: "it cannot be reached".to_owned(),
            detail: String::new(),
            checks_failed: 3,
            maintenance: false,
            acked_at: None,
            ack_note: String::new(),
            escalated_at: None,
            amended: "",
            amended_at: None,
            is_outage: true,
            notes: Vec::new(),
        }
    }

    pub(in crate::view) fn overview(open: Vec<IncidentRow>) -> Overview {
        Overview {
            frame: frame(),
            monitors: Vec::new(),
            open_count: open.len(),
            open,
            windows: Vec::new(),
            objectives: Vec::new(),
            trouble: Vec::new(),
            tag: None,
            filter: String::new(),
            page: 0,
        }
    }

    #[test]
    fn shares_are_rounded_down_and_kept_apart() {
        let mut times = Times {
            up_ms: 999_999_999,
            down_ms: 1,
            ..Times::default()
        };
        assert_eq!(times.uptime(), Some(9_999));
        assert_eq!(times.coverage(), Some(10_000));
        times.unknown_ms = 1;
        assert_eq!(times.uptime(), Some(9_999));
        assert_eq!(times.coverage(), Some(9_999));
        times.maintenance_ms = u64::MAX;
        assert_eq!(times.uptime(), Some(9_999));
        assert_eq!(Times::default().uptime(), None);
    }
}
