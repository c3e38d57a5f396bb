//! A hub before it leads: it finds out whether another one does, follows that, and returns once it leads itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::follower::{Board, Follower};
use super::standby_desk::{StandbyDesk, reload};
use crate::blocking;
use crate::clock;
use crate::config::Config;
use crate::daemon::control::socket::ControlSocket;
use crate::daemon::lifecycle::{Ending, Start};
use crate::daemon::notifier::run::host;
use crate::daemon::opening::OPENING;
use crate::daemon::process::malloc_trim;
use crate::daemon::process::parent_pipe::Leash;
use crate::daemon::process::patience::{Waited, patiently};
use crate::daemon::process::signals::{Signals, Told};
use crate::daemon::run_error::RunError;
use crate::domain::cluster::{ClusterSettings, HubSettings};
use crate::domain::hub_copy::HubCopy;
use crate::service;
use crate::store::writer::Store;

/// A hub that never had another one beside it does not wait longer for a NATS server: nobody can have taken over.
const ALONE_WITHIN: Duration = Duration::from_secs(3);
/// How often it looks after itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// By what a hub leads.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What its copy of the database is.
    pub copy: HubCopy,
    /// Whether the log has it. A hub that is alone begins without.
    pub is_written: bool,
    /// The process that led this database before, where the log does not have it.
    pub former: Option<u64>,
}

/// What became of a hub that did not lead.
#[derive(Debug)]
pub enum Elected {
    /// It leads, by this configuration.
    Leads(Box<Config>, Claim),
    /// It was told to stop.
    Ended(Ending),
}

/// A number that no other process has.
pub(super) fn random() -> u64 {
    use ring::rand::{SecureRandom as _, SystemRandom};
    let mut bytes = [0; 8];
    // Without random numbers two processes are told apart by when they began.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        return clock::now().as_ms().cast_unsigned() >> 1;
    }
    // SQLite's numbers have a sign.
    u64::from_le_bytes(bytes) >> 1
}

/// Runs until this hub leads, or is told to stop. One that `was_overtaken` does not begin without a server.
///
/// # Errors
/// What the machine refused.
pub fn run(
    start: &Start,
    (cluster, own): (&ClusterSettings, &HubSettings),
    was_overtaken: bool,
) -> Result<Elected, RunError> {
    malloc_trim::keep_in_bounds();
    let path = &start.config.daemon.database;
    let path = path.clone();
    let opening = move || Store::open(&path, clock::now());
    let store = match patiently(OPENING, start.is_leashed, opening)? {
        Waited::Done(store) => store?,
        Waited::Stopped(ending) => return Ok(Elected::Ended(ending)),
    };
    let copy = store.hub_copy()?;
    let is_alone = !was_overtaken
        && !own.is_standby
        && copy.is_none_or(|copy| copy.leads && !copy.is_followed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let follower = Follower::new(store, own.is_standby, host())?;
    let elected = runtime.block_on(async {
        if !is_alone {
            return live(start, cluster, follower).await;
        }
        match timeout(ALONE_WITHIN, follower.run(&cluster.server)).await {
            Ok(claim) => Ok(Elected::Leads(Box::new(start.config.clone()), claim?)),
            // The server is away, or another hub is there after all: the link finds out.
            Err(_) => Ok(Elected::Leads(
                Box::new(start.config.clone()),
                alone(copy.as_ref()),
            )),
        }
    });
    runtime.shutdown_background();
    elected
}

/// The claim of a hub that nobody follows, without a server that confirms it.
fn alone(copy: Option<&HubCopy>) -> Claim {
    Claim {
        copy: HubCopy {
            term: copy.map_or(0, |copy| copy.term),
            boot: random(),
            position: copy.map_or(0, |copy| copy.position),
            number: 0,
            leads: true,
            is_followed: false,
        },
        is_written: false,
        former: copy.map(|copy| copy.boot),
    }
}

async fn live(
    start: &Start,
    cluster: &ClusterSettings,
    follower: Follower,
) -> Result<Elected, RunError> {
    let leash = match start.is_leashed {
        true => Leash::of_standard_input()?,
        false => Leash::none(),
    };
    let mut signals = Signals::listen(leash)?;
    let socket = ControlSocket::bind(&start.config.daemon.control_socket)?;
    blocking::run(|| ()).await?;
    let board: Board = Arc::clone(&follower.board);
    let config = Arc::new(Mutex::new(start.config.clone()));
    let desk = StandbyDesk::new(start, Arc::clone(&config), Arc::clone(&board));
    let control = tokio::spawn(socket.serve(Arc::new(desk)));
    tracing::info!(
        database = %start.config.daemon.database.display(),
        "sitewatch {} started as a hub that follows", env!("CARGO_PKG_VERSION")
    );
    service::ready(&line(&board));
    let mut shown = line(&board);
    let following = follower.run(&cluster.server);
    tokio::pin!(following);
    let elected = loop {
        tokio::select! {
            led = &mut following => {
                let config = config.lock().unwrap_or_else(PoisonError::into_inner).clone();
                break Elected::Leads(Box::new(config), led?);
            }
            told = signals.next() => match told {
                Told::Stop => break Elected::Ended(Ending::Orderly),
                Told::Abandoned => break Elected::Ended(Ending::Abandoned),
                Told::Reload => {
                    service::reloading();
                    reload(start, &config).await;
                    service::ready(&line(&board));
                }
            },
            () = tokio::time::sleep(LOOK_EVERY) => {
                service::catch_up();
                service::watchdog();
                let line = line(&board);
                if line != shown {
                    service::status(&line);
                    shown = line;
                }
            }
        }
    };
    control.abort();
    let _ = control.await;
    if let Elected::Ended(_) = elected {
        service::stopping("stopping");
        tracing::info!("stopped");
    }
    Ok(elected)
}

/// The unit's status.
fn line(board: &Board) -> String {
    let shown = board.lock().unwrap_or_else(PoisonError::into_inner);
    match &shown.trouble {
        Some(trouble) if shown.line.is_empty() => trouble.clone(),
        Some(trouble) => format!("{}: {trouble}", shown.line),
        None => shown.line.clone(),
    }
}
