//! Orders about incidents: how they count, and notes. Nothing of a monitor's state follows from them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::requests::RECORDED_WITHIN;
use crate::clock;
use crate::control::Answer;
use crate::daemon::active::Running;
use crate::daemon::recorder::message::{Entry, Reply, WriteWork};
use crate::domain::amendment::{Amendment, CountsAs, IncidentNote};
use crate::domain::duration_text::Written;
use crate::domain::incident::IncidentKey;
use crate::domain::order::{By, GivenOrder, OrderArgs, OrderWord};
use crate::domain::safe_text;
use crate::store::error::StoreError;
use crate::store::facts::amendments::{Kept, OF_ONE_MAX, Sought};
use crate::store::transaction::Batch;

/// What is written of an order about an incident, and how it is told.
type Work =
    Box<dyn Fn(&mut Batch<'_>, IncidentKey, &str) -> Result<(Kept, String), StoreError> + Send>;

/// Makes an incident count otherwise.
pub(super) async fn amend(
    running: &Running,
    incident: String,
    counts_as: &str,
    note: Option<&str>,
    by: By,
) -> Answer {
    let Some(counts_as) = CountsAs::parse(counts_as) else {
        let line = "an incident counts as maintenance, false-alarm or real";
        return refused(line.to_owned());
    };
    let amendment = Amendment {
        counts_as,
        at: clock::now(),
        by: by.clone(),
        note: note.map(str::to_owned),
        undone: None,
    };
    let args = OrderArgs {
        counts_as: Some(counts_as.as_str().to_owned()),
        note: amendment.note.clone(),
        ..OrderArgs::default()
    };
    let order = order(by, OrderWord::Amend, args);
    let work: Work = Box::new(move |batch, key, name| {
        let told = match counts_as {
            CountsAs::Maintenance => "counts as maintenance",
            CountsAs::FalseAlarm => "counts as up: a false alarm",
            CountsAs::Real => "counts as an outage",
        };
        Ok((
            batch.amend(key, &amendment)?,
            format!("incident {key} of {name} {told}"),
        ))
    });
    write(running, incident, order, work).await
}

/// Takes the amendment of an incident back that is in force.
pub(super) async fn undo(running: &Running, incident: String, by: By) -> Answer {
    let args = OrderArgs {
        undo: true,
        ..OrderArgs::default()
    };
    let order = order(by.clone(), OrderWord::Amend, args);
    let now = clock::now();
    let work: Work = Box::new(move |batch, key, name| {
        let kept = batch.undo_amendment(key, &by, now)?;
        Ok((
            kept,
            format!("the last amendment of incident {key} of {name} is taken back"),
        ))
    });
    write(running, incident, order, work).await
}

/// Notes something of an incident.
pub(super) async fn note(
    running: &Running,
    incident: String,
    text: String,
    public: bool,
    by: By,
) -> Answer {
    let args = OrderArgs {
        note: Some(text.clone()),
        public,
        ..OrderArgs::default()
    };
    let order = order(by.clone(), OrderWord::Note, args);
    let at = clock::now();
    let note = IncidentNote {
        at,
        by,
        text,
        public,
    };
    let work: Work = Box::new(move |batch, key, name| {
        let audience = if public {
            ", for everybody to read"
        } else {
            ""
        };
        Ok((
            batch.add_note(key, &note)?,
            format!("noted for incident {key} of {name}{audience}"),
        ))
    });
    write(running, incident, order, work).await
}

fn order(by: By, word: OrderWord, args: OrderArgs) -> GivenOrder {
    GivenOrder { by, word, args }
}

/// Finds the incident, does the work and keeps the order, all in one transaction.
async fn write(running: &Running, wanted: String, order: GivenOrder, work: Work) -> Answer {
    let outcome: Arc<Mutex<Option<Answer>>> = Arc::default();
    let known = Arc::clone(&outcome);
    let now = clock::now();
    let write: WriteWork = Box::new(move |batch| {
        let answer = match batch.seek_incident(&wanted)? {
            Sought::Found(key, name) => {
                let (kept, done) = work(batch, key, &name)?;
                match kept {
                    Kept::Followed => {
                        let mut order = order.clone();
                        order.args.incident = Some(key.to_string());
                        batch.put_order(&order, &[key.monitor], false, now)?;
                        Answer::Done { lines: vec![done] }
                    }
                    Kept::NothingToUndo => {
                        refused(format!("incident {key} of {name} is not amended"))
                    }
                    Kept::TooMany => {
                        let what = match order.word {
                            OrderWord::Note => "notes",
                            _ => "amendments",
                        };
                        refused(format!(
                            "incident {key} of {name} has {OF_ONE_MAX} {what}; no more are kept"
                        ))
                    }
                }
            }
            Sought::NoneOfMonitor => {
                let name = safe_text::line(&wanted, NAME_CHARS_MAX);
                refused(format!("no incident of `{name}` is recorded"))
            }
            Sought::Unknown => {
                let name = safe_text::line(&wanted, NAME_CHARS_MAX);
                refused(format!(
                    "no incident and no monitor `{name}`; `sitewatch incidents --json` has the ids"
                ))
            }
        };
        *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        Ok(())
    });
    let (tell, told) = oneshot::channel();
    let reply = Reply::with(move |written| {
        // Whoever asked may have hung up.
        let _ = tell.send(written);
    });
    running.door.push(Entry::WriteAndTell(write, reply));
    match timeout(RECORDED_WITHIN, told).await {
        Ok(Ok(Ok(()))) => {
            let answer = outcome
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            answer.unwrap_or_else(|| failed("the order was dropped; the log says why".to_owned()))
        }
        Ok(Ok(Err(error))) => failed(error.to_string()),
        Ok(Err(_)) => failed("the daemon is stopping".to_owned()),
        Err(_) => failed(format!(
            "the database has not taken the order within {}; it stays queued",
            Written(RECORDED_WITHIN)
        )),
    }
}

/// No monitor has a longer name.
const NAME_CHARS_MAX: usize = 200;

fn refused(line: String) -> Answer {
    Answer::Refused { lines: vec![line] }
}

fn failed(line: String) -> Answer {
    Answer::Failed { lines: vec![line] }
}
