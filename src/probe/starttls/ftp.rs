//! FTP (RFC 4217 section 4): greeting, AUTH TLS.

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::{Dialogue, UpgradeFault};
use super::replies::{Lines, reply};

pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
) -> Result<(), UpgradeFault> {
    let mut greeting = reply(dialogue, Lines::Free).await?;
    // "Service ready in nnn minutes" goes before the greeting itself (RFC 959 section 5.4).
    while greeting.code / 100 == 1 {
        greeting = reply(dialogue, Lines::Free).await?;
    }
    if !greeting.is_positive() {
        return Err(dialogue.unwelcome(&greeting.text()));
    }
    dialogue.command("AUTH TLS\r\n").await?;
    let answer = reply(dialogue, Lines::Free).await?;
    match answer.is_positive() {
        true => Ok(()),
        false => Err(dialogue.refused(&answer.text())),
    }
}
