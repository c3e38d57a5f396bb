//! A start on a disk that takes no writes, or does not give the database: there is nothing to go on with, and an end
//! would be silent. So it is told past the outbox that cannot be opened, and tried again until the disk works. A
//! database that the disk does not give is waited for only so long, since nothing is watched meanwhile.

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::set_aside::{READ_WITHIN, put_unreadable_aside, what_cannot_be_read};
use crate::channel::Sender;
use crate::clock;
use crate::config::Config;
use crate::daemon::logging::targets;
use crate::daemon::notifier::channels::send_now;
use crate::daemon::notifier::flush_once::said;
use crate::daemon::notifier::run;
use crate::daemon::process::patience::{PATIENCE, Waited, patiently};
use crate::daemon::run_error::RunError;
use crate::domain::address::Address;
use crate::domain::channel::Channel;
use crate::domain::notification::{MailKind, News, Notice, Parcel};
use crate::domain::recipient::Recipient;
use crate::domain::timestamp::Timestamp;
use crate::mail::mailer::{Mail, Mailer};
use crate::policy::outbox::message_id;
use crate::policy::outbox::retry::Outcome;
use crate::service;
use crate::store::error::StoreError;
use crate::tls;
use crate::view::channel::{Message, request};
use crate::view::mail::context::Context;
use crate::view::mail::render::render;

/// The database is tried again this often.
const TRY_EVERY: Duration = Duration::from_secs(2);

/// It is told again after this.
const SAID_EVERY: Duration = Duration::from_secs(3600);

/// A mail that nobody took is tried again after this.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// While a server does not answer, the disk is not tried.
const SAY_WITHIN: Duration = Duration::from_secs(30);

/// What has been told of a disk that does not work.
#[derive(Debug, Default)]
pub(in crate::daemon) struct DiskWait {
    began: Option<(Timestamp, Instant)>,
    say_at: Option<Timestamp>,
    was_told: bool,
    /// When the database is looked through, if the disk still fails.
    look_at: Option<Instant>,
    /// What is told of a database that was set aside here.
    set_aside: Option<String>,
}

impl DiskWait {
    /// An attempt to open the database failed: waits until the next one is due. A database that cannot be read for
    /// [`READ_WITHIN`] is set aside instead, once.
    ///
    /// # Errors
    /// What the machine refused.
    pub(in crate::daemon) fn pass(
        &mut self,
        config: &Arc<Config>,
        error: &StoreError,
        is_leashed: bool,
    ) -> Result<Waited<()>, RunError> {
        let is_about_reads = matches!(error, StoreError::Io(_)) && self.set_aside.is_none();
        let tick = clock::tick();
        let look_at = *self.look_at.get_or_insert(tick + READ_WITHIN);
        if is_about_reads && tick >= look_at {
            self.look_at = None;
            let unreadable = match what_cannot_be_read(config, is_leashed)? {
                Waited::Done(unreadable) => unreadable,
                Waited::Stopped(ending) => return Ok(Waited::Stopped(ending)),
            };
            if let Some(why) = unreadable {
                match put_unreadable_aside(&config.daemon.database, &why) {
                    Ok(detail) => {
                        self.set_aside = Some(detail);
                        return Ok(Waited::Done(()));
                    }
                    Err(error) => tracing::error!("the database cannot be set aside: {error}"),
                }
            }
        }
        self.wait(config, error, is_leashed)
    }

    /// Tells of it where that is due, and waits until the next try.
    ///
    /// # Errors
    /// What the machine refused.
    pub(in crate::daemon) fn wait(
        &mut self,
        config: &Arc<Config>,
        error: &StoreError,
        is_leashed: bool,
    ) -> Result<Waited<()>, RunError> {
        // To systemd this is a start that takes long: it must not end it and begin another, which would tell it again.
        service::extend_timeout(PATIENCE);
        service::watchdog();
        let now = clock::now();
        let is_new = self.began.is_none();
        let (since, _) = *self.began.get_or_insert((now, clock::tick()));
        let detail = detail(config, error);
        if is_new {
            tracing::error!(target: targets::TROUBLE, "{detail}");
        }
        let status = format!("waiting for the disk: {}; NO SITE IS WATCHED", words(error));
        service::status(&status);
        // A clock that was set back must not silence it.
        let is_due = self
            .say_at
            .is_none_or(|at| at <= now || at > now.plus(SAID_EVERY));
        let config = Arc::clone(config);
        let waited = patiently(&status, is_leashed, move || {
            let told = is_due
                .then(|| tell(&config, detail, since, now))
                .transpose();
            let (_sender, nobody) = mpsc::channel::<()>();
            let _ = nobody.recv_timeout(TRY_EVERY);
            told
        })?;
        match waited {
            Waited::Done(told) => {
                if let Some(well) = told? {
                    self.was_told |= well;
                    self.say_at = Some(now.plus(if well { SAID_EVERY } else { SAY_AGAIN }));
                }
                Ok(Waited::Done(()))
            }
            Waited::Stopped(ending) => Ok(Waited::Stopped(ending)),
        }
    }

    /// One that began so long ago, and told it just now.
    #[cfg(test)]
    pub(super) fn begun(ago: Duration) -> Self {
        Self {
            began: Some((clock::now(), clock::tick() - ago)),
            say_at: Some(clock::now().plus(SAID_EVERY)),
            ..Self::default()
        }
    }

    /// As if it had been waited for long.
    #[cfg(test)]
    pub(super) fn look_now(&mut self) {
        self.look_at = Some(clock::tick());
    }

