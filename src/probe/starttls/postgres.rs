//! PostgreSQL (its protocol's message flow, "SSL Session Encryption"): SSLRequest and one byte.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::dialogue::{Dialogue, UpgradeFault, words};

/// Length and code of SSLRequest.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// An error is read as far as this.
const ERROR_BYTES_MAX: usize = 2048;

/// The words of an error come with its first byte, or a moment later.
const ERROR_MAX: Duration = Duration::from_secs(1);

pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
) -> Result<(), UpgradeFault> {
    dialogue.send(&SSL_REQUEST).await;
    while dialogue.come().is_empty() {
        dialogue.more().await?;
    }
    match dialogue.come() {
        [b'S', ..] => {
            dialogue.take(1);
            Ok(())
        }
        [b'N', ..] => Err(UpgradeFault::NoTls(
            "the PostgreSQL server does not offer TLS (its answer to SSLRequest: `N`)".to_owned(),
        )),
        [b'E', ..] => {
            let reading =
                async { while !is_whole(dialogue.come()) && dialogue.more().await.is_ok() {} };
            // What has come by then is told.
            let _ = timeout(ERROR_MAX, reading).await;
            Err(UpgradeFault::NoTls(format!(
                "the PostgreSQL server answers SSLRequest with an error: `{}`",
                words(message(dialogue.come()))
            )))
        }
        foreign => Err(dialogue.foreign(foreign)),
    }
}

/// The length of an error with fields; `None` where it is text alone, as servers send it that could not start a
/// process for us.
fn length(error: &[u8]) -> Option<usize> {
    let length: [u8; 4] = error.get(1..5)?.try_into().ok()?;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    (4..ERROR_BYTES_MAX).contains(&length).then_some(1 + length)
}

fn is_whole(error: &[u8]) -> bool {
    match (error.len() >= 5, length(error)) {
        (_, _) if error.len() >= ERROR_BYTES_MAX => true,
        (false, _) => false,
        (true, Some(length)) => error.len() >= length,
        (true, None) => error.contains(&0),
    }
}

/// The message of an error: its field M, or its text.
fn message(error: &[u8]) -> &[u8] {
    match length(error) {
        Some(length) => {
            let fields = error.get(5..length.min(error.len())).unwrap_or_default();
            let mut fields = fields.split(|byte| *byte == 0);
            fields
                .find_map(|field| field.strip_prefix(b"M"))
                .unwrap_or_default()
        }
        None => error[1..]
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default(),
    }
}
