//! How a step ends: what time and surroundings decide, what is said and what is held back.

use super::dependencies;
use super::flapping::{Flap, Owed};
use super::machine::Machine;
use super::monitor::{Effect, Recipients, Side, Step};
use super::reminder;
use super::slow::Slow;
use super::state::{Ack, Announcement, Hold, Outage, Status};
use crate::domain::check::{Check, FailureKind};
use crate::domain::incident::IncidentKey;
use crate::domain::notification::News;
use crate::domain::timestamp::Timestamp;

impl Machine<'_> {
    /// What time and surroundings decide, after whatever happened; then the step is complete.
    pub(in crate::policy) fn settle(mut self) -> Step {
        self.let_orders_end();
        self.calm_down();
        match self.hold() {
            None => {
                let raised_before = self.raise();
                self.speak(raised_before);
            }
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
        // Their end is stored since they began.
        let _ = kept.windows.close(|window| window.until <= now);
        if let Some(outage) = kept.status.outage_mut()
            && let Ack::Until(until) = outage.ack
            && until <= now
        {
            outage.ack = Ack::None;
        }
    }

    /// Whether a window covers the monitor now, of the configuration or by order.
    pub(in crate::policy) fn in_maintenance(&self) -> bool {
        self.around.maintenance || self.memory.kept.windows.is_open(self.now)
    }

    /// Why nothing may be mailed now, if so. Recoveries are not asked for it.
    pub(in crate::policy) fn hold(&self) -> Option<Hold> {
        if self.in_maintenance() {
            return Some(Hold::Maintenance);
        }
        let kept = &self.memory.kept;
        if kept.muted_until.is_some_and(|until| self.now < until) {
            return Some(Hold::Mute);
        }
        let first_bad = match &kept.status {
            Status::Pending | Status::Up { .. } => None,
            Status::Suspect { first_bad, .. } => Some(*first_bad),
            Status::Down(outage) | Status::Recovering { outage, .. } => Some(outage.opened_at()),
        };
        let parent_failing = self.around.parents.iter().any(|parent| parent.failing);
        if parent_failing
            || first_bad.is_some_and(|at| dependencies::hold(self.around.parents, at, self.now))
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
        let calm =
            self.memory.recent.known_at.is_some_and(|known_at| {
                known_at.since(since) >= self.around.alerts.flapping.end_after
            });
        if !calm || !self.memory.kept.flap.is_on() {
            return;
        }
        if let Flap::Flapping(spell) = std::mem::take(&mut self.memory.kept.flap) {
            let heard = |owed: &&Owed| spell.told || !owed.silent;
            let known = || spell.owed.iter().filter(heard);
            if let Some(last) = known().next_back() {
                let told = known().map(|owed| owed.key).collect();
                let to = self.who_was_told(told, last.key);
                let to = Recipients::Of(Side::Messages, Box::new(to));
                self.say_up(last, since, to, Some(spell.since));
            }
        }
    }

    /// Raises an outage once nothing holds its DOWN. Flapping does not: what shows or holds incidents takes each.
    /// Answers whether it was raised by an earlier step.
    fn raise(&mut self) -> bool {
        let needed = self.rules.failures_before_down;
        let Status::Down(outage) = &mut self.memory.kept.status else {
            return false;
        };
        let is_counted = match outage.announcement {
            Announcement::Waiting { recount, .. } => recount.is_none_or(|count| count >= needed),
            Announcement::Made { .. } => true,
        };
        if !is_counted || outage.raised {
            return outage.raised;
        }
        outage.raised = true;
        self.effects.push(Effect::Raise(outage.incident()));
        false
    }

    /// Says what is due and not held.
    fn speak(&mut self, raised_before: bool) {
        self.speak_of_flapping();
        self.speak_of_outage(raised_before);
        self.speak_of_escalation();
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
            silent: false,
        });
        let Flap::Flapping(spell) = &mut self.memory.kept.flap else {
            return;
        };
        if std::mem::replace(&mut spell.told, true) {
            return;
        }
        let owed = &mut spell.owed;
        // Filed under an incident, so that the mail that ends it finds those who were told.
        let incident = owed.last().or(current.as_ref()).map(|owed| owed.key);
        let news = News::Flapping {
            incident,
            changes: spell.changes,
            within: self.around.alerts.flapping.within,
            down_after: self.around.alerts.flapping.down_after,
            end_after: self.around.alerts.flapping.end_after,
            check: Box::new(Check::clone(&check)),
        };
        if owed.is_empty()
            && let Some(current) = current
        {
            owed.push(current);
        }
        self.say(news, Recipients::Configured);
    }

    fn speak_of_outage(&mut self, raised_before: bool) {
        let flapping = self.memory.kept.flap.is_on();
        let (now, needed) = (self.now, self.rules.failures_before_down);
        let down_after = self.around.alerts.flapping.down_after;
        let recent = &self.memory.recent;
        let seats = self.memory.kept.seats.as_deref();
        let Status::Down(outage) = &mut self.memory.kept.status else {
            return;
        };
        let Some(check) = &recent.last_bad else {
            return;
        };
        let check = Box::new(Check::clone(check));
        let opened_at = outage.opened_at();
        match &mut outage.announcement {
            Announcement::Waiting { recount, .. } if recount.is_some_and(|n| n < needed) => {}
            Announcement::Waiting { held, .. } => {
                let flaps = flapping && now.since(opened_at) < down_after;
                if flaps && raised_before {
                    *held = Some(Hold::Flapping);
                    return;
                }
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
                    locations: seats.map_or_else(Vec::new, |seats| seats.statuses(self.rules, now)),
                };
                let side = if flaps {
                    *held = Some(Hold::Flapping);
                    Some(Side::Incidents)
                } else {
                    outage.announcement = Announcement::Made {
                        last: now,
                        reminders: 0,
                    };
                    raised_before.then_some(Side::Messages)
                };
                let to = match side {
                    Some(side) => Recipients::Of(side, Box::new(Recipients::Configured)),
                    None => Recipients::Configured,
                };
                self.say(news, to);
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
        if let Some((since, count, spell)) = self.memory.kept.slow.due(self.rules) {
            self.memory.kept.slow = Slow::Told {
                since,
                quick: 0,
                spell,
            };
            self.say_degraded(&check, since, u32::from(count), spell.kind());
        }
        if self
            .rules
            .quorum
            .as_ref()
            .is_some_and(|quorum| quorum.alert_on_regional)
            && let Some(seats) = &mut self.memory.kept.seats
            && let Some(regional) = &mut seats.regional
            && !regional.told
        {
            regional.told = true;
            let (since, count) = (regional.since, seats.down());
            self.say_degraded(&check, since, count, FailureKind::Regional);
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
        let seats = self.memory.kept.seats.as_deref();
        let seats = seats.filter(|_| reason == FailureKind::Regional);
        let news = News::Degraded {
            check: Box::new(check.clone()),
            since,
            count,
            reason,
            locations: seats.map_or_else(Vec::new, |seats| seats.statuses(self.rules, self.now)),
        };
        self.say(news, Recipients::Configured);
    }

    pub(in crate::policy) fn say(&mut self, news: News, to: Recipients) {
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

    /// Tells the end of an outage of which something was told, at once or with the end of the flapping.
    pub(super) fn tell_end(&mut self, outage: &Outage, closed_at: Timestamp) {
        if self.memory.kept.flap.is_on() && outage.raised {
            self.say_end_to_services(outage, closed_at);
        }
        let silent = matches!(outage.announcement, Announcement::Waiting { .. });
        // The mail about the flapping will be about this outage, and its end is owed to whoever gets it.
        if silent && !self.memory.kept.flap.is_untold() {
            return;
        }
        let owed = Owed {
            key: outage.key,
            cause: outage.cause.clone(),
            checks_failed: outage.checks_failed,
            silent,
        };
        if self.memory.kept.flap.is_on() {
            self.memory.kept.flap.owe(owed);
            return;
        }
        let to = self.who_was_told(vec![outage.key], outage.key);
        if self.around.alerts.recovery {
            self.say_up(&owed, closed_at, to, None);
        } else {
            let to = Recipients::Of(Side::Messages, Box::new(to));
            self.say_up(&owed, closed_at, to, None);
            self.say_end_to_services(outage, closed_at);
        }
    }

    /// Services that hold incidents are told of each end: at once while it flaps, and with `recovery = false` as well,
    /// since nothing else would close there what its DOWN opened.
    fn say_end_to_services(&mut self, outage: &Outage, closed_at: Timestamp) {
        let owed = Owed {
            key: outage.key,
            cause: outage.cause.clone(),
            checks_failed: outage.checks_failed,
            silent: false,
        };
        let told = Recipients::Told(vec![outage.key]);
        let to = Recipients::Of(Side::Incidents, Box::new(told));
        self.say_up(&owed, closed_at, to, None);
    }

    /// Who is told of the end of outages, of which this is the last.
    fn who_was_told(&self, told: Vec<IncidentKey>, last: IncidentKey) -> Recipients {
        match self.around.alerts.recovery {
            true => Recipients::Told(told),
            false => Recipients::Untold(last),
        }
    }

    fn say_up(
        &mut self,
        owed: &Owed,
        closed_at: Timestamp,
        to: Recipients,
        flapping_since: Option<Timestamp>,
    ) {
        let recent = &self.memory.recent;
        let newest = recent.newest.as_ref().filter(|c| c.verdict.is_good());
        let Some(check) = newest.or(recent.last_good.as_ref()) else {
            return;
        };
        let news = News::Up {
            incident: owed.key,
            cause: owed.cause.clone(),
            closed_at,
            check: Box::new(Check::clone(check)),
            checks_failed: owed.checks_failed,
            flapping_since,
        };
        self.say(news, to);
    }
}
