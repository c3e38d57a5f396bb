//! One run of the alert machine: the memory that it changes and the effects that it collects.

use std::sync::Arc;
use std::time::Duration;

use super::certificate;
use super::drift::Drift;
use super::flapping::{self, Flap, Owed};
use super::intermittent::{Intermittent, Window};
use super::memory::{Ack, Announcement, Hold, Memory, Outage, Shown, ShownState, Status};
use super::monitor::{Effect, Ending, Order, Recipients, Refusal, Step, Surroundings};
use super::parents;
use super::reminder;
use super::slow::Slow;
use crate::domain::check::{Check, FailureKind, Verdict};
use crate::domain::incident::{Cause, Incident, IncidentKey};
use crate::domain::monitor::Rules;
use crate::domain::notice::News;
use crate::domain::timestamp::Timestamp;

/// A monitor between the event that came and the step that follows from it.
pub(super) struct Machine<'a> {
    rules: &'a Rules,
    around: &'a Surroundings<'a>,
    now: Timestamp,
    memory: Memory,
    effects: Vec<Effect>,
    /// What of the open incident changed and is to be stored.
    progressed: bool,
}

impl<'a> Machine<'a> {
    pub(super) fn new(
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
    pub(super) fn checked(&mut self, check: &Arc<Check>) {
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
            if self.memory.kept.status.outage().is_none() {
                self.memory.recent.last_good = Some(Arc::clone(check));
            }
        }
        if counts {
            self.look_beside(check);
            self.ask_for_the_next(check);
        }
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
        if matches!(kept.slow, Slow::Counting { .. }) {
            kept.slow = Slow::No;
        }
        if let Some(drift) = &mut kept.drift {
            drift.candidate = None;
        }
        self.count_anew(known_at);
    }

