//! A name server that answers as its table says.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What the server says of a name.
#[derive(Debug, Clone)]
pub enum Says {
    /// These addresses, of either family.
    Addresses(Vec<IpAddr>),
    /// This, after a while.
    After(Duration, Box<Says>),
    /// There is no such name.
    NxDomain,
    /// RCODE 2.
    ServFail,
    /// RCODE 5.
    Refused,
    /// Any other code.
    Code(u8),
    /// The truncation flag with these addresses.
    Cut(Vec<IpAddr>),
    /// These records, each a type and its data.
    Records(Vec<(u16, Vec<u8>)>),
    /// The name is another name's alias.
    Alias(&'static str),
    /// Names of other servers.
    Referral,
    /// Datagrams that answer another question, then this.
    Strays(usize, Box<Says>),
    /// The first half of an answer with these addresses; over TCP the length of the whole stands before it.
    Half(Vec<IpAddr>),
    /// As many records as a header can announce, and each of them a name that points to itself.
    Lies,
    /// Bytes that are no DNS.
    Garbage,
    /// Nothing.
    Silence,
}

impl Says {
    /// These addresses, after a while.
    pub fn late(after: Duration, addresses: Vec<IpAddr>) -> Self {
        Self::After(after, Box::new(Self::Addresses(addresses)))
    }
}

/// A question that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// In lower case.
    pub name: String,
    /// Whether addresses of IPv6 are wanted, else of IPv4.
    pub six: bool,
    /// The type of the records that are wanted.
    pub kind: u16,
    pub edns: bool,
    pub tcp: bool,
    /// How many like this came before, over any transport.
    pub earlier: usize,
}

/// A running name server on loopback.
pub struct NameServer {
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<Asked>>>,
    open: Arc<AtomicUsize>,
    serving: Vec<JoinHandle<()>>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        for serving in &self.serving {
            serving.abort();
        }
    }
}

type Table = dyn Fn(&Asked) -> Says + Send + Sync;

impl NameServer {
    pub async fn start(table: impl Fn(&str) -> Says + Send + Sync + 'static) -> Self {
        Self::scripted(move |asked| table(&asked.name)).await
    }

    /// Answers by all that the question has.
    pub async fn scripted(table: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Self {
        let (udp, tcp) = pair().await;
        let address = udp.local_addr().expect("a bound socket");
        let table: Arc<Table> = Arc::new(table);
        let log = Arc::new(Mutex::new(Vec::new()));
        let open = Arc::new(AtomicUsize::new(0));
        let serving = vec![
            tokio::spawn(serve_udp(
                udp,
                Arc::clone(&table),
                Arc::clone(&log),
                Arc::clone(&open),
            )),
            tokio::spawn(serve_tcp(tcp, table, Arc::clone(&log))),
        ];
        Self {
            address,
            log,
            open,
            serving,
        }
    }

    /// Every name is 127.0.0.1.
    pub async fn loopback() -> Self {
        Self::start(|_| Says::Addresses(vec![Ipv4Addr::LOCALHOST.into()])).await
    }

    /// How many questions came.
    pub fn asked(&self) -> usize {
        self.log.lock().expect("no test panics within").len()
    }

    /// The names that were asked for, in the order in which they first came.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for asked in self.log.lock().expect("no test panics within").iter() {
            if !names.contains(&asked.name) {
                names.push(asked.name.clone());
            }
        }
        names
    }

    /// All questions.
    pub fn log(&self) -> Vec<Asked> {
        self.log.lock().expect("no test panics within").clone()
    }

    /// The most ports from which questions came that had no answer at the time.
    pub fn ports(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// The same port for UDP and TCP.
async fn pair() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port on loopback");
        let address = udp.local_addr().expect("a bound socket");
        if let Ok(tcp) = TcpListener::bind(address).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

async fn serve_udp(
    socket: UdpSocket,
    table: Arc<Table>,
    log: Arc<Mutex<Vec<Asked>>>,
    open: Arc<AtomicUsize>,
) {
    let socket = Arc::new(socket);
    let mut ports = std::collections::HashSet::new();
    let mut buffer = [0; 1500];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
        let query = buffer[..length].to_vec();
        ports.insert(peer.port());
        open.fetch_max(ports.len(), Ordering::Relaxed);
        let Some((asked, end)) = noted(&query, false, &log) else {
            continue;
        };
        let mut says = table(&asked);
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            loop {
                match says {
                    Says::After(wait, then) => {
                        sleep(wait).await;
                        says = *then;
                    }
                    Says::Strays(count, then) => {
                        let mut stray = query.clone();
                        stray[0] ^= 0xff;
                        for _ in 0..count {
                            let _ = socket.send_to(&stray, peer).await;
                        }
                        says = *then;
                    }
                    _ => break,
                }
            }
            if let Some(answer) = answer(&query, asked.six, end, &says) {
                let _ = socket.send_to(&answer, peer).await;
            }
        });
    }
}

