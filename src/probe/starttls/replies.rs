//! Answers that begin with three digits, as in SMTP and FTP.

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::{Dialogue, UpgradeFault};

/// One whole answer.
pub(super) struct Reply {
    pub(super) code: u16,
    /// The text of each line without its code, whatever of it was no UTF-8 replaced.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Whether the server says yes.
    pub(super) const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// Code and text in one line.
    pub(super) fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }
}

/// What the lines between the first and the last of an answer look like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Each has the code (RFC 5321 section 4.2.1).
    Coded,
    /// They may be anything; the last has the code of the first and a blank (RFC 959 section 4.2).
    Free,
}

/// Reads one answer.
pub(super) async fn reply<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
    form: Lines,
) -> Result<Reply, UpgradeFault> {
    let first = dialogue.line().await?;
    let Some((code, mut goes_on, text)) = head(&first) else {
        return Err(dialogue.foreign(&first));
    };
    let mut lines = vec![String::from_utf8_lossy(text).into_owned()];
    while goes_on {
        let line = dialogue.line().await?;
        let text = match (head(&line), form) {
            (Some((other, more, text)), _) if other == code || form == Lines::Coded => {
                goes_on = more;
                text
            }
            (_, Lines::Free) => &line,
            (_, Lines::Coded) => return Err(dialogue.foreign(&line)),
        };
        lines.push(String::from_utf8_lossy(text).into_owned());
    }
    Ok(Reply { code, lines })
}

/// Code, whether more lines follow, and text of a line.
fn head(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !matches!(digits[0], b'1'..=b'5') {
        return None;
    }
    let code = digits
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Some((code, false, rest)),
        Some((b'-', text)) => Some((code, true, text)),
        Some((b' ' | b'\t', text)) => Some((code, false, text)),
        Some(_) => None,
    }
}
