//! How the recorder decides: entries in, steps of the alert machines, deeds for the next transaction.

use std::sync::Arc;

use super::changes::{counts_differ, state_change};
use super::confirming_log::log_confirming;
use super::engine::Recorder;
use super::evidence;
use super::message::{Entry, NotRecorded, Refused, Reply, Turn};
use super::shared_check::shared;
use super::staged::{Deed, StagedCheck};
use crate::daemon::logging::targets;
use crate::domain::check::Check;
use crate::domain::monitor::MonitorId;
use crate::domain::notification::{News, Notice};
use crate::domain::order::GivenOrder;
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::policy::alert::fleet::{Conditions, Member as _, Spread, Taken};
use crate::policy::alert::monitor::{Effect, Ending, Event, Order, Recipients, Refusal};
use crate::policy::alert::state::{Memory, ShownState};
use crate::store::transaction::{Batch, SpanKind};

impl Recorder {
    /// Lets time pass: edges of windows, reminders, ends of mutes.
    pub(in crate::daemon) fn tick(&mut self, now: Timestamp) {
        self.look_at_locations(now);
        for number in self.windows.advance(now) {
            self.window_changed(number, now);
        }
        while let Some(place) = self.fleet.take_due(now) {
            let _ = self.step(place, Event::Tick, now);
        }
    }

    fn window_changed(&mut self, number: usize, now: Timestamp) {
        for place in 0..self.fleet.slots.len() {
            if self.fleet.slots[place].windows().contains(&number) {
                self.note_window(place, number, now);
                let _ = self.step(place, Event::Tick, now);
            }
        }
    }

    /// Writes down that a window is open over a monitor, for the reports.
    pub(super) fn note_window(&mut self, place: usize, number: usize, now: Timestamp) {
        if let Some(open) = self.windows.open(number) {
            let deed = Deed::Span {
                monitor: self.fleet.slots[place].id,
                kind: SpanKind::Maintenance,
                from: open.from,
                to: Some(open.to),
            };
            self.staged.deed(deed, now);
        }
    }

    /// Decides what follows from one entry.
    pub(super) fn stage(&mut self, entry: Entry, now: Timestamp) {
        match entry {
            Entry::Checked { monitor, check } => self.checked(monitor, check, now),
            Entry::Frame { frame, reply } => self.frame(*frame, reply, now),
            Entry::Presence(presence) => self.presence(&presence, now),
            Entry::Missed {
                monitor,
                from,
                count,
            } => {
                let deed = Deed::Missed {
                    monitor,
                    from,
                    count,
                };
                self.staged.deed(deed, now);
            }
            Entry::WentBlind(from) => self.went_blind(from, now),
            Entry::SeesAgain(over) => self.sees_again(*over, now),
            Entry::Order {
                monitors,
                order,
                given,
                reply,
            } => self.order(&monitors, &order, given, reply, now),
            Entry::Reconfigure {
                config,
                given,
                reply,
            } => {
                let answer = self.enroll(config, now);
                if let Some(order) = given.filter(|_| answer.is_ok()) {
                    self.keep_order(order, Vec::new(), now);
                }
                self.reports_changed(now);
                reply.tell(answer.map_err(|error| NotRecorded(error.to_string())));
            }
            Entry::Relist { relist, reply } => {
                let answer = self.relist(*relist, now);
                reply.tell(answer.map_err(|error| NotRecorded(error.to_string())));
            }
            Entry::Say { notice, to } => self.say(*notice, to, now),
            Entry::Report => self.report(now),
            Entry::Burns(looks) => self.burns(looks, now),
            Entry::Write(write) => {
                self.staged.deed(Deed::Write(write), now);
                self.staged.urgent = true;
            }
            Entry::WriteAndTell(write, reply) => {
                self.staged.deed(Deed::Write(write), now);
                self.staged
                    .replies
                    .push(Box::new(move |written| reply.tell(written)));
                self.staged.urgent = true;
            }
            Entry::Upkeep(upkeep) => self.upkeep.push(upkeep),
            Entry::Stop => self.stopped = true,
        }
    }

