//! One question to one name server: over UDP, over TCP where the answer is cut, without EDNS where that is not
//! understood.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::crypto::SecureRandom;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::message::{self, RecordKind, Said, WireName};
use crate::domain::name_server::NameServer;
use crate::domain::safe_text;
use crate::probe::classify::is_local;

/// A server that gives one alias at a time is asked for so many of them.
const ALIASES_MAX: usize = 8;

/// Datagrams that belong to no question of ours are passed over. After more than this somebody forges answers, or the
/// server makes work: it is asked over TCP too, which nobody else can answer, and the datagrams are read slowly.
const STRAY_MAX: usize = 64;

/// So many are read slowly. A sender of more goes on until the time is over, and the answer among them is lost.
const STRAY_IN_ALL: usize = 4096;

/// The pause between two readings then; what comes meanwhile is the system's to drop.
const STRAY_PAUSE: Duration = Duration::from_millis(5);

/// So many are read before other checks get their turn.
const STRAY_AT_ONCE: usize = 8;

/// A datagram is read up to this size, truncation flag or not: some servers send more than the 512 bytes of RFC 1035.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// How long TCP is waited for after a cut answer, or among strays. Firewalls that drop it are common, and what the cut
/// answer held, or came as a datagram, may do.
const TCP_MAX: Duration = Duration::from_secs(2);

/// Why a question has no records for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// NXDOMAIN.
    NoName,
    /// The name exists, but not with a record of the wanted type.
    NoRecord,
    /// The server answered with an error or with nonsense.
    Failed(String),
    /// Nobody is there: the system said so at once.
    Nobody(String),
    /// No answer.
    Silent,
    /// This host cannot ask.
    Local(String),
}

/// How a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) edns: bool,
    pub(super) tcp: bool,
}

/// Asks until there is an answer. The caller decides when to stop, and `again` says when to repeat the datagram.
pub(super) async fn ask<W: RecordKind>(
    server: NameServer,
    name: WireName,
    wanted: W,
    way: Way,
    again: Arc<Notify>,
) -> Result<Vec<W::Record>, Trouble> {
    let peer = peer(&server)?;
    let mut name = name;
    for aliases in 0..=ALIASES_MAX {
        let mut said = once(peer, &name, wanted, way, &again).await;
        let may_be_about_edns = match &said {
            Ok(Said::Code(_) | Said::Malformed) | Err(Trouble::Failed(_)) => way.edns,
            Ok(_) | Err(_) => false,
        };
        if may_be_about_edns {
            // RFC 6891 section 7, and servers older than it.
            let without = Way { edns: false, ..way };
            said = once(peer, &name, wanted, without, &again).await;
        }
        let failed = |what: &str| Err(Trouble::Failed(what.to_owned()));
        return match said? {
            Said::Records(all) => Ok(all),
            Said::Alias(target) => {
                name = target;
                continue;
            }
            Said::NoName => Err(Trouble::NoName),
            Said::NoRecord => Err(Trouble::NoRecord),
            // It has answered: the alias leads to a zone that it has nothing to say about.
            Said::Code(message::REFUSED) | Said::Referral if aliases > 0 && !W::PARTS_WILL_DO => {
                Err(Trouble::NoRecord)
            }
            Said::Code(code) => Err(Trouble::Failed(message::code_name(code))),
            Said::Malformed | Said::NotOurs => failed("an answer that is not DNS"),
            Said::Truncated(_) => failed("an answer that is cut short, also over TCP"),
            Said::Circle => failed("aliases (CNAME) that lead in a circle"),
            Said::Referral => failed("it does not resolve names for us (no recursion)"),
        };
    }
    Err(Trouble::Failed("too many aliases (CNAME)".to_owned()))
}

