//! The periodic report at the recorder: decided, and noted as mailed, in one transaction.

use super::engine::Recorder;
use super::staged::Deed;
use crate::domain::notification::{News, Notice};
use crate::domain::timestamp::Timestamp;
use crate::policy::availability::report_due::{self, Due};
use crate::policy::schedule::cron::Cron;
use crate::store::facts::last_report;

impl Recorder {
    /// Queues the report if one is due: at its moment, and at the start where it passed while nothing ran.
    pub(in crate::daemon) fn report(&mut self, now: Timestamp) {
        self.look_at_report(true, now);
    }

    /// Takes note of a configuration: where reports are new, periods begin; where they are gone, nothing is owed.
    pub(super) fn reports_changed(&mut self, now: Timestamp) {
        self.look_at_report(false, now);
    }

    fn look_at_report(&mut self, mail: bool, now: Timestamp) {
        let known = match last_report::reported_until(self.store.outbox()) {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "failed to read when the last report was mailed");
                return;
            }
        };
        let Some(settings) = self.config.report.clone() else {
            if known.is_some() {
                self.put_reported_until(None, now);
            }
            return;
        };
        // The configuration refuses an expression without meaning.
        let Ok(schedule) = Cron::parse(&settings.schedule.0) else {
            return;
        };
        match report_due::due(&schedule, &self.config.daemon.timezone, known, now) {
            Due::Nothing => {}
            Due::Begin(at) => self.put_reported_until(Some(at), now),
            Due::Report { from, to } if mail => {
                let notice = Notice {
                    about: None,
                    news: News::Report { from, to },
                    decided_at: now,
                };
                self.say(notice, Some(settings.to), now);
                self.put_reported_until(Some(to), now);
            }
            Due::Report { .. } => {}
        }
    }

    fn put_reported_until(&mut self, at: Option<Timestamp>, now: Timestamp) {
        let write = Deed::Write(Box::new(move |batch| {
            Ok(last_report::put_reported_until(batch.outbox(), at)?)
        }));
        self.staged.deed(write, now);
        self.staged.urgent = true;
    }
}