    fn checked(&mut self, monitor: MonitorId, original: Box<Check>, now: Timestamp) {
        // A monitor that left while its check was on its way: nobody asks for the result.
        let Some(place) = self.places.get(&monitor).copied() else {
            return;
        };
        let slot = &mut self.fleet.slots[place];
        let began = match &self.clock.newest {
            Some(step) => step.begun(original.at, now),
            None => original.at,
        };
        if slot.monitor.rules.quorum.is_some() {
            return self.checked_here(monitor, original, began, now);
        }
        let at = slot.moment(began);
        let newest = slot.memory.recent.newest.as_ref();
        let mut check = shared(&original, newest, slot.monitor.subject.url_text());
        check.at = at;
        let limit = slot.monitor.subject.degraded_after();
        self.judge_by_usual(monitor, limit, &mut check);
        let slot = &self.fleet.slots[place];
        let began = original.at;
        self.copied.push(original);
        let check = Arc::new(check);
        let staged = StagedCheck {
            monitor,
            check: Arc::clone(&check),
            interval: slot.monitor.rules.interval,
        };
        self.staged.check(staged, now);
        let _ = self.step(place, Event::Checked(&check), now);
        self.look_at_answer(place, &check, began);
    }

    fn order(
        &mut self,
        monitors: &[MonitorId],
        order: &Order,
        given: Option<Box<GivenOrder>>,
        reply: Reply<Vec<Refused>>,
        now: Timestamp,
    ) {
        let mut refused = Vec::new();
        let mut followed = Vec::new();
        for monitor in monitors {
            let Some(place) = self.places.get(monitor).copied() else {
                continue;
            };
            if let Some(refusal) = self.step(place, Event::Order(order), now) {
                refused.push(Refused {
                    name: self.fleet.slots[place].monitor.name.clone(),
                    why: refusal.to_string(),
                });
                continue;
            }
            self.note_pause(*monitor, order, now);
            followed.push(*monitor);
        }
        if let Some(given) = given.filter(|_| !followed.is_empty()) {
            self.keep_order(given, followed, now);
        }
        self.staged.since.get_or_insert(now);
        self.staged.urgent = true;
        self.staged.replies.push(Box::new(move |written| {
            reply.tell(written.map(|()| refused));
        }));
    }

    /// Writes down a window that was ordered, for the reports.
    pub(super) fn keep_window(
        &mut self,
        monitor: MonitorId,
        from: Timestamp,
        to: Timestamp,
        now: Timestamp,
    ) {
        let deed = Deed::Span {
            monitor,
            kind: SpanKind::Maintenance,
            from,
            to: Some(to),
        };
        self.staged.deed(deed, now);
    }

    /// Keeps who ordered what.
    fn keep_order(&mut self, order: Box<GivenOrder>, followed: Vec<MonitorId>, now: Timestamp) {
        let all = order.args.all && followed.len() == self.fleet.slots.len();
        let deed = Deed::Order {
            order,
            followed,
            all,
            at: now,
        };
        self.staged.deed(deed, now);
    }

    fn note_pause(&mut self, monitor: MonitorId, order: &Order, now: Timestamp) {
        let (paused, deed) = match order {
            Order::Pause => {
                let (kind, from, to) = (SpanKind::Paused, now, None);
                let deed = Deed::Span {
                    monitor,
                    kind,
                    from,
                    to,
                };
                (true, deed)
            }
            Order::Resume => {
                let (kind, at) = (SpanKind::Paused, now);
                (false, Deed::EndSpans { monitor, kind, at })
            }
            Order::CommandEnded { .. } => {
                // The sooner it is known to be good, the sooner the window ends.
                if let Some(place) = self.places.get(&monitor).copied() {
                    self.check_now(place, now, None, now);
                }
                return;
            }
            Order::Mute { .. }
            | Order::Unmute
            | Order::Ack { .. }
            | Order::Maintain(_)
            | Order::EndMaintenance
            | Order::RunnerGone { .. } => return,
        };
        self.staged.deed(deed, now);
        self.turns.push(Turn::SetPaused { monitor, paused });
    }

    pub(in crate::daemon) fn say(
        &mut self,
        notice: Notice,
        to: Option<Vec<Recipient>>,
        now: Timestamp,
    ) {
        let deed = Deed::Say {
            notice: Box::new(notice),
            to: Recipients::Configured,
            configured: to.unwrap_or_else(|| self.default_recipients()),
        };
        let deed = self.for_takers(deed);
        self.staged.deed(deed, now);
        self.staged.urgent = true;
    }

    /// A deed without the channels that do not take what it says.
    pub(super) fn for_takers(&self, mut deed: Deed) -> Deed {
        if let Deed::Say {
            notice,
            configured,
            to,
        } = &mut deed
        {
            let kind = notice.news.kind();
            configured.retain(|to| self.config.takes(to, kind));
            if let Recipients::Escalation { again, .. } = to {
                again.retain(|to| self.config.takes(to, kind));
            }
        }
        deed
    }

