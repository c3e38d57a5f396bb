//! POP3 (RFC 2595 section 4): greeting, STLS.

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::{Dialogue, UpgradeFault};

pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
) -> Result<(), UpgradeFault> {
    let greeting = dialogue.line().await?;
    match is_ok(&greeting) {
        Some(true) => {}
        Some(false) => return Err(dialogue.unwelcome(&String::from_utf8_lossy(&greeting))),
        None => return Err(dialogue.foreign(&greeting)),
    }
    dialogue.command("STLS\r\n").await?;
    let answer = dialogue.line().await?;
    match is_ok(&answer) {
        Some(true) => Ok(()),
        Some(false) => Err(dialogue.refused(&String::from_utf8_lossy(&answer))),
        None => Err(dialogue.foreign(&answer)),
    }
}

/// Yes or no; `None` if it is no answer of this protocol.
fn is_ok(line: &[u8]) -> Option<bool> {
    let word = line.split(|byte| *byte == b' ').next()?;
    if word.eq_ignore_ascii_case(b"+OK") {
        Some(true)
    } else if word.eq_ignore_ascii_case(b"-ERR") {
        Some(false)
    } else {
        None
    }
}
