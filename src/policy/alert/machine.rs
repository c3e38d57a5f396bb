//! One run of the alert machine: the memory that it changes and the effects that it collects.

use std::sync::Arc;
use std::time::Duration;

use super::flapping::Flap;
use super::intermittent::Window;
use super::monitor::{Effect, Ending, Order, Refusal, Surroundings};
use super::ordered_windows::{Ends, OrderedWindow};
use super::seats::Seat;
use super::slow::Slow;
use super::state::{Ack, Announcement, Memory, Outage, Status};
use crate::domain::check::{Check, Verdict};
use crate::domain::incident::{Cause, Incident, IncidentKey};
use crate::domain::monitor::Rules;
use crate::domain::timestamp::Timestamp;

/// A monitor between the event that came and the step that follows from it.
pub(in crate::policy) struct Machine<'a> {
    pub(in crate::policy) rules: &'a Rules,
    pub(in crate::policy) around: &'a Surroundings<'a>,
    pub(in crate::policy) now: Timestamp,
    pub(in crate::policy) memory: Memory,
    pub(in crate::policy) effects: Vec<Effect>,
    /// What of the open incident changed and is to be stored.
    pub(super) progressed: bool,
}

impl<'a> Machine<'a> {
    pub(in crate::policy) fn new(
        rules: &'a Rules,
        around: &'a Surroundings<'a>,
        before: &Memory,
        now: Timestamp,
    ) -> Self {
        Self {
            rules,
            around,
            now,
            memory: before.clone(),
            effects: Vec::new(),
            progressed: false,
        }
    }

    /// Takes in one check.
    pub(in crate::policy) fn checked(&mut self, check: &Arc<Check>) {
        let known_at = self.memory.recent.known_at;
        let gap = known_at.is_some_and(|known_at| self.rules.is_gap(known_at, check.at));
        self.memory.recent.newest = Some(Arc::clone(check));
        let cause = match &check.verdict {
            Verdict::Unknown(_) => return self.ask_for_the_next(check),
            Verdict::Up | Verdict::Degraded(_) => None,
            Verdict::Down(failure) => Some(Cause {
                failure: failure.clone(),
                status: check.status,
            }),
        };
        self.memory.recent.known_at = Some(check.at);
        // A check that was in flight when its monitor was paused decides nothing any more.
        let counts = !self.memory.kept.paused;
        if counts && gap {
            self.forget_counts(known_at);
        }
        if let Some(cause) = cause {
            self.memory.recent.last_bad = Some(Arc::clone(check));
            if counts {
                self.failed(check, cause);
            }
        } else {
            if counts {
                self.good(check.at);
            }
            // During an outage the last good check stays the one before it.
            let recent = &mut self.memory.recent;
            if self.memory.kept.status.outage().is_none() {
                recent.last_good = Some(Arc::clone(check));
                recent.good_in_outage = None;
            } else {
                recent.good_in_outage = Some(Arc::clone(check));
            }
        }
        if counts {
            self.look_beside(check);
            self.ask_for_the_next(check);
        }
        // What this check did was still within the window that it ends.
        if check.verdict.is_good() {
            self.close_windows(check.at, |window| window.ends_with_good_check(check.at));
        }
    }

    /// Ends windows before their time.
    pub(super) fn close_windows(
        &mut self,
        at: Timestamp,
        is_over: impl Fn(&OrderedWindow) -> bool,
    ) -> bool {
        let over = self.memory.kept.windows.close(is_over);
        let any = !over.is_empty();
        self.effects
            .extend(over.into_iter().map(|window| Effect::Window {
                from: window.from,
                to: at.max(window.from).min(window.until),
            }));
        any
    }

    /// Forgets what is being counted; an open incident stays open.
    fn forget_counts(&mut self, known_at: Option<Timestamp>) {
        let kept = &mut self.memory.kept;
        kept.status = match std::mem::take(&mut kept.status) {
            Status::Pending => Status::Pending,
            Status::Up { since } => Status::Up { since },
            Status::Suspect { up_since, .. } => {
                up_since.map_or(Status::Pending, |since| Status::Up { since })
            }
            Status::Down(outage) | Status::Recovering { outage, .. } => Status::Down(outage),
        };
        self.forget_beside(known_at);
    }

    /// Forgets what is being counted beside up and down.
    pub(super) fn forget_beside(&mut self, known_at: Option<Timestamp>) {
        let kept = &mut self.memory.kept;
        if matches!(kept.slow, Slow::Counting { .. }) {
            kept.slow = Slow::No;
        }
        if let Some(drift) = &mut kept.drift {
            drift.candidate = None;
        }
        self.count_anew(known_at);
    }

    /// Single failures up to this check count no more.
    pub(super) fn count_anew(&mut self, after: Option<Timestamp>) {
        self.memory.kept.counted_after = after;
        self.memory.recent.window = Window::default();
    }

