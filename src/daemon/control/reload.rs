//! Puts another configuration in force without missing a check: read whole, compared, swapped.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::blocking;
use crate::clock;
use crate::config::{self, Config};
use crate::control::Answer;
use crate::daemon::active::{Force, Running, tools};
use crate::daemon::logging::targets;
use crate::daemon::process::malloc_trim;
use crate::daemon::recorder::message::{Enrolled, Entry, Reply};
use crate::daemon::source_lists::rounds;
use crate::domain::duration_text::Written;
use crate::domain::order::GivenOrder;
use crate::probe::Prober;
use crate::service;

/// The recorder enrolls 100 000 monitors in seconds; a disk that hangs this long takes no configuration.
const ENROLLED_WITHIN: Duration = Duration::from_secs(120);

/// 100 000 entries are read in seconds; a file system that hangs this long gives no configuration.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// Why the old configuration stays, and what the person is told.
struct NotSwapped {
    /// One line.
    why: String,
    answer: Answer,
}

/// Reads the file again and goes on with it, or with the old one where it is wrong. Lists are read, too;
/// `accept_lists` takes one that is shorter than `keep_at_least` allows.
/// `given` is who ordered it, if somebody did through the control socket.
pub async fn reload(
    running: &Arc<Running>,
    accept_lists: bool,
    given: Option<Box<GivenOrder>>,
) -> Answer {
    // A second reload waits and then reads what the first may have missed.
    let _turn = running.reloading.lock().await;
    service::reloading();
    let answer = match swap(running, accept_lists, given).await {
        Ok(lines) => {
            for line in &lines {
                tracing::info!(target: targets::RELOAD, "reload: {line}");
            }
            running.set_refused(None);
            Answer::Done { lines }
        }
        Err(NotSwapped { why, answer }) => {
            let force = running.force();
            let since = force.since.in_zone(&force.config.daemon.timezone);
            let line = format!(
                "Reload refused: {why}; {} sites go on with the configuration of {}",
                force.config.monitors.len(),
                since.strftime("%H:%M")
            );
            tracing::warn!(target: targets::RELOAD, "{line}");
            running.set_refused(Some(line));
            answer
        }
    };
    service::ready(&running.line(clock::now()));
    tokio::spawn(malloc_trim::give_back());
    answer
}

async fn swap(
    running: &Arc<Running>,
    accept_lists: bool,
    given: Option<Box<GivenOrder>>,
) -> Result<Vec<String>, NotSwapped> {
    let old = running.force().config;
    let (file, environment) = (running.file.clone(), running.environment.clone());
    // A hundred thousand entries take a second to read: not on the thread that checks.
    let reading = blocking::run(move || config::load_again(&file, &environment));
    let Ok(read) = timeout(READ_WITHIN, reading).await else {
        let why = format!(
            "the files of the configuration were not read within {}",
            Written(READ_WITHIN)
        );
        return Err(failed(why));
    };
    let mut new = match read {
        Ok(Ok(config)) => config,
        Ok(Err(errors)) => {
            return Err(NotSwapped {
                why: errors.first_line(),
                answer: Answer::Refused {
                    lines: format!("{errors}; nothing was changed")
                        .lines()
                        .map(str::to_owned)
                        .collect(),
                },
            });
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            return Err(failed(
                "the system gives no thread to read the configuration with".to_owned(),
            ));
        }
        Err(_) => {
            return Err(failed(
                "the configuration could not be read; this is a bug".to_owned(),
            ));
        }
    };
    if !has_same_link(&old, &new) {
        return Err(failed(
            "[cluster] has another server, credentials, role or location of its own, which needs a restart".to_owned(),
        ));
    }
    if let Some(database) = &running.database {
        new.daemon.database.clone_from(database);
    }
    let mut lists = rounds::reload(running, new, accept_lists).await;
    let mut new = lists.config.clone();
    let (before, after) = (Arc::clone(&old), new.clone());
    let diff = blocking::run(move || config::diff(&before, &after))
        .await
        .map_err(|_| {
            failed("the system gives no thread to compare the configuration with".to_owned())
        })?;
    // What waits for the next start stays as it is, for every part alike.
    new.daemon.database.clone_from(&old.daemon.database);
    new.daemon
        .control_socket
        .clone_from(&old.daemon.control_socket);
    let prober = Prober::new(&new.dns);
    let prober = prober.map_err(|error| failed(format!("cannot {error}")))?;
    let (prober, new) = (Arc::new(prober), Arc::new(new));
    let enrolled = enroll(running, Arc::clone(&new), given).await?;
    running.live.set_tools(tools(&new, &prober));
    running.notifier.reconfigure(Arc::clone(&new));
    running.set_force(Force::new(Arc::clone(&new), &enrolled, clock::now()));
    running.spread(&new, &enrolled, &prober);
    let list_warnings = std::mem::take(&mut lists.warnings);
    lists.begin(running).await;
    let mut lines: Vec<String> = if diff.is_empty() {
        vec!["nothing differs".to_owned()]
    } else {
        diff.to_string().lines().map(str::to_owned).collect()
    };
    for warning in new.warnings.iter().chain(&list_warnings) {
        lines.push(format!("warning: {warning}"));
    }
    Ok(lines)
}

/// Whether the link to other locations can stay as it is. Their names may change.
fn has_same_link(old: &Config, new: &Config) -> bool {
    let here = |config: &Config| config.places().map(|places| places.here.clone());
    let server = |config: &Config| {
        config
            .cluster
            .as_ref()
            .map(|cluster| cluster.server.clone())
    };
    server(old) == server(new) && here(old) == here(new)
}

async fn enroll(
    running: &Running,
    config: Arc<Config>,
    given: Option<Box<GivenOrder>>,
) -> Result<Enrolled, NotSwapped> {
    let (tell, told) = oneshot::channel();
    running.door.push(Entry::Reconfigure {
        config,
        given,
        reply: Reply::with(move |enrolled| {
            // Whoever asked may have hung up.
            let _ = tell.send(enrolled);
        }),
    });
    match timeout(ENROLLED_WITHIN, told).await {
        Ok(Ok(Ok(enrolled))) => Ok(enrolled),
        Ok(Ok(Err(error))) => Err(failed(error.to_string())),
        Ok(Err(_)) => Err(failed("the daemon is stopping".to_owned())),
        Err(_) => Err(failed(
            "the database does not take the configuration".to_owned(),
        )),
    }
}

fn failed(why: String) -> NotSwapped {
    let answer = Answer::Failed {
        lines: vec![why.clone()],
    };
    NotSwapped { why, answer }
}
