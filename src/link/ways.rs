//! What a probe and a hub need of the way between them.

use crate::domain::location::{LocationName, ProbeName};
use crate::link::error::LinkError;
use crate::wire::hub_log::CopyAsked;
use crate::wire::notes::{CheckNow, Done, Hi, ListHead, Told};

/// What a probe hears from its hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A check is wanted.
    CheckNow(CheckNow),
    /// News about lists and receipts.
    Told(Told),
}

/// The way from a probe to its hub, for as long as one connection lasts: then every call is an error.
pub trait ProbeWay: Send + Sync + 'static {
    /// Hands frames over, in order. Answers the numbers that the stream gave them once it has all, which is not yet for
    /// ever.
    ///
    /// # Errors
    /// The stream did not take one of them, or that is not known. It may have others.
    fn publish(
        &self,
        frames: Vec<Vec<u8>>,
    ) -> impl Future<Output = Result<Vec<u64>, LinkError>> + Send;

    /// What the hub has committed, if it ever has.
    ///
    /// # Errors
    /// There is no answer.
    fn done(&self) -> impl Future<Output = Result<Option<Done>, LinkError>> + Send;

    /// The newest list of monitors, if there is one.
    ///
    /// # Errors
    /// There is no answer.
    fn list(&self) -> impl Future<Output = Result<Option<ListHead>, LinkError>> + Send;

    /// A piece of the newest list, counted from 0; `None` if it is not there.
    ///
    /// # Errors
    /// There is no answer.
    fn piece(
        &self,
        index: usize,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, LinkError>> + Send;

    /// Says that we are there.
    ///
    /// # Errors
    /// The connection is gone.
    fn hi(&self, hi: &Hi) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// What the hub wants next.
    ///
    /// # Errors
    /// The connection is gone.
    fn heard(&self) -> impl Future<Output = Result<Heard, LinkError>> + Send;
}

/// A frame as it came, with what acknowledges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The probe that its subject names; `None` if that is no probe's.
    pub sender: Option<ProbeName>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its number in the stream.
    pub number: u64,
    /// What to acknowledge.
    pub token: String,
}

/// The way from the hub to its probes, for as long as one connection lasts.
pub trait HubWay: Send + Sync + 'static {
    /// The next frames, at most `max`: waits a few seconds for the first.
    ///
    /// # Errors
    /// There is no answer.
    fn fetch(&self, max: usize) -> impl Future<Output = Result<Vec<Fetched>, LinkError>> + Send;

    /// Acknowledges a frame and all before it.
    ///
    /// # Errors
    /// The connection is gone.
    fn acknowledge(&self, token: &str) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// Writes down for a probe what is committed.
    ///
    /// # Errors
    /// It is not known to be written.
    fn put_done(
        &self,
        sender: &ProbeName,
        done: &Done,
    ) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// The list that a location has now, if it has one.
    ///
    /// # Errors
    /// There is no answer.
    fn list_of(
        &self,
        location: &LocationName,
    ) -> impl Future<Output = Result<Option<ListHead>, LinkError>> + Send;

    /// Writes a list down for a location, in pieces.
    ///
    /// # Errors
    /// It is not known to be written.
    fn put_list(
        &self,
        location: &LocationName,
        head: &ListHead,
        pieces: &[&[u8]],
    ) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// Tells a location something. It may get lost.
    ///
    /// # Errors
    /// The connection is gone.
    fn tell(
        &self,
        location: &LocationName,
        told: &Told,
    ) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// Asks a location for a check. It may get lost.
    ///
    /// # Errors
    /// The connection is gone.
    fn ask(
        &self,
        location: &LocationName,
        check: &CheckNow,
    ) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// The next sign of life of a probe.
    ///
    /// # Errors
    /// The connection is gone.
    fn heard(&self) -> impl Future<Output = Result<(LocationName, Hi), LinkError>> + Send;

    /// Takes out of the stream what is acknowledged: everything up to this number.
    ///
    /// # Errors
    /// It is not known to be done.
    fn purge(&self, number: u64) -> impl Future<Output = Result<(), LinkError>> + Send;
}

/// An entry of the log of two hubs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Its number; they have no gaps.
    pub number: u64,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// The end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEnd {
    /// The number of the newest entry that was ever written; 0 for none.
    pub number: u64,
    /// That entry, unless it is gone.
    pub newest: Option<Logged>,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Appended {
    /// It has this number.
    Taken(u64),
    /// There is a newer one than the one that it should follow.
    Overtaken,
}

/// The way of a hub to the other one, for as long as one connection lasts: a log that both write, of which each entry
/// follows one that its writer names.
pub trait LogWay: Send + Sync + 'static {
    /// The end of the log.
    ///
    /// # Errors
    /// There is no answer.
    fn end(&self) -> impl Future<Output = Result<LogEnd, LinkError>> + Send;

    /// An entry; `None` if it is not there, or not any more.
    ///
    /// # Errors
    /// There is no answer.
    fn entry(&self, number: u64) -> impl Future<Output = Result<Option<Logged>, LinkError>> + Send;

    /// Writes an entry, if the newest one has the number `after`.
    ///
    /// # Errors
    /// It is not known whether it was written.
    fn append(
        &self,
        after: u64,
        entry: &[u8],
    ) -> impl Future<Output = Result<Appended, LinkError>> + Send;

    /// Asks the hub that leads for a piece of its database; its answer, if there is one.
    ///
    /// # Errors
    /// Nobody answers.
    fn ask_copy(
        &self,
        asked: &CopyAsked,
    ) -> impl Future<Output = Result<Vec<u8>, LinkError>> + Send;

    /// Tells the hub that leads that this one is there. It may get lost.
    ///
    /// # Errors
    /// The connection is gone.
    fn say_hello(&self, host: &str) -> impl Future<Output = Result<(), LinkError>> + Send;

    /// The next piece that the other hub asks for, and what its answer is given with; number 0 only says hello.
    ///
    /// # Errors
    /// The connection is gone.
    fn copy_asked(&self) -> impl Future<Output = Result<(CopyAsked, String), LinkError>> + Send;

    /// Answers what [`LogWay::copy_asked`] brought.
    ///
    /// # Errors
    /// The connection is gone.
    fn tell_copy(
        &self,
        token: &str,
        answer: &[u8],
    ) -> impl Future<Output = Result<(), LinkError>> + Send;
}
