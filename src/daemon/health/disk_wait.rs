//! A start on a disk that takes no writes: there is nothing to go on with, and an end would be silent. So it is told by
//! mail, past the outbox that cannot be opened, and tried again until the disk takes writes.

use std::future::ready;
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use crate::clock;
use crate::config::Config;
use crate::daemon::logging::targets;
use crate::daemon::notifier::flush_once::said;
use crate::daemon::notifier::run;
use crate::daemon::process::patience::PATIENCE;
use crate::domain::address::Address;
use crate::domain::notification::{MailKind, News, Notice, Parcel};
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::{Mail, Mailer};
use crate::policy::outbox::message_id;
use crate::policy::outbox::retry::Outcome;
use crate::service;
use crate::store::error::StoreError;
use crate::view::mail::context::Context;
use crate::view::mail::render::render;

/// The database is tried again this often.
const TRY_EVERY: Duration = Duration::from_secs(2);

/// It is told again after this.
const SAID_EVERY: Duration = Duration::from_secs(3600);

/// A mail that nobody took is tried again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// What has been told of a disk that takes no writes.
#[derive(Debug, Default)]
pub(in crate::daemon) struct DiskWait {
    began: Option<Timestamp>,
    say_at: Option<Timestamp>,
    was_mailed: bool,
}

impl DiskWait {
    /// Tells of it where that is due, and waits until the next try.
    pub(in crate::daemon) fn wait(
        &mut self,
        config: &Config,
        error: &StoreError,
    ) -> io::Result<()> {
        // To systemd this is a start that takes long: it must not end it and begin another, which would mail again.
        service::extend_timeout(PATIENCE);
        let now = clock::now();
        let is_new = self.began.is_none();
        let since = *self.began.get_or_insert(now);
        let database = config.daemon.database.display();
        let error = error.to_string();
        let error = error.split(" (os error").next().unwrap_or_default();
        let detail = format!(
            "The database {database} cannot be opened: {error}. NO SITE IS WATCHED until it can: make room on the disk, or \
             mend what the message names. sitewatch tries again every two seconds and begins by itself."
        );
        if is_new {
            tracing::error!(target: targets::TROUBLE, "{detail}");
        }
        service::status(&format!(
            "waiting for the disk: {error}; NO SITE IS WATCHED"
        ));
        // A clock that was set back must not silence it.
        if self
            .say_at
            .is_none_or(|at| at <= now || at > now.plus(SAID_EVERY))
        {
            let well = tell(config, detail, since, now)?;
            self.was_mailed |= well;
            self.say_at = Some(now.plus(if well { SAID_EVERY } else { SAY_AGAIN }));
        }
        // Signals end the process here by themselves: nothing is open that would have to be closed.
        let (_sender, nobody) = mpsc::channel::<()>();
        let _ = nobody.recv_timeout(TRY_EVERY);
        Ok(())
    }

    /// What is told when the database could be opened, if there was anything to wait for.
    pub(in crate::daemon) fn over(&self) -> Option<News> {
        let since = self.began?;
        let detail = "The database takes writes again, and sites are watched. While it did not, nothing was checked; \
                      that time counts as unknown."
            .to_owned();
        tracing::info!(target: targets::TROUBLE, "{detail}");
        self.was_mailed.then(|| News::Back {
            what: "disk".into(),
            after: clock::now().since(since),
            detail,
        })
    }
}

/// Mails it to everybody who is told of trouble. Answers whether anybody took it, or nobody is to be told.
fn tell(config: &Config, detail: String, since: Timestamp, now: Timestamp) -> io::Result<bool> {
    let told = config.told.iter();
    let to: Vec<Address> = told.filter_map(Recipient::address).cloned().collect();
    let Some(email) = config.email.as_ref().filter(|_| !to.is_empty()) else {
        return Ok(true);
    };
    let mailer = match Mailer::new(email) {
        Ok(mailer) => mailer,
        Err(error) => {
            tracing::error!("cannot set up mail: {error}");
            return Ok(false);
        }
    };
    let host = run::host();
    let parcel = Parcel {
        kind: MailKind::Trouble,
        notices: vec![Notice {
            about: None,
            news: News::Trouble {
                what: "disk".into(),
                detail,
            },
            decided_at: now,
        }],
    };
    let context = Context::bare(now, config.daemon.timezone.clone(), &host);
    let moments = [since.as_ms().to_string(), now.as_ms().to_string()];
    let mail = Mail {
        message_id: message_id::make(
            &host,
            &["disk", &moments[0], &moments[1]],
            email.from.domain(),
        ),
        thread_roots: Vec::new(),
        everybody: to.clone(),
        queued_at: now,
        date: now,
        rendered: render(&parcel, &context),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(async {
        let mut is_taken = false;
        for to in &to {
            let outcome = mailer.send(&mail, to, ready(Ok(()))).await;
            // What may have arrived is told again within the hour.
            is_taken |= matches!(outcome, Outcome::Accepted(_) | Outcome::Unknown(_));
            let mailbox = to.mailbox();
            tracing::warn!(
                to = mailbox,
                "mail trouble past the queue: {}",
                said(&outcome)
            );
        }
        is_taken
    }))
}
