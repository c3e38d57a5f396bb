//! IMAP (RFC 9051 section 6.2.1): greeting, CAPABILITY, STARTTLS.

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::{Dialogue, UpgradeFault, words};

pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
) -> Result<(), UpgradeFault> {
    let greeting = dialogue.line().await?;
    let said = String::from_utf8_lossy(&greeting).into_owned();
    let upper = said.to_ascii_uppercase();
    let mut parts = upper.split_ascii_whitespace();
    match (parts.next(), parts.next()) {
        (Some("*"), Some("OK")) => {}
        (Some("*"), Some("PREAUTH")) => {
            return Err(UpgradeFault::NoTls(format!(
                "the IMAP server greets as logged in already, and then there is no STARTTLS: `{}`",
                words(&greeting)
            )));
        }
        (Some("*"), Some("BYE" | "NO" | "BAD")) => return Err(dialogue.unwelcome(&said)),
        _ => return Err(dialogue.foreign(&greeting)),
    }
    dialogue.send(b"a1 CAPABILITY\r\n").await;
    let listed = answer(dialogue, "A1").await?;
    // A server that does not say is asked all the same.
    if let Some(all) = listed.capabilities
        && !all.split_ascii_whitespace().any(|one| one == "STARTTLS")
    {
        return Err(UpgradeFault::NoTls(format!(
            "the IMAP server does not offer STARTTLS; its capabilities: `{}`",
            words(all.trim().as_bytes())
        )));
    }
    dialogue.send(b"a2 STARTTLS\r\n").await;
    let answer = answer(dialogue, "A2").await?;
    match answer.is_ok {
        true => Ok(()),
        false => Err(dialogue.refused(&answer.words)),
    }
}

struct Answer {
    is_ok: bool,
    /// The answer without its tag.
    words: String,
    /// What the server can, in upper case, where it said so.
    capabilities: Option<String>,
}

/// Reads the answer to the command with this tag. Untagged lines may come at any time.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
    tag: &str,
) -> Result<Answer, UpgradeFault> {
    let mut capabilities = None;
    loop {
        let line = dialogue.line().await?;
        let said = String::from_utf8_lossy(&line);
        let Some((first, rest)) = said.split_once(' ') else {
            return Err(dialogue.foreign(&line));
        };
        let upper = rest.to_ascii_uppercase();
        let word = upper.split_ascii_whitespace().next().unwrap_or_default();
        if first.eq_ignore_ascii_case(tag) {
            return Ok(Answer {
                is_ok: word == "OK",
                words: rest.to_owned(),
                capabilities,
            });
        }
        match (first, word) {
            ("*", "BYE") => {
                return Err(UpgradeFault::NoTls(format!(
                    "the IMAP server says goodbye: `{}`",
                    words(&line)
                )));
            }
            ("*", "CAPABILITY") => {
                capabilities = upper.strip_prefix("CAPABILITY").map(str::to_owned);
            }
            ("*", _) => {}
            _ => return Err(dialogue.foreign(&line)),
        }
    }
}