    fn failed(&mut self, check: &Check, cause: Cause) {
        if let Some(drift) = &mut self.memory.kept.drift {
            drift.candidate = None;
        }
        match std::mem::take(&mut self.memory.kept.status) {
            Status::Pending => self.suspect(None, check.at, 1, cause),
            Status::Up { since } => self.suspect(Some(since), check.at, 1, cause),
            Status::Suspect {
                up_since,
                first_bad,
                count,
                cause: first_cause,
            } => self.suspect(up_since, first_bad, count.saturating_add(1), *first_cause),
            Status::Down(outage) | Status::Recovering { outage, .. } => self.still_down(outage),
        }
    }

    fn suspect(
        &mut self,
        up_since: Option<Timestamp>,
        first_bad: Timestamp,
        count: u16,
        cause: Cause,
    ) {
        if count == 1 {
            self.effects.push(Effect::CheckParents);
        }
        self.memory.recent.window.push(true);
        if count < self.rules.failures_before_down {
            self.memory.kept.status = Status::Suspect {
                up_since,
                first_bad,
                count,
                cause: Box::new(cause),
            };
            return;
        }
        self.open(first_bad, up_since, cause, u32::from(count));
    }

    /// Opens an incident.
    pub(super) fn open(
        &mut self,
        opened_at: Timestamp,
        up_since: Option<Timestamp>,
        cause: Cause,
        checks_failed: u32,
    ) {
        let outage = Outage {
            key: IncidentKey {
                monitor: self.around.monitor,
                opened_at,
            },
            began_at: None,
            up_since,
            cause,
            checks_failed,
            maintenance: self.in_maintenance(),
            acked_at: None,
            ack_note: None,
            ack: Ack::None,
            announcement: Announcement::Waiting {
                held: None,
                recount: None,
            },
            raised: false,
            escalated: None,
        };
        self.effects.push(Effect::Open(outage.incident()));
        self.memory.kept.status = Status::Down(Box::new(outage));
        self.memory.kept.intermittent = None;
        self.count_anew(self.memory.recent.known_at);
        self.note_change();
    }

    pub(super) fn still_down(&mut self, mut outage: Box<Outage>) {
        outage.checks_failed = outage.checks_failed.saturating_add(1);
        if let Announcement::Waiting {
            recount: Some(count),
            ..
        } = &mut outage.announcement
        {
            *count = count.saturating_add(1);
        }
        self.memory.kept.status = Status::Down(outage);
        self.progressed = true;
    }

    fn good(&mut self, at: Timestamp) {
        match std::mem::take(&mut self.memory.kept.status) {
            Status::Pending => self.up(at),
            Status::Up { since } => self.up(since),
            // What never was up is up from its first good check; what was, was never anything else.
            Status::Suspect { up_since, .. } => self.up(up_since.unwrap_or(at)),
            Status::Down(outage) => self.recovering(outage, at, 1),
            Status::Recovering {
                outage,
                first_good,
                count,
            } => self.recovering(outage, first_good, count.saturating_add(1)),
        }
    }

    fn up(&mut self, since: Timestamp) {
        self.memory.kept.status = Status::Up { since };
        self.memory.recent.window.push(false);
    }

    fn recovering(&mut self, outage: Box<Outage>, first_good: Timestamp, count: u16) {
        if count < self.rules.successes_before_up {
            self.memory.kept.status = Status::Recovering {
                outage,
                first_good,
                count,
            };
            return;
        }
        self.close(&outage, first_good);
    }

    /// Closes an incident: it is good again since then.
    pub(super) fn close(&mut self, outage: &Outage, closed_at: Timestamp) {
        self.memory.kept.status = Status::Up { since: closed_at };
        self.count_anew(self.memory.recent.known_at);
        self.effects.push(Effect::Close {
            incident: Incident {
                closed_at: Some(closed_at),
                ..outage.incident()
            },
            ending: Ending::Recovered,
        });
        self.note_change();
        self.tell_end(outage, closed_at);
    }

    /// Counts a change between up and down, unless planned work made it.
    fn note_change(&mut self) {
        if !self.in_maintenance() {
            let limit = self.around.alerts.flapping;
            self.memory.kept.flap.change(limit, self.now);
        }
    }

    /// Once down, and while all is well, the grid decides; a Retry-After stretches its next wait too,
    /// which is the timetable's business.
    pub(super) fn ask_for_the_next(&mut self, check: &Check) {
        let looks_again = self.memory.kept.slow.wants_confirmation(self.rules);
        if looks_again || super::monitor::wants_confirmation(&self.memory) {
            self.ask_again_after(check);
        }
    }

    /// Asks for one more check beside the grid.
    pub(super) fn ask_again_after(&mut self, check: &Check) {
        let asked = match (check.status, check.retry_after_s) {
            (Some(429), Some(seconds)) => Duration::from_secs(u64::from(seconds)),
            (Some(_) | None, _) => Duration::ZERO,
        };
        let after = self
            .rules
            .retry_interval
            .max(asked.min(self.rules.interval));
        self.effects.push(Effect::CheckAgain { after });
    }