async fn once<W: RecordKind>(
    peer: SocketAddr,
    name: &WireName,
    wanted: W,
    way: Way,
    again: &Notify,
) -> Result<Said<W::Record>, Trouble> {
    let id = id()?;
    let question = message::question(id, name, wanted.code(), way.edns);
    let read = |bytes: &[u8]| message::read(bytes, id, name, wanted);
    if way.tcp {
        return over_tcp(peer, &question).await.map(|bytes| read(&bytes));
    }
    let partial = match over_udp(peer, &question, again, read).await? {
        Heard::Said(Said::Truncated(partial)) => partial,
        Heard::Said(said) => return Ok(said),
        Heard::Strays(socket) => return among_strays(&socket, peer, &question, read).await,
    };
    let why = match timeout(TCP_MAX, over_tcp(peer, &question)).await {
        Ok(Ok(bytes)) => return Ok(read(&bytes)),
        Ok(Err(Trouble::Local(why))) => return Err(Trouble::Local(why)),
        Ok(Err(Trouble::Failed(why) | Trouble::Nobody(why))) => why,
        Ok(Err(Trouble::NoName | Trouble::NoRecord | Trouble::Silent)) | Err(_) => {
            "no answer".to_owned()
        }
    };
    if partial.is_empty() || !W::PARTS_WILL_DO {
        let what = format!("its answer is cut short, and asked over TCP: {why}");
        return Err(Trouble::Failed(what));
    }
    Ok(Said::Records(partial))
}

/// A number that nobody can guess, so that nobody else can answer.
fn id() -> Result<u16, Trouble> {
    static RANDOM: LazyLock<&'static dyn SecureRandom> =
        LazyLock::new(|| rustls::crypto::ring::default_provider().secure_random);
    let mut bytes = [0; 2];
    match RANDOM.fill(&mut bytes) {
        Ok(()) => Ok(u16::from_be_bytes(bytes)),
        Err(_) => Err(Trouble::Local(
            "the system has no random numbers".to_owned(),
        )),
    }
}

/// The address to ask at, with the interface's number of this moment.
fn peer(server: &NameServer) -> Result<SocketAddr, Trouble> {
    let address = server.address();
    let SocketAddr::V6(six) = address else {
        return Ok(address);
    };
    let Some(zone) = server.zone() else {
        if server.lacks_zone() {
            return Err(Trouble::Local(format!(
                "a link-local address needs its interface, like {}%eth0",
                six.ip()
            )));
        }
        return Ok(address);
    };
    let scope = match index(zone) {
        Some(scope) => scope,
        // Elsewhere the interface has no say.
        None if !six.ip().is_unicast_link_local() => 0,
        None => {
            return Err(Trouble::Local(format!(
                "this host has no interface `{}`",
                safe_text::line(zone, 32)
            )));
        }
    };
    Ok(SocketAddrV6::new(*six.ip(), six.port(), 0, scope).into())
}

/// The number of an interface given by its name or its number.
fn index(zone: &str) -> Option<u32> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .or_else(|_| std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)))
        .ok()?;
    match rustix::net::netdevice::name_to_index(&socket, zone) {
        Ok(index) => Some(index),
        Err(_) => zone.parse().ok().filter(|index| *index > 0),
    }
}

/// What came of a question over UDP.
enum Heard<R> {
    Said(Said<R>),
    /// More than [`STRAY_MAX`] answers to other questions.
    Strays(UdpSocket),
}

/// Asks over TCP, and waits meanwhile for the answer among many that are none. Their sender has had many guesses
/// at what makes an answer ours, so what comes as a datagram counts only where TCP brings none.
async fn among_strays<R>(
    socket: &UdpSocket,
    peer: SocketAddr,
    question: &[u8],
    read: impl Fn(&[u8]) -> Said<R>,
) -> Result<Said<R>, Trouble> {
    let listening = async {
        let mut strays = 0;
        while strays < STRAY_IN_ALL {
            sleep(STRAY_PAUSE).await;
            if let Some(said) = receive(socket, &mut strays, &read)? {
                return Ok(said);
            }
        }
        Err(Trouble::Failed(
            "answers to questions that were not asked".to_owned(),
        ))
    };
    let mut listening = std::pin::pin!(listening);
    let mut asking = std::pin::pin!(timeout(TCP_MAX, over_tcp(peer, question)));
    let mut heard = None;
    let answer = loop {
        tokio::select! {
            said = &mut listening, if heard.is_none() => heard = Some(said),
            answer = &mut asking => break answer,
        }
    };
    match (answer, heard) {
        (Ok(Ok(bytes)), _) => Ok(read(&bytes)),
        (Ok(Err(Trouble::Local(why))), _) => Err(Trouble::Local(why)),
        // Many servers are not asked over TCP.
        (Ok(Err(_)) | Err(_), Some(said)) => said,
        (Ok(Err(_)) | Err(_), None) => listening.await,
    }
}