    /// Who is told of what is about many or about us.
    pub(super) fn default_recipients(&self) -> Vec<Recipient> {
        self.config.told.clone()
    }

    /// One step of one monitor, and of those that depend on what it changed.
    pub(in crate::daemon) fn step(
        &mut self,
        place: usize,
        event: Event<'_>,
        now: Timestamp,
    ) -> Option<Refusal> {
        let mut spread = Spread::of(place, event);
        let mut refusal = None;
        loop {
            let conditions = Conditions {
                alerts: &self.config.alerts,
                windows: &self.windows,
                offline: self.blind.is_some(),
            };
            let Some(taken) = self.fleet.step(&mut spread, &conditions, now) else {
                return refusal;
            };
            if let Some(why) = self.follow_step(taken, now) {
                refusal.get_or_insert(why);
            }
        }
    }

    /// Notes what a step changed, and does what it asks for.
    fn follow_step(&mut self, taken: Taken<'_>, now: Timestamp) -> Option<Refusal> {
        let Taken { place, before, .. } = taken;
        let slot = &mut self.fleet.slots[place];
        let after = &slot.memory;
        let (was, is) = (before.kept.shown.flags, after.kept.shown.flags);
        if (was.muted, was.maintenance) != (is.muted, is.maintenance) {
            self.staged.silence_changed = true;
        }
        let was = before.kept.shown.state;
        if was != after.kept.shown.state {
            let change = Box::new(state_change(slot.id, was, after));
            self.staged.deed(Deed::State { change, at: now }, now);
        }
        if before.kept != after.kept {
            slot.dirty = true;
            // A count of failed checks may wait for others, a change of state may not.
            self.staged.urgent |=
                before.kept.shown != after.kept.shown || counts_differ(&before.kept, &after.kept);
            self.staged.since.get_or_insert(now);
        }
        log_confirming(
            slot.monitor.name.as_str(),
            &before.kept.status,
            &after.kept.status,
        );
        if !std::mem::replace(&mut slot.touched, true) {
            self.touched.push(place);
        }
        self.drop_unconfirmed(place, evidence::suspected(&before.kept.status), now);
        for effect in taken.effects {
            self.follow(place, effect, taken.event, now);
        }
        taken.refusal
    }

    /// Writes down that a step changed what is shown, for those who are told of every change.
    pub(super) fn note_state(
        &mut self,
        monitor: MonitorId,
        was: ShownState,
        after: &Memory,
        now: Timestamp,
    ) {
        if was != after.kept.shown.state {
            let change = Box::new(state_change(monitor, was, after));
            self.staged.deed(Deed::State { change, at: now }, now);
        }
    }

    fn follow(&mut self, place: usize, effect: Effect, event: Event<'_>, now: Timestamp) {
        let slot = &self.fleet.slots[place];
        match effect {
            Effect::Open(incident) => {
                let monitor = Arc::clone(&slot.monitor);
                let (key, seats) = (incident.key, slot.memory.kept.seats.as_ref());
                let said = seats.map(|seats| seats.statuses(&monitor.rules, now));
                self.follow_incident(Effect::Open(incident), monitor.name.as_str(), now);
                if let Some(said) = said {
                    let write =
                        move |batch: &mut Batch<'_>| batch.put_incident_locations(key, &said);
                    self.staged.deed(Deed::Write(Box::new(write)), now);
                }
            }
            Effect::Progress(_) | Effect::Close { .. } => {
                let monitor = Arc::clone(&slot.monitor);
                self.follow_incident(effect, monitor.name.as_str(), now);
            }
            Effect::Say { news, to } => {
                let notice = Notice {
                    about: Some(slot.about()),
                    news: self.fit(*news),
                    decided_at: now,
                };
                let can_tell = self.config.has_way_out();
                let configured = match &to {
                    Recipients::Escalation { to, .. } => to,
                    Recipients::Configured
                    | Recipients::Told(_)
                    | Recipients::Untold(_)
                    | Recipients::Of(..) => &slot.monitor.rules.to,
                };
                let configured = configured.iter().filter(|_| can_tell).cloned().collect();
                let deed = self.for_takers(Deed::Say {
                    notice: Box::new(notice),
                    to,
                    configured,
                });
                self.staged.deed(deed, now);
                self.staged.urgent = true;
            }
            Effect::Raise(incident) => self.raise(place, &incident, now),
            Effect::Window { from, to } => self.keep_window(slot.id, from, to, now),
            Effect::DropWaiting(incident) => {
                let (why, at) = ("paused", now);
                let deed = Deed::DropWaiting { incident, why, at };
                self.staged.deed(deed, now);
            }
            Effect::Record(check) => {
                let (monitor, interval) = (slot.id, slot.monitor.rules.interval);
                let staged = StagedCheck {
                    monitor,
                    check,
                    interval,
                };
                self.staged.check(staged, now);
            }
            Effect::StopEscalation(incident) => {
                let deed = Deed::StopEscalation { incident, at: now };
                self.staged.deed(deed, now);
            }
            Effect::CheckParents => {
                let unless_since = slot.last_at;
                for parent in slot.parents().to_vec() {
                    self.check_now(parent, unless_since, None, now);
                }
            }
            Effect::AskOthers { unless_since } => {
                if let Event::Heard { location, .. } = event {
                    self.check_now(place, unless_since, Some(location), now);
                }
            }
            Effect::CheckAgain { .. } if !self.is_checked_here(place, event) => {}
            Effect::CheckAgain { after } => {
                let ended = match event {
                    Event::Checked(check) | Event::Heard { check, .. } => {
                        check.at.plus(check.timings.total.as_duration())
                    }
                    // As after a restart: what it knows now is as old as its newest check.
                    Event::Tick
                    | Event::Order(_)
                    | Event::ParentRecovered
                    | Event::Reconfigured { .. }
                    | Event::Removed => slot.newest_ended().unwrap_or(now),
                };
                // After a clock was set back a check's time lies ahead; nobody waits for that.
                let ended = ended.min(now);
                let (monitor, at) = (slot.id, ended.plus(after));
                self.turns.push(Turn::CheckAt { monitor, at });
            }
        }
    }