    /// Follows an order.
    pub(in crate::policy) fn order(&mut self, order: &Order) -> Result<(), Refusal> {
        let kept = &mut self.memory.kept;
        match order {
            Order::Pause if kept.paused => return Err(Refusal::Paused),
            Order::Pause => {
                self.leave(Ending::Paused);
                self.memory.kept.paused = true;
            }
            Order::Resume if !kept.paused => return Err(Refusal::NotPaused),
            Order::Resume => {
                kept.paused = false;
                // Nobody checked it meanwhile.
                if let Some(seats) = &mut kept.seats {
                    seats.wait(self.now);
                }
                self.count_anew(self.memory.recent.known_at);
            }
            Order::Mute { until } => kept.muted_until = Some(*until),
            Order::Unmute if kept.muted_until.is_none() => return Err(Refusal::NotMuted),
            Order::Unmute => kept.muted_until = None,
            Order::Ack { until, note } => {
                let outage = kept.status.outage_mut().ok_or(Refusal::NotDown)?;
                outage.ack = until.map_or(Ack::ToTheEnd, Ack::Until);
                outage.acked_at.get_or_insert(self.now);
                if note.is_some() {
                    outage.ack_note.clone_from(note);
                }
                if let Some(escalated) = &mut outage.escalated {
                    escalated.stop();
                    self.effects.push(Effect::StopEscalation(outage.key));
                }
                self.progressed = true;
            }
            Order::Maintain(window) => {
                // While a site stays down, each attempt to mend it leaves a window that waits for a good check.
                if kept.windows.is_full()
                    && let Some(from) = kept.windows.replaceable(window.until)
                {
                    self.close_windows(self.now, |one| one.from == from);
                }
                let kept = &mut self.memory.kept;
                let window = kept
                    .windows
                    .open(window.clone())
                    .ok_or(Refusal::TooManyWindows)?;
                let (from, to) = (window.from, window.until);
                self.effects.push(Effect::Window { from, to });
            }
            Order::EndMaintenance => {
                if !self.close_windows(self.now, |_| true) {
                    return Err(Refusal::NotInMaintenance);
                }
            }
            Order::CommandEnded { window } => {
                if !kept.windows.command_ended(*window, self.now) {
                    return Err(Refusal::NotInMaintenance);
                }
            }
            Order::RunnerGone { window } => {
                let is_its =
                    |one: &OrderedWindow| one.id == *window && one.ends == Ends::WithCommand;
                if !self.close_windows(self.now, is_its) {
                    return Err(Refusal::NotInMaintenance);
                }
            }
        }
        Ok(())
    }

    /// Ends what is open, without a word: nobody watches this monitor any more.
    pub(in crate::policy) fn leave(&mut self, ending: Ending) {
        let status = std::mem::take(&mut self.memory.kept.status);
        if let Some(outage) = status.outage() {
            self.effects.push(Effect::Close {
                incident: Incident {
                    closed_at: Some(self.now.max(outage.opened_at())),
                    ..outage.incident()
                },
                ending,
            });
            self.effects.push(Effect::DropWaiting(outage.key));
        }
        if let Some(good) = self.memory.recent.good_in_outage.take() {
            self.memory.recent.last_good = Some(good);
        }
        self.progressed = false;
        let kept = &mut self.memory.kept;
        if let Some(seats) = &mut kept.seats {
            seats.forget();
        }
        kept.flap = Flap::default();
        kept.intermittent = None;
        kept.slow = Slow::No;
        self.count_anew(self.memory.recent.known_at);
    }

    /// What was counted while a parent was failing proves nothing of the child.
    pub(super) fn parent_recovered(&mut self) {
        if self.memory.kept.status.outage().is_none()
            && let Some(seats) = &mut self.memory.kept.seats
        {
            seats.list.iter_mut().for_each(Seat::forget_counts);
        }
        match &mut self.memory.kept.status {
            Status::Pending | Status::Up { .. } => {}
            Status::Suspect { .. } => self.forget_counts(self.memory.recent.known_at),
            Status::Down(outage) | Status::Recovering { outage, .. } => {
                if let Announcement::Waiting { recount, .. } = &mut outage.announcement {
                    *recount = Some(0);
                    let after = self.rules.retry_interval;
                    self.effects.push(Effect::CheckAgain { after });
                }
            }
        }
    }

    /// Takes a monitor out; its flags stay, should it come back.
    pub(in crate::policy) fn gone(&mut self) {
        self.leave(Ending::Removed);
        self.close_windows(self.now, |_| true);
        self.memory.kept.gone_at.get_or_insert(self.now);
    }

    /// Another configuration: new rules judge from the next check on.
    pub(super) fn reconfigured(&mut self, url_changed: bool) {
        if self.memory.kept.gone_at.take().is_some() {
            self.count_anew(self.memory.recent.known_at);
        }
        if url_changed {
            self.memory.kept.drift = None;
            let seats = self.memory.kept.seats.iter_mut();
            for seat in seats.flat_map(|seats| &mut seats.list) {
                seat.drift = None;
            }
            self.memory.kept.certificates.clear();
        }
    }
}