    /// Single failures up to this check count no more.
    fn count_anew(&mut self, after: Option<Timestamp>) {
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
            } => self.suspect(up_since, first_bad, count.saturating_add(1), first_cause),
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
                cause,
            };
            return;
        }
        let outage = Outage {
            key: IncidentKey {
                monitor: self.around.monitor,
                opened_at: first_bad,
            },
            up_since,
            cause,
            checks_failed: u32::from(count),
            maintenance: self.around.maintenance,
            acked_at: None,
            ack: Ack::None,
            announcement: Announcement::Waiting {
                held: None,
                recount: None,
            },
        };
        self.effects.push(Effect::Open(outage.incident()));
        self.memory.kept.status = Status::Down(Box::new(outage));
        self.memory.kept.intermittent = None;
        self.count_anew(self.memory.recent.known_at);
        self.note_change();
    }

    fn still_down(&mut self, mut outage: Box<Outage>) {
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
        self.memory.kept.status = Status::Up { since: first_good };
        self.count_anew(self.memory.recent.known_at);
        self.effects.push(Effect::Close {
            incident: Incident {
                closed_at: Some(first_good),
                ..outage.incident()
            },
            ending: Ending::Recovered,
        });
        self.note_change();
        self.tell_end(&outage, first_good);
    }

    /// Tells the end of an outage of which something was told, at once or with the end of the flapping.
    fn tell_end(&mut self, outage: &Outage, closed_at: Timestamp) {
        if matches!(outage.announcement, Announcement::Waiting { .. }) {
            return;
        }
        let owed = Owed {
            key: outage.key,
            cause: outage.cause.clone(),
            checks_failed: outage.checks_failed,
        };
        if self.memory.kept.flap.is_on() {
            self.memory.kept.flap.owe(owed);
        } else {
            self.say_up(&owed, closed_at, vec![outage.key]);
        }
    }

    fn say_up(&mut self, owed: &Owed, closed_at: Timestamp, told: Vec<IncidentKey>) {
        let recent = &self.memory.recent;
        let newest = recent.newest.as_ref().filter(|c| c.verdict.is_good());
        let Some(check) = newest.or(recent.last_good.as_ref()) else {
            return;
        };
        if !self.around.alerts.recovery {
            return;
        }
        let news = News::Up {
            incident: owed.key,
            cause: owed.cause.clone(),
            closed_at,
            check: Box::new(Check::clone(check)),
            checks_failed: owed.checks_failed,
        };
        self.say(news, Recipients::Told(told));
    }

    /// Counts a change between up and down, unless planned work made it.
    fn note_change(&mut self) {
        if !self.around.maintenance {
            let limit = self.around.alerts.flapping;
            self.memory.kept.flap.change(limit, self.now);
        }
    }

    /// What a check says beside up and down: slowness, single failures, certificate, way.
    fn look_beside(&mut self, check: &Arc<Check>) {
        let kept = &mut self.memory.kept;
        match kept.status {
            Status::Pending | Status::Up { .. } | Status::Suspect { .. } => {
                kept.slow = kept.slow.after(self.rules, check.at, &check.verdict);
            }
            Status::Down(_) | Status::Recovering { .. } => {
                kept.slow = match kept.slow {
                    Slow::No | Slow::Counting { .. } => Slow::No,
                    told @ Slow::Told { .. } => told,
                };
            }
        }
        let window = self.memory.recent.window;
        if matches!(kept.status, Status::Up { .. }) && window.is_bad() {
            kept.intermittent.get_or_insert(Intermittent {
                since: check.at,
                told: false,
            });
        } else if window.is_clean() {
            kept.intermittent = None;
        }
        self.look_at_certificate(check);
        if check.verdict.is_good() {
            self.look_at_way(check);
        }
    }

    fn look_at_certificate(&mut self, check: &Arc<Check>) {
        let Some(seen) = &check.certificate else {
            return;
        };
        let ended = check
            .verdict
            .failure()
            .is_some_and(|failure| failure.kind == FailureKind::TlsExpired);
        if ended || self.hold().is_some() {
            return;
        }
        let told = &mut self.memory.kept.certificates;
        let steps = &self.around.alerts.certificate_expiry;
        let Some(step) = certificate::due(steps, told, seen, check.at) else {
            return;
        };
        certificate::remember(told, seen.fingerprint, step);
        let news = News::CertificateExpiring {
            check: Box::new(Check::clone(check)),
            step,
        };
        self.say(news, Recipients::Configured);
    }

    fn look_at_way(&mut self, check: &Arc<Check>) {
        if !self.rules.alert_on_redirect_change {
            self.memory.kept.drift = None;
            return;
        }
        let held = self.hold().is_some();
        let Some(drift) = &mut self.memory.kept.drift else {
            self.memory.kept.drift = Some(Box::new(Drift::starting_with(&check.chain)));
            return;
        };
        if !drift.sees(&check.chain, self.rules.failures_before_down) || held {
            return;
        }
        let before = drift.accept(&check.chain);
        let news = News::RedirectChanged {
            before: Box::new(before.as_ref().clone()),
            check: Box::new(Check::clone(check)),
        };
        self.say(news, Recipients::Configured);
    }

    /// Once down, and while all is well, the grid decides; a Retry-After stretches its next wait too,
    /// which is the timetable's business.
    fn ask_for_the_next(&mut self, check: &Check) {
        if !super::monitor::wants_confirmation(&self.memory) {
            return;
        }
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
    pub(super) fn order(&mut self, order: &Order) -> Result<(), Refusal> {
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
                self.count_anew(self.memory.recent.known_at);
            }
            Order::Mute { until } => kept.muted_until = Some(*until),
            Order::Unmute if kept.muted_until.is_none() => return Err(Refusal::NotMuted),
            Order::Unmute => kept.muted_until = None,
            Order::Ack { until } => {
                let outage = kept.status.outage_mut().ok_or(Refusal::NotDown)?;
                outage.ack = until.map_or(Ack::ToTheEnd, Ack::Until);
                outage.acked_at.get_or_insert(self.now);
                self.progressed = true;
            }
        }
        Ok(())
    }

    /// Ends what is open, without a word: nobody watches this monitor any more.
    pub(super) fn leave(&mut self, ending: Ending) {
        let status = std::mem::take(&mut self.memory.kept.status);
        if let Some(outage) = status.outage() {
            self.effects.push(Effect::Close {
                incident: Incident {
                    closed_at: Some(self.now.max(outage.key.opened_at)),
                    ..outage.incident()
                },
                ending,
            });
            self.effects.push(Effect::DropWaiting(outage.key));
        }
        self.progressed = false;
        let kept = &mut self.memory.kept;
        kept.flap = Flap::default();
        kept.intermittent = None;
        kept.slow = Slow::No;
        self.count_anew(self.memory.recent.known_at);
    }

    /// What was counted while a parent was failing proves nothing of the child.
    pub(super) fn parent_recovered(&mut self) {
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
    pub(super) fn gone(&mut self) {
        self.leave(Ending::Removed);
        self.memory.kept.gone_at.get_or_insert(self.now);
    }

    /// Another configuration: new rules judge from the next check on.
    pub(super) fn reconfigured(&mut self, url_changed: bool) {
        if self.memory.kept.gone_at.take().is_some() {
            self.count_anew(self.memory.recent.known_at);
        }
        if url_changed {
            self.memory.kept.drift = None;
            self.memory.kept.certificates.clear();
        }
    }

    /// What time and surroundings decide, after whatever happened; then the step is complete.
    pub(super) fn settle(mut self) -> Step {
        self.let_orders_end();
        if self.around.maintenance
            && let Some(outage) = self.memory.kept.status.outage_mut()
            && !outage.maintenance
        {
            outage.maintenance = true;
            self.progressed = true;
        }
        self.calm_down();
        match self.hold() {
            None => self.speak(),
            Some(hold) => self.wait_for(hold),
        }
        if self.progressed
            && let Some(outage) = self.memory.kept.status.outage()
        {
            self.effects.push(Effect::Progress(outage.incident()));
        }
        self.show();
        Step {
            after: self.memory,
            effects: self.effects,
            refusal: None,
        }
    }

    fn let_orders_end(&mut self) {
        let now = self.now;
        let kept = &mut self.memory.kept;
        kept.muted_until = kept.muted_until.filter(|until| now < *until);
        if let Some(outage) = kept.status.outage_mut()
            && let Ack::Until(until) = outage.ack
            && until <= now
        {
            outage.ack = Ack::None;
        }
    }

    /// Why nothing may be mailed now, if so. Recoveries are not asked for it.
    fn hold(&self) -> Option<Hold> {
        if self.around.maintenance {
            return Some(Hold::Maintenance);
        }
        let kept = &self.memory.kept;
        if kept.muted_until.is_some_and(|until| self.now < until) {
            return Some(Hold::Mute);
        }
        let first_bad = match &kept.status {
            Status::Pending | Status::Up { .. } => None,
            Status::Suspect { first_bad, .. } => Some(*first_bad),
            Status::Down(outage) | Status::Recovering { outage, .. } => Some(outage.key.opened_at),
        };
        let parent_failing = self.around.parents.iter().any(|parent| parent.failing);
        if parent_failing
            || first_bad.is_some_and(|at| parents::hold(self.around.parents, at, self.now))
        {
            return Some(Hold::Parent);
        }
        self.around.offline.then_some(Hold::Offline)
    }

    /// Ends the flapping of a monitor that has been up long enough.
    fn calm_down(&mut self) {
        let Status::Up { since } = self.memory.kept.status else {
            return;
        };
        let calm = self
            .memory
            .recent
            .known_at
            .is_some_and(|known_at| known_at.since(since) >= flapping::CALM_AFTER);
        if !calm || !self.memory.kept.flap.is_on() {
            return;
        }
        if let Flap::Flapping { owed, .. } = std::mem::take(&mut self.memory.kept.flap)
            && let Some(last) = owed.last()
        {
            let told = owed.iter().map(|owed| owed.key).collect();
            self.say_up(last, since, told);
        }
    }

    /// Says what is due and not held.
    fn speak(&mut self) {
        self.speak_of_flapping();
        self.speak_of_outage();
        self.speak_of_degradation();
    }

    fn speak_of_flapping(&mut self) {
        let Some(check) = self.memory.recent.newest.clone() else {
            return;
        };
        let current = self.memory.kept.status.outage().map(|outage| Owed {
            key: outage.key,
            cause: outage.cause.clone(),
            checks_failed: outage.checks_failed,
        });
        let Flap::Flapping {
            changes,
            told: told @ false,
            owed,
            ..
        } = &mut self.memory.kept.flap
        else {
            return;
        };
        *told = true;
        // Filed under an incident, so that the mail that ends it finds those who were told.
        let incident = owed.last().or(current.as_ref()).map(|owed| owed.key);
        let news = News::Flapping {
            incident,
            changes: *changes,
            within: self.around.alerts.flapping.within,
            check: Box::new(Check::clone(&check)),
        };
        if owed.is_empty()
            && let Some(current) = current
        {
            owed.push(current);
        }
        self.say(news, Recipients::Configured);
    }

    fn speak_of_outage(&mut self) {
        let flapping = self.memory.kept.flap.is_on();
        let (now, needed) = (self.now, self.rules.failures_before_down);
        let recent = &self.memory.recent;
        let Status::Down(outage) = &mut self.memory.kept.status else {
            return;
        };
        let Some(check) = &recent.last_bad else {
            return;
        };
        let check = Box::new(Check::clone(check));
        match &mut outage.announcement {
            Announcement::Waiting { recount, .. } if recount.is_some_and(|n| n < needed) => {}
            Announcement::Waiting { held, .. }
                if flapping && now.since(outage.key.opened_at) < flapping::DOWN_AFTER =>
            {
                *held = Some(Hold::Flapping);
            }
            Announcement::Waiting { held, .. } => {
                let news = News::Down {
                    incident: outage.key,
                    cause: outage.cause.clone(),
                    up_since: outage.up_since,
                    check,
                    checks_failed: outage.checks_failed,
                    last_good: recent
                        .last_good
                        .as_deref()
                        .map(|good| Box::new(good.clone())),
                    held: held.map(|hold| hold.as_str().to_owned()),
                };
                outage.announcement = Announcement::Made {
                    last: now,
                    reminders: 0,
                };
                self.say(news, Recipients::Configured);
            }
            Announcement::Made { last, reminders } => {
                let due = reminder::due_at(self.around.alerts, *last, *reminders);
                if outage.ack != Ack::None || due.is_none_or(|due| now < due) {
                    return;
                }
                *reminders = reminders.saturating_add(1);
                *last = now;
                let news = News::StillDown {
                    incident: outage.key,
                    cause: outage.cause.clone(),
                    check,
                    checks_failed: outage.checks_failed,
                    next: reminder::due_at(self.around.alerts, now, *reminders),
                };
                self.say(news, Recipients::Configured);
            }
        }
    }

    fn speak_of_degradation(&mut self) {
        let Status::Up { .. } = self.memory.kept.status else {
            return;
        };
        let Some(check) = self.memory.recent.newest.clone() else {
            return;
        };
        if !check.verdict.is_good() {
            return;
        }
        if let Some((since, count)) = self.memory.kept.slow.due(self.rules) {
            self.memory.kept.slow = Slow::Told { since, quick: 0 };
            self.say_degraded(&check, since, u32::from(count), FailureKind::Slow);
        }
        let failed = self.memory.recent.window.failed();
        if let Some(intermittent) = &mut self.memory.kept.intermittent
            && !intermittent.told
        {
            intermittent.told = true;
            let since = intermittent.since;
            self.say_degraded(&check, since, failed, FailureKind::Intermittent);
        }
    }

    fn say_degraded(&mut self, check: &Check, since: Timestamp, count: u32, reason: FailureKind) {
        let news = News::Degraded {
            check: Box::new(check.clone()),
            since,
            count,
            reason,
        };
        self.say(news, Recipients::Configured);
    }

    fn say(&mut self, news: News, to: Recipients) {
        self.effects.push(Effect::Say {
            news: Box::new(news),
            to,
        });
    }

    /// Remembers why an outage is not told, so that its mail can say so.
    fn wait_for(&mut self, hold: Hold) {
        if let Some(outage) = self.memory.kept.status.outage_mut()
            && let Announcement::Waiting { held, .. } = &mut outage.announcement
        {
            *held = Some(hold);
        }
    }

    /// Derives what is shown.
    fn show(&mut self) {
        let kept = &self.memory.kept;
        let newest = self.memory.recent.newest.as_deref();
        let blind = newest.is_some_and(|check| matches!(check.verdict, Verdict::Unknown(_)));
        let degraded = newest.and_then(|check| match &check.verdict {
            Verdict::Degraded(failure) => Some(failure.kind),
            Verdict::Up | Verdict::Down(_) | Verdict::Unknown(_) => None,
        });
        let degraded = degraded.or(kept.intermittent.map(|_| FailureKind::Intermittent));
        let at = newest.map_or(self.now, |check| check.at);
        let (state, since, reason) = match &kept.status {
            Status::Pending => (ShownState::Pending, self.now, None),
            Status::Suspect { up_since: None, .. } => (ShownState::Pending, self.now, None),
            Status::Down(outage) | Status::Recovering { outage, .. } => {
                let kind = outage.cause.failure.kind;
                (ShownState::Down, outage.key.opened_at, Some(kind))
            }
            Status::Up { .. } | Status::Suspect { .. } if blind => {
                (ShownState::Unknown, at, Some(FailureKind::Local))
            }
            Status::Up { since } => match (degraded, kept.shown.state) {
                (Some(kind), _) => (ShownState::Degraded, at, Some(kind)),
                (None, ShownState::Degraded | ShownState::Unknown) => (ShownState::Up, at, None),
                (None, ShownState::Pending | ShownState::Up | ShownState::Down) => {
                    (ShownState::Up, *since, None)
                }
            },
            // What is being confirmed is shown as what it was before.
            Status::Suspect { .. } => match kept.shown.state {
                ShownState::Degraded => (ShownState::Degraded, at, kept.shown.reason),
                ShownState::Pending | ShownState::Up | ShownState::Down | ShownState::Unknown => {
                    (ShownState::Up, at, None)
                }
            },
        };
        let same = state == kept.shown.state && kept.shown != Shown::default();
        let since = if same && state != ShownState::Down {
            kept.shown.since
        } else {
            since
        };
        let shown = Shown {
            state,
            since,
            flags: self.flags(),
            incident: kept.status.outage().map(|outage| outage.key),
            reason,
        };
        self.memory.kept.shown = shown;
    }

    fn flags(&self) -> super::memory::Flags {
        let kept = &self.memory.kept;
        let failing = matches!(
            kept.status,
            Status::Suspect { .. } | Status::Down(_) | Status::Recovering { .. }
        );
        super::memory::Flags {
            paused: kept.paused,
            muted: kept.muted_until.is_some(),
            maintenance: self.around.maintenance,
            acked: kept
                .status
                .outage()
                .is_some_and(|outage| outage.ack != Ack::None),
            flapping: kept.flap.is_on(),
            parent_down: failing && self.around.parents.iter().any(|parent| parent.failing),
        }
    }
}
