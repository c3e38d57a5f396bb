//! LDAP (RFC 4511 section 4.14): the extended request StartTLS in BER, and its result.

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::{Dialogue, UpgradeFault, words};

/// The name of the extended request StartTLS.
const OID: &[u8; 22] = b"1.3.6.1.4.1.1466.20037";

/// A result has two short texts and sometimes referrals.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const EXTENDED_RESPONSE: u8 = 0x78;

pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
) -> Result<(), UpgradeFault> {
    let mut request = vec![SEQUENCE, 0x1d, INTEGER, 1, 1, 0x77, 0x18, 0x80, 0x16];
    request.extend(OID);
    dialogue.send(&request).await;
    let length = loop {
        match size(dialogue.come()) {
            Size::Whole(length) if dialogue.come().len() >= length => break length,
            Size::Whole(_) | Size::Unknown => dialogue.more().await?,
            Size::Foreign => return Err(dialogue.foreign(dialogue.come())),
        }
    };
    let message = dialogue.take(length);
    let Some(result) = StartTlsResult::read(&message) else {
        return Err(dialogue.foreign(&message));
    };
    if result.code == 0 && result.is_ours {
        return Ok(());
    }
    let code = format!("{}, {}", code_name(result.code), result.code);
    let said = words(result.diagnostic);
    let why = match said.is_empty() {
        true => code,
        false => format!("`{said}` ({code})"),
    };
    Err(UpgradeFault::NoTls(format!(
        "the LDAP server refuses STARTTLS: {why}"
    )))
}

/// How long the message is that begins here.
enum Size {
    Whole(usize),
    /// Its length has not come whole.
    Unknown,
    /// It is no message of LDAP, or longer than any answer to StartTLS.
    Foreign,
}

fn size(bytes: &[u8]) -> Size {
    match bytes {
        [] | [SEQUENCE] => Size::Unknown,
        [SEQUENCE, rest @ ..] => match length(rest) {
            Some((length, used)) if length <= MESSAGE_BYTES_MAX => Size::Whole(1 + used + length),
            Some(_) => Size::Foreign,
            None if is_length_begun(rest) => Size::Unknown,
            None => Size::Foreign,
        },
        _ => Size::Foreign,
    }
}

/// A definite length (X.690 section 8.1.3) and how many bytes it takes.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes {
        [short @ 0..=0x7f, ..] => Some((usize::from(*short), 1)),
        [long @ 0x81..=0x84, rest @ ..] => {
            let count = usize::from(long & 0x7f);
            let digits = rest.get(..count)?;
            let length = digits
                .iter()
                .fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
            Some((usize::try_from(length).ok()?, 1 + count))
        }
        _ => None,
    }
}

/// Whether these are the first bytes of a length that we take.
fn is_length_begun(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [long @ 0x81..=0x84, rest @ ..] => rest.len() < usize::from(long & 0x7f),
        _ => false,
    }
}

/// One value with this tag and what follows it.
fn value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    if *first != tag {
        return None;
    }
    let (length, used) = length(rest)?;
    rest.get(used..)?.split_at_checked(length)
}

/// What a server said to StartTLS.
struct StartTlsResult<'a> {
    code: u8,
    /// Whether it answers our message. A server that shuts down sends a notice with the number 0.
    is_ours: bool,
    diagnostic: &'a [u8],
}

impl<'a> StartTlsResult<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let (body, _) = value(message, SEQUENCE)?;
        let (id, body) = value(body, INTEGER)?;
        let (answer, _) = value(body, EXTENDED_RESPONSE)?;
        let (code, answer) = value(answer, ENUMERATED)?;
        let (_, answer) = value(answer, OCTET_STRING)?;
        let (diagnostic, _) = value(answer, OCTET_STRING)?;
        let [code] = code else { return None };
        Some(Self {
            code: *code,
            is_ours: id == [1],
            diagnostic,
        })
    }
}

/// The name of a result code (RFC 4511 section 4.1.9) that an answer to StartTLS may have.
const fn code_name(code: u8) -> &'static str {
    match code {
        0 => "success",
        1 => "operationsError",
        2 => "protocolError",
        8 => "strongerAuthRequired",
        10 => "referral",
        13 => "confidentialityRequired",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        80 => "other",
        _ => "an error",
    }
}
