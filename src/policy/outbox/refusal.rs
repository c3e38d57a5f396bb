//! Whether a mail server refused the recipient or us.
//!
//! Only the three digits and the enhanced code decide, never the words.

/// An enhanced status code (RFC 3463) without its class: subject and detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enhanced {
    /// 1 addressing, 2 mailbox, 3 mail system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The detail within the subject.
    pub detail: u16,
}

/// Who or what was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// This recipient or this message: trying again changes nothing.
    Recipient,
    /// Our name, our address, our rights, our rate: somebody can mend it.
    Us,
}

impl Enhanced {
    /// Reads `5.7.1` at the begin of an answer's text, whatever follows. A positive class says nothing of a refusal.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text
            .split(|byte| !byte.is_ascii_digit() && *byte != b'.')
            .next()?
            .split(|byte| *byte == b'.');
        let mut number = |digits_max: usize| {
            let part = parts.next()?;
            if part.is_empty() || part.len() > digits_max {
                return None;
            }
            std::str::from_utf8(part).ok()?.parse::<u16>().ok()
        };
        let (class, subject, detail) = (number(1)?, number(3)?, number(3)?);
        let is_refusal = matches!(class, 4 | 5) && parts.next().is_none();
        is_refusal.then_some(Self { subject, detail })
    }
}

/// Judges a 5xx answer to RCPT, to DATA or to the end of a message.
pub const fn judge(code: u16, enhanced: Option<Enhanced>) -> About {
    let is_final = match enhanced {
        Some(Enhanced { subject, detail }) => match (subject, detail) {
            (1, 7 | 8) => false,
            (1 | 2 | 6, _) | (3, 4) | (4, 1 | 4) => true,
            _ => false,
        },
        None => matches!(code, 550..=553 | 555 | 556),
    };
    if is_final {
        About::Recipient
    } else {
        About::Us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every code and every enhanced code that a registry knows, and beyond.
    #[test]
    fn the_whole_table() {
        for code in 500..=599 {
            let want = match code {
                550 | 551 | 552 | 553 | 555 | 556 => About::Recipient,
                _ => About::Us,
            };
            assert_eq!(judge(code, None), want, "{code}");
            for subject in 0..=9 {
                for detail in 0..=999 {
                    let final_details: &[u16] = match subject {
                        3 => &[4],
                        4 => &[1, 4],
                        _ => &[],
                    };
                    let is_final = match subject {
                        1 => detail != 7 && detail != 8,
                        2 | 6 => true,
                        _ => final_details.contains(&detail),
                    };
                    let enhanced = Some(Enhanced { subject, detail });
                    let about = judge(code, enhanced);
                    assert_eq!(
                        about == About::Recipient,
                        is_final,
                        "{code} x.{subject}.{detail}"
                    );
                }
            }
        }
    }

    #[test]
    fn an_enhanced_code_is_read_strictly() {
        let read = |text: &str| Enhanced::parse(text.as_bytes()).map(|e| (e.subject, e.detail));
        for (text, want) in [
            ("5.7.1 no", Some((7, 1))),
            ("5.7.1", Some((7, 1))),
            ("5.7.1: no", Some((7, 1))),
            ("5.7.139 no", Some((7, 139))),
            ("4.2.2 full", Some((2, 2))),
            ("5.1.10-x", Some((1, 10))),
            ("2.1.5 ok", None),
            ("5.7 no", None),
            ("5.7.1.1 no", None),
            ("5.7.1. no", None),
            ("55.7.1 no", None),
            ("5.7.1000 no", None),
            ("no 5.7.1", None),
            ("5..1", None),
            ("", None),
            ("\u{fffd}5.7.1", None),
        ] {
            assert_eq!(read(text), want, "{text}");
        }
    }
}
