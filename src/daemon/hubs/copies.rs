//! A copy of the leader's database on its way to the other hub, in pieces.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ring::digest::{Context, SHA256};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::blocking;
use crate::clock;
use crate::domain::hub_copy::HubCopy;
use crate::link::error::LinkError;
use crate::link::ways::LogWay;
use crate::own_files;
use crate::store::reader::Reader;
use crate::wire::hub_log::{self, CopyAsked, CopyHead, CopyTold, PIECE_BYTES};

/// A copy that nobody asks for any more is removed.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// While a copy is made the other hub asks again after this.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// No database of a hub is larger.
const SIZE_MAX: u64 = 1 << 40;

/// What beside the database holds a copy on its way.
fn beside(database: &Path) -> PathBuf {
    own_files::beside(database, ".copy")
}

/// The copy that is given away.
#[derive(Debug)]
pub(super) struct Copies {
    path: PathBuf,
    making: Option<(u64, JoinHandle<Result<CopyHead, String>>)>,
    made: Option<(u64, Result<CopyHead, String>, Instant)>,
}

impl Copies {
    pub(super) fn beside(database: &Path) -> Self {
        Self {
            path: beside(database),
            making: None,
            made: None,
        }
    }

    /// The answer to a question: a piece, or that it is being made.
    pub(super) async fn answer(
        &mut self,
        asked: &CopyAsked,
        leads: &HubCopy,
        database: &Path,
    ) -> Vec<u8> {
        let (told, piece) = self.told(asked, leads, database).await;
        hub_log::write(&told, &piece)
    }

    async fn told(
        &mut self,
        asked: &CopyAsked,
        leads: &HubCopy,
        database: &Path,
    ) -> (CopyTold, Vec<u8>) {
        if let Some((id, making)) = &mut self.making {
            let id = *id;
            if !making.is_finished() {
                return (CopyTold::Making, Vec::new());
            }
            let made = match making.await {
                Ok(made) => made,
                Err(_) => Err("a fault of sitewatch".to_owned()),
            };
            self.making = None;
            self.made = Some((id, made, clock::tick()));
        }
        match &mut self.made {
            Some((id, made, used_at)) if *id == asked.id => {
                *used_at = clock::tick();
                match made.clone() {
                    Err(why) => (CopyTold::Failed(why), Vec::new()),
                    Ok(head) => self.piece(head, asked.offset).await,
                }
            }
            // Another hub takes it just now.
            Some((_, Ok(_), used_at))
                if clock::tick().duration_since(*used_at) < ASK_AGAIN * 10 =>
            {
                (CopyTold::Making, Vec::new())
            }
            _ => {
                self.make(asked.id, *leads, database.to_owned());
                (CopyTold::Making, Vec::new())
            }
        }
    }

    fn make(&mut self, id: u64, leads: HubCopy, database: PathBuf) {
        let path = self.path.clone();
        self.made = None;
        let making = tokio::spawn(async move {
            let made = blocking::run(move || make(&path, &leads, &database));
            match made.await {
                Ok(made) => made,
                Err(why) => Err(why.to_string()),
            }
        });
        self.making = Some((id, making));
    }

    async fn piece(&self, head: CopyHead, offset: u64) -> (CopyTold, Vec<u8>) {
        let path = self.path.clone();
        let left = head.size.saturating_sub(offset).min(PIECE_BYTES as u64);
        let read = blocking::run(move || {
            let mut piece = vec![0; usize::try_from(left).unwrap_or(0)];
            File::open(&path)?.read_exact_at(&mut piece, offset)?;
            Ok::<_, io::Error>(piece)
        });
        match read.await {
            Ok(Ok(piece)) => (CopyTold::Piece(head), piece),
            Ok(Err(why)) | Err(why) => (CopyTold::Failed(why.to_string()), Vec::new()),
        }
    }

    /// Removes a copy that nobody wants any more.
    pub(super) fn tidy(&mut self) {
        if let Some((_, _, used_at)) = &self.made
            && clock::tick().duration_since(*used_at) >= KEPT_FOR
        {
            self.made = None;
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        if self.made.is_some() || self.making.is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn make(path: &Path, leads: &HubCopy, database: &Path) -> Result<CopyHead, String> {
    let words = |why: &dyn std::fmt::Display| why.to_string();
    // One that a killed process left.
    let _ = std::fs::remove_file(path);
    let reader = Reader::open(database).map_err(|why| words(&why))?;
    reader.backup(path).map_err(|why| words(&why))?;
    let (size, sha256) = digest(path).map_err(|why| words(&why))?;
    Ok(CopyHead {
        size,
        sha256,
        format: Reader::newest_format(),
        number: leads.number,
        term: leads.term,
        boot: leads.boot,
    })
}

fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut digest = Context::new(&SHA256);
    let mut bytes = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let count = file.read(&mut bytes)?;
        if count == 0 {
            break;
        }
        size += count as u64;
        digest.update(bytes.get(..count).unwrap_or_default());
    }
    let digest = digest.finish();
    let text: Vec<String> = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok((size, text.concat()))
}

/// Takes a copy of the leader's database: what it is, and the file that has it.
///
/// # Errors
/// Nobody answers, or what comes is no copy; in words where the leader says why.
pub(super) async fn take(
    way: &impl LogWay,
    (id, host): (u64, &str),
    database: &Path,
) -> Result<(CopyHead, PathBuf), TakeError> {
    let path = beside(database);
    let _ = std::fs::remove_file(&path);
    let mut file = own_files::create_new(&path)?;
    let mut taken: Option<CopyHead> = None;
    let mut offset = 0;
    loop {
        let asked = CopyAsked {
            id,
            offset,
            host: host.to_owned(),
        };
        let answer = way.ask_copy(&asked).await?;
        let odd = TakeError::Link(LinkError::Odd("a copy of a database"));
        let Ok((told, piece)) = hub_log::read_copy(&answer) else {
            return Err(odd);
        };
        let head = match told {
            CopyTold::Making => {
                tokio::time::sleep(ASK_AGAIN).await;
                continue;
            }
            CopyTold::Failed(why) => return Err(TakeError::Refused(why)),
            CopyTold::Piece(head) => head,
        };
        if head.format != Reader::newest_format() {
            return Err(TakeError::Version);
        }
        let is_same = taken.as_ref().is_none_or(|before| *before == head);
        if !is_same || head.size > SIZE_MAX || piece.is_empty() {
            return Err(odd);
        }
        file.write_all(piece)?;
        offset += piece.len() as u64;
        if offset >= head.size {
            file.sync_all()?;
            let (size, sha256) = digest(&path)?;
            return match size == head.size && sha256 == head.sha256 {
                true => Ok((head, path)),
                false => Err(odd),
            };
        }
        taken = Some(head);
    }
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakeError {
    #[error("{0}")]
    Link(#[from] LinkError),
    #[error("the hub that leads cannot make one: {0}")]
    Refused(String),
    #[error("the hub that leads runs another version of sitewatch; update both")]
    Version,
    #[error("{0}")]
    File(#[from] io::Error),
}