async fn over_udp<R>(
    peer: SocketAddr,
    question: &[u8],
    again: &Notify,
    read: impl Fn(&[u8]) -> Said<R>,
) -> Result<Heard<R>, Trouble> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))
        .await
        .map_err(|io| of_system(&io))?;
    socket.connect(peer).await.map_err(|io| of_system(&io))?;
    socket.send(question).await.map_err(|io| of_system(&io))?;
    let mut strays = 0;
    loop {
        tokio::select! {
            // Of a port where nobody listens the system tells by an error alone.
            ready = socket.ready(Interest::READABLE | Interest::ERROR) => {
                ready.map_err(|io| of_system(&io))?;
                if let Ok(Some(io)) = socket.take_error() {
                    return Err(of_system(&io));
                }
                let is_over = || io::Result::<()>::Err(ErrorKind::WouldBlock.into());
                let _ = socket.try_io(Interest::ERROR, is_over);
                if let Some(said) = receive(&socket, &mut strays, &read)? {
                    return Ok(Heard::Said(said));
                }
                if strays > STRAY_MAX {
                    return Ok(Heard::Strays(socket));
                }
                tokio::task::yield_now().await;
            }
            () = again.notified() => {
                socket.send(question).await.map_err(|io| of_system(&io))?;
            }
        }
    }
}

/// Reads what has come. In a function of its own, so that the buffer is no part of a waiting check.
fn receive<R>(
    socket: &UdpSocket,
    strays: &mut usize,
    read: impl Fn(&[u8]) -> Said<R>,
) -> Result<Option<Said<R>>, Trouble> {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    for _ in 0..STRAY_AT_ONCE {
        let length = match socket.try_recv(&mut buffer) {
            Ok(length) => length,
            Err(io) if io.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(io) => return Err(of_system(&io)),
        };
        match read(&buffer[..length]) {
            Said::NotOurs => *strays += 1,
            said => return Ok(Some(said)),
        }
    }
    Ok(None)
}

/// The answer over TCP, which its own length field bounds to 64 KiB.
async fn over_tcp(peer: SocketAddr, question: &[u8]) -> Result<Vec<u8>, Trouble> {
    let mut framed = Vec::with_capacity(question.len() + 2);
    framed.extend(u16::try_from(question.len()).unwrap_or(0).to_be_bytes());
    framed.extend(question);
    let exchange = async {
        let mut stream = TcpStream::connect(peer).await?;
        stream.write_all(&framed).await?;
        let length = stream.read_u16().await?;
        let mut answer = Vec::new();
        let mut body = stream.take(u64::from(length));
        body.read_to_end(&mut answer).await?;
        match answer.len() == usize::from(length) {
            true => Ok(answer),
            false => Err(io::Error::from(ErrorKind::UnexpectedEof)),
        }
    };
    exchange.await.map_err(|io| match io.kind() {
        ErrorKind::UnexpectedEof => {
            Trouble::Failed("the connection was closed before the answer".to_owned())
        }
        _ => of_system(&io),
    })
}

/// What the system said about asking.
fn of_system(io: &io::Error) -> Trouble {
    if is_local(io) {
        let words = match io.kind() {
            ErrorKind::NetworkUnreachable => "this host has no route to it".to_owned(),
            _ => words(io),
        };
        return Trouble::Local(words);
    }
    match io.kind() {
        ErrorKind::ConnectionRefused => {
            Trouble::Nobody("nothing is listening on that port".to_owned())
        }
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            Trouble::Failed("the connection was reset".to_owned())
        }
        _ => Trouble::Nobody(words(io)),
    }
}

/// What the system says, without its number.
fn words(io: &io::Error) -> String {
    let words = io.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    safe_text::line(words, 100).into_owned()
}
