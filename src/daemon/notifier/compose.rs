//! A mail as it leaves: its row from the database, with what history and board say around it.

use std::time::Duration;

use crate::config::Config;
use crate::daemon::health::live_status::{Board, Live};
use crate::domain::channel::Channel;
use crate::domain::check::{Check, Verdict};
use crate::domain::incident::{Beginnings, Cause, IncidentKey};
use crate::domain::monitor::MonitorId;
use crate::domain::notification::{MailKind, News, Notice};
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::Mail;
use crate::policy::alert::monitor::ShownState;
use crate::policy::alert::reminder;
use crate::policy::outbox::queued::{Held, Holds, RowId, Tries};
use crate::store::error::Result;
use crate::store::outbox::queries::{self, Outgoing};
use crate::store::reader::Reader;
use crate::view::channel::{Message, Request, request};
use crate::view::evidence;
use crate::view::mail::context::{
    Acked, Changed, Context, Current, Currents, Delay, History, OtherDown, Reported,
};
use crate::view::mail::render::render;
use crate::view::mail::{words_of_cause, words_of_hold};
use crate::view::objective::ObjectiveRow;

/// So many checks around an outage are looked at.
const CHECKS_MAX: usize = 120;
/// A mail that takes longer than its waits and this is late, and says so.
const LATE_AFTER: Duration = Duration::from_secs(60);
/// The same, while mails fail: long enough for one that had nothing to do with it.
const LATE_IN_TROUBLE_AFTER: Duration = Duration::from_secs(10);

/// What a letter is written with.
pub struct Writer<'a> {
    /// The database.
    pub reader: &'a Reader,
    /// What the monitors show.
    pub board: &'a Board,
    /// The configuration in force.
    pub config: &'a Config,
    /// The host that writes.
    pub host: &'a str,
    /// When this daemon started.
    pub started_at: Timestamp,
    /// The newest trouble with the way out, and when it was.
    pub trouble: Option<(Timestamp, &'a str)>,
    /// When it leaves.
    pub now: Timestamp,
}

/// What became of a row that should leave.
pub enum Letter {
    /// This goes out, to this recipient.
    Ready(Box<Outgoing>, Box<Mail>),
    /// It tells of nothing any more: its members were dropped.
    Void,
    /// It does not wait any more.
    Gone,
}

/// What became of a row that should leave by a channel.
pub enum Posting {
    /// This is to be sent.
    Ready {
        /// What the log says of it.
        topic: Topic,
        /// The request.
        request: Request,
    },
    /// It tells of nothing any more: its members were dropped.
    Void,
    /// It does not wait any more.
    Gone,
}

/// What the log says of a message.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The monitor that it is about, where it is one.
    pub monitor: Option<String>,
    /// Its subject or summary.
    pub subject: String,
}

/// What became of a row.
enum Written<T> {
    Ready(Box<Outgoing>, T),
    Void,
    Gone,
}