    /// What the last step of a monitor asks for that is not in the configuration any more.
    pub(super) fn follow_retired(
        &mut self,
        monitor: MonitorId,
        effect: Effect,
        name: &str,
        now: Timestamp,
    ) {
        match effect {
            Effect::Window { from, to } => self.keep_window(monitor, from, to, now),
            Effect::Open(_) | Effect::Progress(_) | Effect::Close { .. } => {
                self.follow_incident(effect, name, now);
            }
            Effect::DropWaiting(incident) => {
                let (why, at) = ("removed or disabled", now);
                let deed = Deed::DropWaiting { incident, why, at };
                self.staged.deed(deed, now);
            }
            // It is gone: nobody is told, nothing is checked.
            Effect::Say { .. }
            | Effect::Raise(_)
            | Effect::Record(_)
            | Effect::StopEscalation(_)
            | Effect::CheckParents
            | Effect::AskOthers { .. }
            | Effect::CheckAgain { .. } => {}
        }
    }

    fn follow_incident(&mut self, effect: Effect, name: &str, now: Timestamp) {
        let (incident, urgent) = match effect {
            Effect::Open(incident) => {
                let why = &incident.cause.failure.detail;
                tracing::warn!(target: targets::STATE, monitor = name, state = "down", "{name} is down: {why}");
                (incident, true)
            }
            Effect::Progress(incident) => (incident, false),
            Effect::Close { incident, ending } => {
                match ending {
                    Ending::Recovered => {
                        tracing::info!(target: targets::STATE, monitor = name, state = "up", "{name} is up again");
                    }
                    Ending::Paused => {
                        tracing::info!(target: targets::STATE, monitor = name, state = "paused", "{name} was paused while down");
                    }
                    Ending::Removed => {
                        tracing::info!(target: targets::STATE, monitor = name, state = "removed", "{name} left the configuration while down");
                    }
                }
                (incident, true)
            }
            Effect::Say { .. }
            | Effect::Raise(_)
            | Effect::DropWaiting(_)
            | Effect::StopEscalation(_)
            | Effect::Window { .. }
            | Effect::Record(_)
            | Effect::CheckParents
            | Effect::AskOthers { .. }
            | Effect::CheckAgain { .. } => return,
        };
        self.staged.deed(Deed::Incident(incident), now);
        self.staged.urgent |= urgent;
    }

    /// News without what the configuration does not want mailed.
    fn fit(&self, mut news: News) -> News {
        let excerpts = self.config.email.as_ref();
        if excerpts.is_some_and(|email| !email.body_excerpt)
            && let News::Down { check, .. }
            | News::StillDown { check, .. }
            | News::Escalated { check, .. } = &mut news
        {
            check.excerpt = None;
        }
        news
    }
}
