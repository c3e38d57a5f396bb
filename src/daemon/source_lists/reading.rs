//! One reading of a list, on a thread of its own: asking for it, reading it and comparing it cost the checks nothing.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::mark::Mark;
use super::shelf::Shelf;
use crate::blocking;
use crate::config::Config;
use crate::config::source_lists::entry::InForce;
use crate::config::source_lists::model::{ListPlace, ListSource};
use crate::config::source_lists::read::{LIST_BYTES_MAX, List, NotAList, bytes_of, read};
use crate::domain::duration_text::Written;
use crate::policy::schedule::source_lists::{Wrong, is_too_short};
use crate::probe::{ListAnswer, ListFault, ListRequest, Prober, Validators};

/// A panel that needs longer for 100 000 lines is down.
const FETCH_WITHIN: Duration = Duration::from_secs(30);

/// A file system that hangs this long gives no list; longer than a fetch takes.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// What is to be read.
#[derive(Clone)]
pub struct Order {
    /// The list.
    pub source: Arc<ListSource>,
    /// Who asks for it.
    pub prober: Arc<Prober>,
    /// What is in force.
    pub config: Arc<Config>,
    /// What was read last.
    pub mark: Mark,
    /// How many entries the list in force has.
    pub entries: usize,
    /// Whether a list that is too short is taken all the same.
    pub accept: bool,
}

/// What came of a reading.
pub enum Reading {
    /// It is the list that is in force.
    Same(Mark),
    /// A list that may be another.
    List(List, Mark),
    /// It is refused: what is wrong, and a sentence that begins with "it".
    Refused(Wrong, String),
}

/// Reads a list; says `None` if that is no fault of the list: the machine gave no thread.
pub async fn reading(lists: &Shelf, order: Order) -> Option<Reading> {
    let claim = match order.source.place {
        ListPlace::Url { .. } => None,
        ListPlace::File(_) => match lists.claim(&order.source.key).await {
            Some(claim) => Some(claim),
            None => {
                let why = "its file system does not answer".to_owned();
                return Some(Reading::Refused(Wrong::Missing, why));
            }
        },
    };
    let read = blocking::run(move || {
        let _claim = claim;
        take(&order)
    });
    match tokio::time::timeout(READ_WITHIN, read).await {
        Ok(Ok(Ok(reading))) => Some(reading),
        Ok(Ok(Err(error)) | Err(error)) => {
            tracing::warn!("a list cannot be read: {error}");
            None
        }
        Err(_) => {
            let why = format!("it was not read within {}", Written(READ_WITHIN));
            Some(Reading::Refused(Wrong::Missing, why))
        }
    }
}

/// # Errors
/// When the system gives no runtime.
fn take(order: &Order) -> io::Result<Reading> {
    let (bytes, validators) = match bytes(order)? {
        Ok(Some(came)) => came,
        Ok(None) => return Ok(Reading::Same(order.mark.clone())),
        Err((wrong, why)) => return Ok(Reading::Refused(wrong, why)),
    };
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let digest = Some(hasher.finish());
    let mark = Mark { validators, digest };
    if digest == order.mark.digest {
        return Ok(Reading::Same(mark));
    }
    let index = order.config.list_of(&order.source.key);
    let in_force = index.map_or_else(InForce::default, |index| order.config.in_force(index));
    let keep = order.source.keep_at_least;
    let list = match read(&bytes, in_force) {
        Ok(list) => list,
        Err(NotAList::Empty) if order.accept => List::default(),
        Err(why) => return Ok(Reading::Refused(wrong(&why), why.to_string())),
    };
    let (before, now) = (order.entries, list.entries.len());
    if is_too_short(before, now, keep) && !order.accept {
        let why = format!(
            "it has {now} of the {before} entries in force, and keep_at_least asks for {keep}%; \
             `sitewatch reload --accept-lists` takes it all the same"
        );
        return Ok(Reading::Refused(Wrong::Short, why));
    }
    Ok(Reading::List(list, mark))
}

const fn wrong(why: &NotAList) -> Wrong {
    match why {
        NotAList::Empty => Wrong::Short,
        NotAList::TooLong | NotAList::TooLarge => Wrong::TooLarge,
        NotAList::Page
        | NotAList::NotUtf8
        | NotAList::Json(_)
        | NotAList::NoUrl(_)
        | NotAList::Cut(_) => Wrong::NotAList,
    }
}

type Came = Result<Option<(Vec<u8>, Validators)>, (Wrong, String)>;

/// The bytes of a list; `None` if the server says that they are the same.
fn bytes(order: &Order) -> io::Result<Came> {
    let (url, token, masks) = match &order.source.place {
        ListPlace::File(path) => return Ok(of_file(path)),
        ListPlace::Url { url, token, masks } => (url, token, masks),
    };
    let request = ListRequest {
        url,
        token: token.as_ref(),
        validators: &order.mark.validators,
        bytes_max: LIST_BYTES_MAX,
        within: FETCH_WITHIN,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let came = match runtime.block_on(order.prober.fetch(&request)) {
        Ok(ListAnswer::Unchanged) => Ok(None),
        Ok(ListAnswer::Body { bytes, validators }) => Ok(Some((bytes, validators))),
        Err(ListFault::Unreachable(why)) => Err((Wrong::Missing, why)),
        Err(ListFault::Cut(why)) => Err((Wrong::NotAList, why)),
        Err(ListFault::TooLarge) => Err((Wrong::TooLarge, NotAList::TooLarge.to_string())),
    };
    runtime.shutdown_background();
    Ok(came.map_err(|(wrong, why)| (wrong, masks.apply(&why).into_owned())))
}

fn of_file(path: &Path) -> Came {
    match bytes_of(path, LIST_BYTES_MAX) {
        Ok(bytes) => Ok(Some((bytes, Validators::default()))),
        Err(why) if why.starts_with("it is larger") => {
            Err((Wrong::TooLarge, NotAList::TooLarge.to_string()))
        }
        Err(why) => Err((Wrong::Missing, why)),
    }
}

/// How a file looks from outside, to see that it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look(Option<(u64, u64, u64, i64, i64)>);

impl Look {
    /// A look at a file; `None` if the file system hangs or the machine gives no thread.
    pub async fn at(lists: &Shelf, key: &Arc<str>, path: &Path) -> Option<Self> {
        let claim = lists.claim(key).await?;
        let path = path.to_owned();
        let look = blocking::run(move || {
            let _claim = claim;
            let found = path.metadata().ok();
            Self(found.map(|found| {
                (
                    found.dev(),
                    found.ino(),
                    found.size(),
                    found.mtime(),
                    found.mtime_nsec(),
                )
            }))
        });
        tokio::time::timeout(READ_WITHIN, look).await.ok()?.ok()
    }
}