impl Writer<'_> {
    /// Writes the mail of a row.
    ///
    /// # Errors
    /// What the database says.
    pub fn write(&self, row: RowId) -> Result<Letter> {
        let written = self.written(row, |outgoing, context| {
            let everybody = outgoing.everybody.iter();
            Box::new(Mail {
                message_id: outgoing.message_id.clone(),
                thread_roots: outgoing.thread_roots.clone(),
                everybody: everybody.filter_map(Recipient::address).cloned().collect(),
                queued_at: outgoing.row.queued_at,
                date: self.now,
                rendered: render(&outgoing.parcel, context),
            })
        })?;
        Ok(match written {
            Written::Ready(outgoing, mail) => Letter::Ready(outgoing, mail),
            Written::Void => Letter::Void,
            Written::Gone => Letter::Gone,
        })
    }

    /// Writes the request of a row that leaves by a channel.
    ///
    /// # Errors
    /// What the database says.
    pub fn post(&self, row: RowId, channel: &Channel) -> Result<Posting> {
        let written = self.written(row, |outgoing, context| {
            let message = Message::new(&outgoing.parcel, context, &outgoing.message_id);
            let topic = Topic {
                monitor: message.monitor.map(str::to_owned),
                subject: message.summary.clone(),
            };
            (topic, request(channel, &message))
        })?;
        Ok(match written {
            Written::Ready(_, (topic, request)) => Posting::Ready { topic, request },
            Written::Void => Posting::Void,
            Written::Gone => Posting::Gone,
        })
    }

    /// Gathers what a message is written with.
    fn written<T>(
        &self,
        row: RowId,
        make: impl FnOnce(&Outgoing, &Context<'_>) -> T,
    ) -> Result<Written<T>> {
        let Some(outgoing) = queries::outgoing(self.reader.outbox(), row)? else {
            return Ok(Written::Gone);
        };
        if outgoing.parcel.notices.is_empty() {
            return Ok(Written::Void);
        }
        let monitor = outgoing
            .parcel
            .notices
            .first()
            .filter(|_| outgoing.parcel.kind != MailKind::Digest)
            .and_then(|notice| notice.about.as_ref())
            .map(|about| about.monitor);
        let live = monitor.and_then(|id| self.board.get(id));
        let incidents = outgoing.parcel.notices.iter();
        let beginnings = self
            .reader
            .beginnings(incidents.filter_map(|notice| notice.news.incident()))?;
        let history = match monitor {
            Some(id) => known(self.history(id, &outgoing, &beginnings)),
            None => History::default(),
        };
        let mut reports = Vec::new();
        for notice in &outgoing.parcel.notices {
            if let News::Report { from, to } = notice.news {
                let rows = super::report_rows::rows(self.reader, self.config, from, to, self.now)?;
                reports.push(Reported { from, to, rows });
            }
        }
        let report = match outgoing.parcel.kind {
            MailKind::Digest => Vec::new(),
            _ => reports.pop().map_or_else(Vec::new, |report| report.rows),
        };
        let objectives = self.objectives(outgoing.parcel.notices.first())?;
        let email = self.config.email.as_ref();
        let context = Context {
            now: self.now,
            zone: self.config.daemon.timezone.clone(),
            host: self.host.to_owned(),
            page_url: self.config.page_url(),
            delay: self.delay(&outgoing),
            body_excerpt: email.is_none_or(|email| email.body_excerpt),
            changed: known_change(self.changed(&outgoing)),
            monitor: live.as_ref().map(|live| live.monitor.as_ref()),
            history,
            also_down: self.also_down(monitor),
            currents: self.currents(&outgoing),
            confirming: self.confirming(),
            acks: self.acks(&outgoing)?,
            report,
            objectives,
            reports,
            beginnings,
        };
        let made = make(&outgoing, &context);
        Ok(Written::Ready(Box::new(outgoing), made))
    }

    /// All objectives for a report, its own for a burn.
    fn objectives(&self, notice: Option<&Notice>) -> Result<Vec<ObjectiveRow>> {
        let (end, name) = match notice.map(|notice| &notice.news) {
            Some(News::Report { to, .. }) => ((*to).min(self.now), None),
            Some(News::Burn { objective, .. }) => (self.now, Some(objective)),
            _ => return Ok(Vec::new()),
        };
        super::report_rows::objectives(self.reader, self.config, end, false, |one| {
            name.is_none_or(|name| **name == *one.name)
        })
    }

    fn history(
        &self,
        monitor: MonitorId,
        outgoing: &Outgoing,
        beginnings: &Beginnings,
    ) -> Result<History> {
        let mut pasts = self.reader.newest(&[monitor], CHECKS_MAX)?;
        let past = pasts.remove(&monitor).unwrap_or_default();
        let first = &outgoing.parcel.notices[0];
        let incident = first.news.incident();
        let newest = past.newest;
        let until = incident.map_or(self.now, |incident| beginnings.of(incident));
        let usual = self.reader.usual(monitor, until)?;
        let causes = causes(&newest, outgoing, beginnings);
        let checks = match incident {
            Some(incident) => around(newest, beginnings.of(incident)),
            None => newest.into_iter().take(8).collect(),
        };
        let next_reminder = matches!(first.news, News::Down { .. })
            .then(|| reminder::due_at(&self.config.alerts, first.decided_at, 0))
            .flatten();
        Ok(History {
            checks,
            usual,
            month: super::report_rows::month(self.reader, monitor, self.now)?,
            causes,
            next_reminder,
        })
    }

    /// What differs between the failing answer of a DOWN and the last good one, where it fits into a mail.
    fn changed(&self, outgoing: &Outgoing) -> Result<Option<Changed>> {
        let email = self.config.email.as_ref();
        let [notice] = &outgoing.parcel.notices[..] else {
            return Ok(None);
        };
        let (News::Down { incident, .. } | News::Escalated { incident, .. }) = &notice.news else {
            return Ok(None);
        };
        if email.is_some_and(|email| !email.body_excerpt) {
            return Ok(None);
        }
        let kept = self.reader.evidence(*incident)?;
        let Some((good, failing)) = kept.and_then(|kept| Some((kept.good?, kept.failing))) else {
            return Ok(None);
        };
        let lines = evidence::diff(&good.evidence, &failing.evidence);
        let fits = (1..evidence::MAIL_LINES_MAX).contains(&lines.len());
        Ok(fits.then_some(Changed {
            good_at: good.check.at,
            lines,
        }))
    }

    /// Which of its outages somebody took note of, as is known now.
    fn acks(&self, outgoing: &Outgoing) -> Result<Vec<Acked>> {
        let notices = outgoing.parcel.notices.iter();
        let mut keys: Vec<IncidentKey> = notices.filter_map(|n| n.news.incident()).collect();
        // A digest may tell the begin and the end of an outage with others between them.
        keys.sort_unstable();
        keys.dedup();
        let mut acks = Vec::new();
        for incident in keys {
            if let Some((at, note)) = self.reader.acked(incident)? {
                acks.push(Acked { incident, at, note });
            }
        }
        Ok(acks)
    }

    /// What the monitors of a mail are now, where it tells of many or of one that changes all the time.
    fn currents(&self, outgoing: &Outgoing) -> Currents {
        let wants_them = matches!(outgoing.parcel.kind, MailKind::Digest | MailKind::Flapping);
        let notices = outgoing.parcel.notices.iter().filter(|_| wants_them);
        let monitors = notices.filter_map(|notice| Some(notice.about.as_ref()?.monitor));
        let lives = monitors.filter_map(|monitor| self.board.get(monitor));
        lives.map(|live| (live.id, current(&live))).collect()
    }

    fn also_down(&self, but: Option<MonitorId>) -> Vec<OtherDown> {
        let mut down: Vec<OtherDown> = self
            .board
            .all()
            .into_iter()
            .filter(|live| live.shown.state == ShownState::Down && Some(live.id) != but)
            .map(|live| OtherDown {
                name: live.monitor.name.clone(),
                since: live.shown.since,
            })
            .collect();
        down.sort_by_key(|other| other.since);
        down
    }

    /// How many failed their newest check and are not down yet.
    fn confirming(&self) -> u32 {
        let confirming = |live: &Live| {
            live.shown.state != ShownState::Down
                && !live.shown.flags.paused
                && live
                    .newest
                    .as_ref()
                    .is_some_and(|check| matches!(check.verdict, Verdict::Down(_)))
        };
        let count = self
            .board
            .all()
            .iter()
            .filter(|live| confirming(live))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Why it leaves late, if it does.
    fn delay(&self, outgoing: &Outgoing) -> Option<Delay> {
        let alerts = &self.config.alerts;
        let decided_at = outgoing
            .parcel
            .notices
            .iter()
            .map(|notice| notice.decided_at)
            .min()?;
        let by = self.now.since(decided_at);
        let mut usual = alerts.group_wait;
        if outgoing.parcel.kind == MailKind::Digest {
            usual += alerts.group_interval;
        }
        let failed_here = match outgoing.row.tries {
            Tries::None => None,
            Tries::Failed { holds, .. } => Some(holds),
        };
        let trouble = self.trouble.filter(|(at, _)| *at >= decided_at);
        // What already failed is late by however little; what only took its time is not.
        usual += match (failed_here, trouble) {
            (Some(_), _) => Duration::ZERO,
            (None, Some(_)) => LATE_IN_TROUBLE_AFTER,
            (None, None) => LATE_AFTER,
        };
        if by <= usual {
            return None;
        }
        let (what, server, place) = match &outgoing.to {
            Recipient::Mail(_) => ("mail", "mail server", "mails to this address"),
            Recipient::Channel(_) => ("message", "service", "messages to this channel"),
        };
        if let Some(Held { why, .. }) = outgoing.row.held {
            let why = words_of_hold(why.as_str());
            return Some(Delay {
                what,
                by,
                why: why.to_owned(),
            });
        }
        let why = match (failed_here, &outgoing.last_error, trouble) {
            (Some(Holds::Mail), Some(error), _) => format!("the {server} put it off ({error})"),
            (
                Some(Holds::Recipient | Holds::Refused | Holds::Asked | Holds::Transport),
                Some(error),
                _,
            ) => {
                format!("it could not be delivered before ({error})")
            }
            (_, _, Some((_, error))) => match &outgoing.to {
                Recipient::Mail(_) => format!("mail could not be delivered before ({error})"),
                Recipient::Channel(_) => {
                    format!("the channel could not be reached before ({error})")
                }
            },
            _ if self.started_at > decided_at => "sitewatch was not running".to_owned(),
            _ => format!("{place} were being collected after a digest"),
        };
        Some(Delay { what, by, why })
    }
}

/// The state of a monitor as the board has it. A paused one keeps the state that was told last.
fn current(live: &Live) -> Current {
    let shown = &live.shown;
    let is_down = shown.state == ShownState::Down;
    let cause = live.newest.as_ref().filter(|_| is_down).and_then(|check| {
        let failure = check.verdict.failure()?.clone();
        let status = check.status;
        Some(Cause { failure, status })
    });
    Current {
        is_known: match shown.state {
            ShownState::Up | ShownState::Degraded | ShownState::Down => !shown.flags.paused,
            ShownState::Pending | ShownState::Unknown => false,
        },
        is_down,
        since: shown.since,
        flapping: shown.flags.flapping,
        cause,
    }
}

/// An alert does not wait for what it would only be nicer with.
fn known(history: Result<History>) -> History {
    history.unwrap_or_else(|error| {
        tracing::warn!(%error, "a mail leaves without its history");
        History::default()
    })
}

/// Nor for what it would only be clearer with.
fn known_change(changed: Result<Option<Changed>>) -> Option<Changed> {
    changed.unwrap_or_else(|error| {
        tracing::warn!(%error, "a mail leaves without what changed");
        None
    })
}

/// The checks of an outage, newest first, with the good one before it.
fn around(newest: Vec<Check>, opened_at: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    for check in newest {
        let before = check.at < opened_at;
        let good = check.verdict.is_good();
        if !before || good {
            checks.push(check);
        }
        if before && good {
            break;
        }
    }
    checks
}

/// What the failed checks of an ended outage said, most frequent first; nothing where not all of them are known.
fn causes(newest: &[Check], outgoing: &Outgoing, beginnings: &Beginnings) -> Vec<(String, u32)> {
    let Some((incident, closed_at, checks_failed)) =
        outgoing
            .parcel
            .notices
            .iter()
            .find_map(|notice| match &notice.news {
                News::Up {
                    incident,
                    closed_at,
                    checks_failed,
                    ..
                } => Some((*incident, *closed_at, *checks_failed)),
                _ => None,
            })
    else {
        return Vec::new();
    };
    let mut counted: Vec<(String, u32)> = Vec::new();
    for check in newest {
        if check.at < beginnings.of(incident) || check.at >= closed_at {
            continue;
        }
        if let Verdict::Down(failure) = &check.verdict {
            let name = words_of_cause(failure, check.status);
            match counted.iter_mut().find(|(known, _)| *known == name) {
                Some((_, count)) => *count += 1,
                None => counted.push((name, 1)),
            }
        }
    }
    counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let all: u32 = counted.iter().map(|(_, count)| count).sum();
    if all == checks_failed {
        counted
    } else {
        Vec::new()
    }
}