async fn serve_tcp(listener: TcpListener, table: Arc<Table>, log: Arc<Mutex<Vec<Asked>>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let (table, log) = (Arc::clone(&table), Arc::clone(&log));
        tokio::spawn(async move {
            let length = stream.read_u16().await?;
            let mut query = vec![0; usize::from(length)];
            stream.read_exact(&mut query).await?;
            let Some((asked, end)) = noted(&query, true, &log) else {
                return Ok(());
            };
            let mut says = table(&asked);
            if let Says::After(wait, then) = says {
                sleep(wait).await;
                says = *then;
            }
            if let Some(answer) = answer(&query, asked.six, end, &says) {
                let cut = match says {
                    Says::Half(_) => answer.len(),
                    _ => 0,
                };
                let length = u16::try_from(answer.len() + cut).unwrap_or(u16::MAX);
                stream.write_u16(length).await?;
                stream.write_all(&answer).await?;
            }
            std::io::Result::Ok(())
        });
    }
}

/// Reads a question and enters it in the log.
fn noted(query: &[u8], tcp: bool, log: &Mutex<Vec<Asked>>) -> Option<(Asked, usize)> {
    let (name, family, end) = question(query)?;
    let six = family == 28;
    let mut log = log.lock().expect("no test panics within");
    let like = |other: &&Asked| other.name == name && other.kind == family;
    let asked = Asked {
        earlier: log.iter().filter(like).count(),
        edns: query[11] != 0,
        name,
        six,
        kind: family,
        tcp,
    };
    log.push(asked.clone());
    Some((asked, end))
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

fn answer(query: &[u8], six: bool, end: usize, says: &Says) -> Option<Vec<u8>> {
    let none = Vec::new();
    let mut flags = [0x81, 0x80];
    let (code, addresses) = match says {
        Says::Addresses(all) => (0, all),
        Says::Cut(some) => {
            flags[0] |= 2;
            (0, some)
        }
        Says::Half(all) => {
            let whole = answer(query, six, end, &Says::Addresses(all.clone()))?;
            return Some(whole[..end + (whole.len() - end) / 2].to_vec());
        }
        Says::Lies => {
            let mut out = query[..2].to_vec();
            out.extend([0x81, 0x80, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
            out.extend(&query[12..end]);
            let next = u16::try_from(out.len()).ok()? | 0xc000;
            out.extend(next.to_be_bytes());
            out.extend([0, 1, 0, 1, 0, 0, 0, 60, 0xff, 0xff]);
            return Some(out);
        }
        Says::NxDomain => (3, &none),
        Says::ServFail => (2, &none),
        Says::Refused => (5, &none),
        Says::Code(code) => (*code, &none),
        Says::Alias(_) | Says::Records(_) => (0, &none),
        Says::Referral => {
            flags[1] = 0;
            (0, &none)
        }
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
        // Nobody strays into a connection.
        Says::Strays(_, then) => return answer(query, six, end, then),
        Says::After(..) => unreachable!("taken apart before"),
    };
    let mut records: Vec<(u16, Vec<u8>)> = Vec::new();
    for address in addresses {
        match address {
            IpAddr::V4(address) if !six => records.push((1, address.octets().to_vec())),
            IpAddr::V6(address) if six => records.push((28, address.octets().to_vec())),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
    }
    if let Says::Records(all) = says {
        records.extend(all.iter().cloned());
    }
    if let Says::Alias(target) = says {
        let mut data = Vec::new();
        for label in target.split('.') {
            data.push(u8::try_from(label.len()).ok()?);
            data.extend(label.bytes());
        }
        data.push(0);
        records.push((5, data));
    }
    let mut counts = [u16::try_from(records.len()).ok()?, 0];
    if matches!(says, Says::Referral) {
        records.push((2, vec![1, b'n', 0]));
        counts = [0, 1];
    }
    let mut out = query[..2].to_vec();
    out.extend([flags[0], flags[1] | code, 0, 1]);
    out.extend(counts[0].to_be_bytes());
    out.extend(counts[1].to_be_bytes());
    out.extend([0, 0]);
    out.extend(&query[12..end]);
    for (kind, data) in records {
        out.extend([0xc0, 12]);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        out.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        out.extend(data);
    }
    Some(out)
}
