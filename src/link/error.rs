//! What can go wrong on the way.

/// Why something did not get through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// There is no connection to be had.
    #[error("cannot reach the NATS server: {0}")]
    Unreachable(String),
    /// The server does not take us as we are.
    #[error("the NATS server refuses us: {0}")]
    Refused(String),
    /// The connection broke.
    #[error("the connection to the NATS server broke: {0}")]
    Broken(String),
    /// There was no answer in time.
    #[error("the NATS server did not answer in time")]
    Timeout,
    /// Nobody serves what was asked for.
    #[error("the NATS server has no JetStream, or it is not ready, or this user may not use it")]
    NoService,
    /// JetStream says no.
    #[error("JetStream refuses: {description} ({code})")]
    Api {
        /// Its number of the error.
        code: u32,
        /// Its words, one line.
        description: String,
    },
    /// The server said something that is not in its protocol.
    #[error("the NATS server said something odd: {0}")]
    Odd(&'static str),
}
