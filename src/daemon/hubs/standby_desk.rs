//! What a hub answers that follows: who leads. Orders are given there.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::follower::Board;
use super::gate::Shut;
use crate::blocking;
use crate::clock;
use crate::config::{self, Config, Environment};
use crate::control::{Answer, DaemonStatus, Request};
use crate::daemon::control::socket::{Handler, Peer};
use crate::daemon::lifecycle::Start;
use crate::daemon::logging;
use crate::daemon::logging::targets;
use crate::domain::timestamp::Timestamp;

/// Answers.
pub(super) struct StandbyDesk {
    file: PathBuf,
    environment: Environment,
    config: Arc<Mutex<Config>>,
    board: Board,
    started_at: Timestamp,
    started: tokio::time::Instant,
}

impl StandbyDesk {
    pub(super) fn new(start: &Start, config: Arc<Mutex<Config>>, board: Board) -> Self {
        Self {
            file: start.file.clone(),
            environment: start.environment.clone(),
            config,
            board,
            started_at: clock::now(),
            started: clock::tick(),
        }
    }

    fn status(&self) -> DaemonStatus {
        let shown = self
            .board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        DaemonStatus {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            up_s: Some(clock::tick().duration_since(self.started).as_secs()),
            config: self.file.clone(),
            database: config.daemon.database.clone(),
            files: None,
            configured_at: self.started_at,
            monitors: 0,
            in_flight: 0,
            checks: 0,
            missed: 0,
            on_time: true,
            mails_waiting: 0,
            mails_for_hours: 0,
            mails: config.has_way_out(),
            mail_pause: None,
            mail_rests: Vec::new(),
            blind: None,
            log_lines_lost: logging::lost(),
            lease: Some(match shown.leader.as_str() {
                "" => Shut::Silent.to_string(),
                leader => format!("{leader} leads"),
            }),
            heartbeat: None,
            notes: vec![format!("this hub {}", shown.line)],
            troubles: shown.trouble.into_iter().collect(),
            line: shown.line,
        }
    }
}

impl Handler for StandbyDesk {
    async fn answer(&self, request: Request, _: Peer) -> Answer {
        match request {
            Request::Status => Answer::Daemon(Box::new(self.status())),
            Request::Reload { .. } => {
                read_again(self.file.clone(), self.environment.clone(), &self.config).await
            }
            other => {
                let shown = self.board.lock().unwrap_or_else(PoisonError::into_inner);
                let word = other.word();
                let line = match shown.leader.as_str() {
                    "" => format!("this hub follows and leads nothing: `{word}` is not for it"),
                    leader => {
                        format!("{leader} leads: give it `{word}` there; this hub follows it")
                    }
                };
                Answer::Refused { lines: vec![line] }
            }
        }
    }

    fn command_ended(&self, _: u64) {}

    fn connection_lost(&self, _: u64) {}
}

/// Reads the configuration again: it is in force when this hub leads.
pub(super) async fn reload(start: &Start, config: &Mutex<Config>) {
    let answer = read_again(start.file.clone(), start.environment.clone(), config).await;
    let (Answer::Done { lines } | Answer::Failed { lines } | Answer::Refused { lines }) = answer
    else {
        return;
    };
    for line in lines {
        tracing::info!(target: targets::RELOAD, "reload: {line}");
    }
}

async fn read_again(file: PathBuf, environment: Environment, config: &Mutex<Config>) -> Answer {
    let read = blocking::run(move || config::load_again(&file, &environment)).await;
    match read {
        Ok(Ok(mut new)) => {
            let mut config = config.lock().unwrap_or_else(PoisonError::into_inner);
            // These take effect at the next start.
            new.daemon.database.clone_from(&config.daemon.database);
            new.daemon
                .control_socket
                .clone_from(&config.daemon.control_socket);
            new.cluster.clone_from(&config.cluster);
            *config = new;
            Answer::Done {
                lines: vec!["read; it is in force when this hub leads".to_owned()],
            }
        }
        Ok(Err(errors)) => Answer::Refused {
            lines: format!("{errors}; nothing was changed")
                .lines()
                .map(str::to_owned)
                .collect(),
        },
        Err(why) => Answer::Failed {
            lines: vec![format!("the configuration could not be read: {why}")],
        },
    }
}
