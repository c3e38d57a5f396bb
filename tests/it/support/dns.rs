//! A name server that answers as its table says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What the server says of a name.
#[derive(Debug, Clone)]
pub enum Says {
    /// These addresses, of either family.
    Addresses(Vec<IpAddr>),
    /// These, after a while.
    Late(Duration, Vec<IpAddr>),
    /// There is no such name.
    NxDomain,
    /// RCODE 2.
    ServFail,
    /// RCODE 5.
    Refused,
    /// Bytes that are no DNS.
    Garbage,
    /// Nothing.
    Silence,
}

/// A running name server on loopback.
pub struct NameServer {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl NameServer {
    pub async fn start(table: impl Fn(&str) -> Says + Send + Sync + 'static) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port on loopback");
        let address = socket.local_addr().expect("a bound socket");
        let socket = Arc::new(socket);
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                count.fetch_add(1, Ordering::Relaxed);
                let query = buffer[..length].to_vec();
                let Some((name, family, end)) = question(&query) else {
                    continue;
                };
                let says = table(&name);
                let socket = Arc::clone(&socket);
                tokio::spawn(async move {
                    if let Says::Late(after, _) = &says {
                        sleep(*after).await;
                    }
                    if let Some(answer) = answer(&query, family, end, &says) {
                        let _ = socket.send_to(&answer, peer).await;
                    }
                });
            }
        });
        Self {
            address,
            asked,
            serving,
        }
    }

    /// Every name is 127.0.0.1.
    pub async fn loopback() -> Self {
        Self::start(|_| Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()])).await
    }

    /// How many questions came.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Name in lower case, type, and where the question ends (RFC 1035 section 4.1.2).
fn question(query: &[u8]) -> Option<(String, u16, usize)> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
    let family = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
    Some((labels.join("."), family, at + 4))
}

fn answer(query: &[u8], family: u16, end: usize, says: &Says) -> Option<Vec<u8>> {
    let none = Vec::new();
    let (code, addresses) = match says {
        Says::Addresses(all) | Says::Late(_, all) => (0, all),
        Says::NxDomain => (3, &none),
        Says::ServFail => (2, &none),
        Says::Refused => (5, &none),
        Says::Garbage => {
            // The right id and nothing that fits behind it.
            return Some(
                [
                    &query[..2],
                    &[0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xff, 0xff],
                ]
                .concat(),
            );
        }
        Says::Silence => return None,
    };
    let wanted: Vec<&IpAddr> = addresses
        .iter()
        .filter(|address| match family {
            1 => address.is_ipv4(),
            28 => address.is_ipv6(),
            _ => false,
        })
        .collect();
    let mut out = query[..2].to_vec();
    out.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::try_from(wanted.len()).ok()?,
        0,
        0,
        0,
        0,
    ]);
    out.extend(&query[12..end]);
    for address in wanted {
        out.extend([0xc0, 12]);
        out.extend(family.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        match address {
            IpAddr::V4(address) => {
                out.extend([0, 4]);
                out.extend(address.octets());
            }
            IpAddr::V6(address) => {
                out.extend([0, 16]);
                out.extend(address.octets());
            }
        }
    }
    Some(out)
}