    /// How long it has been waited.
    pub(super) fn lasts(&self) -> Duration {
        self.began
            .map_or(Duration::ZERO, |(_, began)| clock::tick() - began)
    }

    /// The disk works. What is said within the hour is not said again.
    pub(in crate::daemon) fn rest(&mut self) {
        *self = Self {
            say_at: self.say_at,
            ..Self::default()
        };
    }

    /// What is told of a database that was set aside here, once.
    pub(in crate::daemon) fn take_set_aside(&mut self) -> Option<String> {
        self.set_aside.take()
    }

    /// What is told when the database could be opened, if there was anything to wait for.
    pub(in crate::daemon) fn over(&self) -> Option<News> {
        let (since, _) = self.began?;
        let detail = "The database takes writes again, and sites are watched. While it did not, nothing was checked; \
                      that time counts as unknown."
            .to_owned();
        tracing::info!(target: targets::TROUBLE, "{detail}");
        self.was_told.then(|| News::Back {
            what: "disk".into(),
            after: clock::now().since(since),
            detail,
        })
    }
}

/// What the disk says, without the number of the error.
fn words(error: &StoreError) -> String {
    let error = error.to_string();
    error
        .split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn detail(config: &Config, error: &StoreError) -> String {
    let end = match error {
        StoreError::Io(_) => format!(
            " Where the disk does not give what is in it for {} seconds, it is set aside, a new one is begun, and \
             sites are watched.",
            READ_WITHIN.as_secs()
        ),
        _ => String::new(),
    };
    format!(
        "The database {} cannot be opened: {}. NO SITE IS WATCHED until it can: make room on the disk, or mend what \
         the message names. sitewatch tries again every two seconds and begins by itself.{end}",
        config.daemon.database.display(),
        words(error)
    )
}

/// Tells everybody who is told of trouble. Answers whether anybody took it, or nobody is to be told.
fn tell(config: &Config, detail: String, since: Timestamp, now: Timestamp) -> io::Result<bool> {
    let notice = Notice {
        about: None,
        news: News::Trouble {
            what: "disk".into(),
            detail,
        },
        decided_at: now,
    };
    let mut to: Vec<Recipient> = config.told.clone();
    to.retain(|one| config.takes(one, notice.news.kind()));
    if to.is_empty() {
        return Ok(true);
    }
    let parcel = Parcel {
        kind: MailKind::Trouble,
        notices: vec![notice],
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let host = run::host();
    let id = |domain: &str| {
        let moments = [since.as_ms().to_string(), now.as_ms().to_string()];
        message_id::make(&host, &["disk", &moments[0], &moments[1]], domain)
    };
    let told = runtime.block_on(async {
        let mut is_taken = false;
        let mails = tell_by_mail(config, &parcel, &to, (&host, &id), now);
        is_taken |= timeout(SAY_WITHIN, mails).await.unwrap_or(false);
        for channel in to.iter().filter_map(Recipient::channel) {
            let Some(channel) = config.channel(channel) else {
                continue;
            };
            let id = message_id::of_channel(&id(""), channel.name.as_str());
            let message = tell_by_channel(config, channel, &parcel, (&host, &id), now);
            is_taken |= timeout(SAY_WITHIN, message).await.unwrap_or(false);
        }
        is_taken
    });
    // A name lookup that hangs must not keep it.
    runtime.shutdown_background();
    Ok(told)
}

async fn tell_by_mail(
    config: &Config,
    parcel: &Parcel,
    to: &[Recipient],
    (host, id): (&str, &impl Fn(&str) -> String),
    now: Timestamp,
) -> bool {
    let to: Vec<Address> = to.iter().filter_map(Recipient::address).cloned().collect();
    let Some(email) = config.email.as_ref().filter(|_| !to.is_empty()) else {
        return false;
    };
    let mailer = match Mailer::new(email) {
        Ok(mailer) => mailer,
        Err(error) => {
            tracing::error!("cannot set up mail: {error}");
            return false;
        }
    };
    let context = Context::bare(now, config.daemon.timezone.clone(), host);
    let mail = Mail {
        message_id: id(email.from.domain()),
        thread_roots: Vec::new(),
        everybody: to.clone(),
        queued_at: now,
        date: now,
        rendered: render(parcel, &context),
    };
    let mut is_taken = false;
    for to in &to {
        let outcome = mailer.send(&mail, to, ready(Ok(()))).await;
        is_taken |= has_left(&outcome, to.mailbox());
    }
    is_taken
}

async fn tell_by_channel(
    config: &Config,
    channel: &Channel,
    parcel: &Parcel,
    (host, id): (&str, &str),
    now: Timestamp,
) -> bool {
    let sender = match Sender::new(channel, &tls::Basis::load()) {
        Ok(sender) => sender,
        Err(error) => {
            tracing::error!("channel {}: {error}", channel.name);
            return false;
        }
    };
    let context = Context {
        page_url: config.page_url(),
        ..Context::bare(now, config.daemon.timezone.clone(), host)
    };
    let message = Message::new(parcel, &context, id);
    let request = request(channel, &message);
    let outcome = send_now(channel, &sender, &request, clock::now).await;
    has_left(&outcome, channel.name.as_str())
}

/// What may have arrived is told again within the hour.
fn has_left(outcome: &Outcome, to: &str) -> bool {
    tracing::warn!(to, "trouble told past the queue: {}", said(outcome));
    matches!(outcome, Outcome::Accepted(_) | Outcome::Unknown(_))
}
