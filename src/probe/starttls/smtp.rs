//! SMTP (RFC 3207): greeting, EHLO, STARTTLS.

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::{Dialogue, UpgradeFault, words};
use super::replies::{Lines, reply};

pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
) -> Result<(), UpgradeFault> {
    let greeting = reply(dialogue, Lines::Coded).await?;
    if !greeting.is_positive() {
        return Err(dialogue.unwelcome(&greeting.text()));
    }
    dialogue
        .command(&format!("EHLO {}\r\n", own_name()))
        .await?;
    let hello = reply(dialogue, Lines::Coded).await?;
    if !hello.is_positive() {
        return Err(UpgradeFault::NoTls(format!(
            "the SMTP server answers EHLO with an error: `{}`",
            words(hello.text().as_bytes())
        )));
    }
    let offers = |line: &String| line.trim().eq_ignore_ascii_case("STARTTLS");
    if !hello.lines.iter().skip(1).any(offers) {
        return Err(UpgradeFault::NoTls(format!(
            "the SMTP server does not offer STARTTLS; its answer to EHLO: `{}`",
            words(hello.text().as_bytes())
        )));
    }
    dialogue.command("STARTTLS\r\n").await?;
    let answer = reply(dialogue, Lines::Coded).await?;
    match answer.is_positive() {
        true => Ok(()),
        false => Err(dialogue.refused(&answer.text())),
    }
}

/// What we call ourselves: the name of this host where it is a whole one, else an address literal (RFC 5321
/// section 4.1.4).
pub(super) fn own_name() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    let is_whole = name.contains('.')
        && name.len() <= 253
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    match is_whole {
        true => name.into_owned(),
        false => "[127.0.0.1]".to_owned(),
    }
}
