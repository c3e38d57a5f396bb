//! MySQL and MariaDB (their protocol's connection phase): the greeting says whether there is TLS, SSLRequest begins it.

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::{Dialogue, UpgradeFault, words};

/// A greeting has 80 to 200 bytes.
const GREETING_BYTES_MAX: usize = 4096;

/// CLIENT_PROTOCOL_41, CLIENT_SSL and CLIENT_SECURE_CONNECTION.
const CAPABILITIES: u32 = 0x0200 | 0x0800 | 0x8000;

/// CLIENT_SSL in the lower half of what a server can.
const SSL: u16 = 0x0800;

pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<'_, S>,
) -> Result<(), UpgradeFault> {
    let length = loop {
        if let [a, b, c, number, ..] = dialogue.come() {
            let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
            if *number != 0 || !(1..=GREETING_BYTES_MAX).contains(&length) {
                return Err(dialogue.foreign(dialogue.come()));
            }
            if dialogue.come().len() >= 4 + length {
                break 4 + length;
            }
        }
        dialogue.more().await?;
    };
    let packet = dialogue.take(length);
    let payload = &packet[4..];
    if let [0xff, low, high, said @ ..] = payload {
        let code = u16::from_le_bytes([*low, *high]);
        // Newer servers put the SQL state before the words.
        let said = match said {
            [b'#', _, _, _, _, _, said @ ..] => said,
            said => said,
        };
        let said = format!("{code} {}", String::from_utf8_lossy(said));
        return Err(dialogue.unwelcome(&said));
    }
    let Some((version, capabilities)) = greeting(payload) else {
        return Err(dialogue.foreign(&packet));
    };
    if capabilities & SSL == 0 {
        return Err(UpgradeFault::NoTls(format!(
            "the MySQL server does not offer TLS (it is version `{}`)",
            words(version)
        )));
    }
    // The flag was the go-ahead: the server waits for our messages.
    dialogue.is_silent_now()?;
    let mut request = vec![32, 0, 0, 1];
    request.extend(CAPABILITIES.to_le_bytes());
    request.extend([0, 0, 0, 1, 0x21]);
    request.extend([0; 23]);
    dialogue.send(&request).await;
    Ok(())
}

/// Version and capabilities of a greeting.
fn greeting(payload: &[u8]) -> Option<(&[u8], u16)> {
    let rest = payload.strip_prefix(&[10])?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    // After the version: the number of the connection (4), a salt (8) and a zero.
    let low = rest.get(end + 14..end + 16)?;
    Some((&rest[..end], u16::from_le_bytes([low[0], low[1]])))
}
