//! Echo requests (RFC 792, RFC 4443 section 4): sent [`PING_GAP`] apart, each reply counted once.
//!
//! A ping socket of Linux needs no privilege where `net.ipv4.ping_group_range` covers a group of ours; where it does
//! not, a raw socket serves those with CAP_NET_RAW. What comes is a stranger's: it counts only with the random number
//! and payload of this check, and a flood of anything else is read slowly.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto};
use rustls::crypto::SecureRandom;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use crate::clock;
use crate::domain::subject::PING_GAP;

/// What goes behind the header, as ping(8) has it: filters that judge by size know this one.
const PAYLOAD_BYTES: usize = 56;

/// How much of the payload nobody can guess.
const TOKEN_BYTES: usize = 16;

const HEADER_BYTES: usize = 8;

/// A reply is a header and its payload, behind an IPv4 header of at most 60 bytes. The rest of longer ones is cut off.
const DATAGRAM_BYTES_MAX: usize = 256;

/// So many datagrams are read before other checks get their turn.
const READ_AT_ONCE: usize = 8;

/// Datagrams that answer nothing of ours: on a raw socket all replies of this address to other programs. After more
/// than this somebody forges replies, and they are read slowly.
const STRAY_MAX: usize = 64;

/// So many are read slowly. After more nothing is read at all, and what was received until then counts.
const STRAY_IN_ALL: usize = 4096;

/// The pause between two readings then; what comes meanwhile is the system's to drop.
const STRAY_PAUSE: Duration = Duration::from_millis(5);

/// A number that another program pings with is not ours to have; another one is tried.
const NUMBERS_TRIED_MAX: usize = 8;

/// What became of the packets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::probe) struct Pings {
    pub(in crate::probe) sent: u8,
    /// The round trips of those that were answered, shortest first.
    pub(in crate::probe) round_trips: Vec<Duration>,
    /// What the network said about a packet, in words.
    pub(in crate::probe) unreachable: Option<String>,
}

impl Pings {
    /// How many were answered.
    pub(in crate::probe) fn received(&self) -> u8 {
        u8::try_from(self.round_trips.len()).unwrap_or(u8::MAX)
    }

    /// The median round trip; of an even number the mean of the two in the middle.
    pub(in crate::probe) fn median(&self) -> Option<Duration> {
        let count = self.round_trips.len();
        let upper = self.round_trips.get(count / 2)?;
        match count % 2 {
            1 => Some(*upper),
            _ => Some((self.round_trips[count / 2 - 1] + *upper) / 2),
        }
    }
}

/// Why no packet could be sent.
#[derive(Debug)]
pub(in crate::probe) enum PingFault {
    /// Neither kind of socket is ours to have.
    NoRight,
    /// What the system said.
    Io(io::Error),
}

impl From<Errno> for PingFault {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl From<io::Error> for PingFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether this process may send echo requests; tries it without sending one.
pub fn may_ping() -> bool {
    let four = open(IpAddr::V4(Ipv4Addr::LOCALHOST));
    !matches!(four, Err(PingFault::NoRight))
}

/// Sends the packets and waits for their replies until all have come, or until the deadline.
///
/// # Errors
/// When not one packet could be sent.
pub(in crate::probe) async fn ping(
    to: IpAddr,
    packets: u8,
    deadline: Instant,
) -> Result<Pings, PingFault> {
    let (socket, form) = open(to)?;
    let secret = Secret::new()?;
    let number = match form {
        Form::Raw => secret.number,
        Form::Ping => bind(&socket, to)?,
    };
    rustix::net::connect(&socket, &SocketAddr::new(to, 0))?;
    hear_of_errors(&socket, to);
    // To the runtime a datagram socket is a datagram socket.
    let socket = UdpSocket::from_std(std::net::UdpSocket::from(socket))?;
    let mut run = Run {
        form,
        is_v6: to.is_ipv6(),
        number,
        token: secret.token,
        sent_at: Vec::with_capacity(usize::from(packets)),
        came_at: vec![None; usize::from(packets)],
        strays: 0,
        failed: None,
        failures: 0,
        send_error: None,
    };
    run.exchange(&socket, usize::from(packets), deadline).await;
    run.result()
}

/// The two kinds of socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The system sets the number and the check sum, and gives us replies to this number only.
    Ping,
    /// We do, and get all that comes of this address, over IPv4 with its header.
    Raw,
}

fn open(to: IpAddr) -> Result<(OwnedFd, Form), PingFault> {
    let (family, protocol) = match to {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = |kind| rustix::net::socket_with(family, kind, flags, Some(protocol));
    // Systems without ping sockets say that there is no such protocol.
    match socket(SocketType::DGRAM) {
        Ok(socket) => return Ok((socket, Form::Ping)),
        Err(Errno::ACCESS | Errno::PERM | Errno::PROTONOSUPPORT) => {}
        Err(error) => return Err(error.into()),
    }
    match socket(SocketType::RAW) {
        Ok(socket) => Ok((socket, Form::Raw)),
        Err(Errno::ACCESS | Errno::PERM) => Err(PingFault::NoRight),
        Err(error) => Err(error.into()),
    }
}

/// Gives a ping socket a number that nobody can guess; the system would count them up.
fn bind(socket: &OwnedFd, to: IpAddr) -> Result<u16, PingFault> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut outcome = Err(Errno::ADDRINUSE.into());
    for _ in 0..NUMBERS_TRIED_MAX {
        let number = Secret::new()?.number;
        match rustix::net::bind(socket, &SocketAddr::new(any, number)) {
            Ok(()) => return Ok(number),
            Err(error) => outcome = Err(error.into()),
        }
    }
    outcome
}

/// Without it the system keeps to itself what routers say about a packet. What it cannot tell is a loss then.
fn hear_of_errors(socket: &OwnedFd, to: IpAddr) {
    use nix::sys::socket::{setsockopt, sockopt};
    let _ = match to {
        IpAddr::V4(_) => setsockopt(socket, sockopt::Ipv4RecvErr, &true),
        IpAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvErr, &true),
    };
}

/// What nobody can guess of one check.
struct Secret {
    /// From 1 on: 0 lets the system choose.
    number: u16,
    token: [u8; TOKEN_BYTES],
}

impl Secret {
    fn new() -> Result<Self, PingFault> {
        static RANDOM: LazyLock<&'static dyn SecureRandom> =
            LazyLock::new(|| rustls::crypto::ring::default_provider().secure_random);
        let mut bytes = [0; TOKEN_BYTES + 2];
        RANDOM
            .fill(&mut bytes)
            .map_err(|_| io::Error::other("the system has no random numbers"))?;
        let [high, low, token @ ..] = bytes;
        Ok(Self {
            number: u16::from_be_bytes([high, low]).max(1),
            token,
        })
    }
}

/// One check on its way.
struct Run {
    form: Form,
    is_v6: bool,
    number: u16,
    token: [u8; TOKEN_BYTES],
    /// By the packet's place.
    sent_at: Vec<Instant>,
    came_at: Vec<Option<Instant>>,
    strays: usize,
    /// What the network said about a packet.
    failed: Option<Errno>,
    /// How often it said so.
    failures: usize,
    /// Why a packet could not be sent.
    send_error: Option<Errno>,
}

impl Run {
    async fn exchange(&mut self, socket: &UdpSocket, packets: usize, deadline: Instant) {
        let mut next_send = clock::tick();
        let mut left = packets;
        // Where there are many strays, nothing is read before this.
        let mut read_from = next_send;
        loop {
            let now = clock::tick();
            let came = self.came_at.iter().filter(|came| came.is_some()).count();
            let sent = self.sent_at.len();
            let is_over = came >= sent || came == 0 && self.failures >= sent;
            if now >= deadline || left == 0 && is_over {
                return;
            }
            if left > 0 && now >= next_send {
                self.send(socket);
                left -= 1;
                next_send = now + PING_GAP;
                // An error that the system does not wake us for.
                self.read(socket);
                continue;
            }
            let wake = match left {
                0 => deadline,
                _ => next_send.min(deadline),
            };
            let interest = Interest::READABLE | Interest::ERROR;
            let may_read = now >= read_from && self.strays < STRAY_IN_ALL;
            let wake = match now < read_from {
                true => wake.min(read_from),
                false => wake,
            };
            tokio::select! {
                biased;
                () = sleep_until(wake) => {}
                ready = socket.ready(interest), if may_read => {
                    if ready.is_err() {
                        return;
                    }
                    // Told that nothing is left, the runtime waits for more. It keeps the two apart.
                    for interest in [Interest::READABLE, Interest::ERROR] {
                        let _ = socket.try_io(interest, || match self.read(socket) {
                            true => Err(ErrorKind::WouldBlock.into()),
                            false => Ok(()),
                        });
                    }
                    if self.strays > STRAY_MAX {
                        read_from = clock::tick() + STRAY_PAUSE;
                    }
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn send(&mut self, socket: &UdpSocket) {
        let place = u16::try_from(self.sent_at.len()).unwrap_or(u16::MAX);
        let packet = self.packet(place);
        for _ in 0..2 {
            let now = clock::tick();
            match rustix::net::send(socket, &packet, SendFlags::empty()) {
                Ok(_) => {
                    self.sent_at.push(now);
                    return;
                }
                // It may be about a packet before this one; then this one goes the second time.
                Err(error) => {
                    self.send_error = Some(error);
                    self.failures += 1;
                }
            }
        }
    }

    fn packet(&self, place: u16) -> Vec<u8> {
        let mut packet = Vec::with_capacity(HEADER_BYTES + PAYLOAD_BYTES);
        packet.extend([if self.is_v6 { 128 } else { 8 }, 0, 0, 0]);
        packet.extend(self.number.to_be_bytes());
        packet.extend((place + 1).to_be_bytes());
        packet.extend(self.token);
        packet.resize(HEADER_BYTES + PAYLOAD_BYTES, 0);
        // Of IPv6 the system makes it, since the addresses are part of it.
        if !self.is_v6 {
            let sum = check_sum(&packet);
            packet[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        packet
    }

    /// Reads what has come; true where nothing is left.
    fn read(&mut self, socket: &UdpSocket) -> bool {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..READ_AT_ONCE {
            let length = match rustix::net::recv(socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((_, length)) => length.min(DATAGRAM_BYTES_MAX),
                Err(Errno::WOULDBLOCK) => return true,
                Err(Errno::INTR) => continue,
                Err(error) => {
                    self.failed = Some(error);
                    self.failures += 1;
                    continue;
                }
            };
            let now = clock::tick();
            match self.place(&buffer[..length]) {
                Some(place) => {
                    self.came_at[place].get_or_insert(now);
                }
                None => self.strays += 1,
            }
        }
        false
    }

    /// Which packet a datagram answers.
    fn place(&self, datagram: &[u8]) -> Option<usize> {
        let message = match (self.form, self.is_v6) {
            (Form::Raw, false) => {
                let header = usize::from(datagram.first()? & 0x0f) * 4;
                datagram.get(header..)?
            }
            (Form::Raw, true) | (Form::Ping, _) => datagram,
        };
        let (header, payload) = message.split_at_checked(HEADER_BYTES)?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let is_reply = header[0] == if self.is_v6 { 129 } else { 0 } && header[1] == 0;
        let is_ours =
            is_reply && word(4) == self.number && payload.get(..TOKEN_BYTES)? == self.token;
        let place = usize::from(word(6)).checked_sub(1)?;
        (is_ours && place < self.sent_at.len()).then_some(place)
    }

    fn result(self) -> Result<Pings, PingFault> {
        if self.sent_at.is_empty() {
            let error = self.send_error.or(self.failed);
            return Err(PingFault::Io(match error {
                Some(error) => error.into(),
                None => ErrorKind::TimedOut.into(),
            }));
        }
        let mut round_trips: Vec<Duration> = self
            .sent_at
            .iter()
            .zip(&self.came_at)
            .filter_map(|(sent, came)| Some(came.as_ref()?.saturating_duration_since(*sent)))
            .collect();
        round_trips.sort_unstable();
        Ok(Pings {
            sent: u8::try_from(self.sent_at.len()).unwrap_or(u8::MAX),
            round_trips,
            unreachable: self
                .failed
                .or(self.send_error)
                .map(|errno| said(errno).to_owned()),
        })
    }
}

/// What a router, or this host for its own network, says about a packet.
const fn said(errno: Errno) -> &'static str {
    match errno {
        Errno::NETUNREACH => "the network is unreachable",
        Errno::ACCESS | Errno::PERM => "a filter on the way forbids it",
        Errno::HOSTDOWN => "the host is unknown there",
        Errno::CONNREFUSED | Errno::NOPROTOOPT => "the host refuses it",
        _ => "the host is unreachable",
    }
}

/// The check sum of RFC 1071.
fn check_sum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(form: Form, is_v6: bool) -> Run {
        Run {
            form,
            is_v6,
            number: 0x1234,
            token: [7; TOKEN_BYTES],
            sent_at: vec![clock::tick(); 2],
            came_at: vec![None; 3],
            strays: 0,
            failed: None,
            failures: 0,
            send_error: None,
        }
    }

    fn reply(run: &Run, place: u16) -> Vec<u8> {
        let mut packet = run.packet(place);
        packet[0] = if run.is_v6 { 129 } else { 0 };
        packet
    }

    /// What a scripted host makes of an echo request, by its place from 1 on: datagrams.
    type Answers = fn(u16, &[u8]) -> Vec<Vec<u8>>;

    fn replied(request: &[u8]) -> Vec<u8> {
        [&[0], &request[1..]].concat()
    }

    /// So many packets to a scripted host, within a second; and how many it got.
    async fn exchange(packets: u8, answers: Answers) -> (Pings, usize) {
        let host = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.connect(host.local_addr().unwrap()).await.unwrap();
        let serving = async {
            let mut packet = [0; 2048];
            let mut came = 0;
            while let Ok((length, from)) = host.recv_from(&mut packet).await {
                came += 1;
                for datagram in answers(came, &packet[..length]) {
                    let _ = host.send_to(&datagram, from).await;
                    tokio::task::yield_now().await;
                }
                if came == u16::from(packets) {
                    break;
                }
            }
            came
        };
        let mut run = Run {
            sent_at: Vec::new(),
            came_at: vec![None; usize::from(packets)],
            ..run(Form::Ping, false)
        };
        let deadline = clock::tick() + PING_GAP * u32::from(packets) + Duration::from_millis(400);
        let (came, ()) = tokio::join!(
            serving,
            run.exchange(&socket, usize::from(packets), deadline)
        );
        (run.result().unwrap(), usize::from(came))
    }

    #[tokio::test]
    async fn each_reply_counts_once_and_nothing_else_does() {
        let none: Answers = |_, _| Vec::new();
        let every: Answers = |_, request| vec![replied(request)];
        let second: Answers = |place, request| match place % 2 {
            0 => vec![replied(request)],
            _ => Vec::new(),
        };
        let twice: Answers = |_, request| vec![replied(request), replied(request)];
        // For packets that are not sent yet, as soon as the first one says what a reply has.
        let ahead: Answers = |place, request| {
            let guess = |place: u8| {
                let mut reply = replied(request);
                reply[7] = place;
                reply
            };
            match place {
                1 => vec![guess(2), guess(3), guess(0), guess(1)],
                _ => Vec::new(),
            }
        };
        let strange: Answers = |_, request| {
            let bent = |at: usize, bits: u8| {
                let mut reply = replied(request);
                reply[at] ^= bits;
                reply
            };
            vec![
                Vec::new(),
                vec![0; 7],
                vec![0xff; 2000],
                request.to_vec(),
                bent(0, 3),
                bent(1, 1),
                bent(4, 1),
                bent(HEADER_BYTES, 1),
                replied(request)[..HEADER_BYTES + TOKEN_BYTES - 1].to_vec(),
            ]
        };
        let longer: Answers = |_, request| vec![[replied(request), vec![7; 1500]].concat()];
        for (answers, received, label) in [
            (none, 0, "none"),
            (every, 3, "every"),
            (second, 1, "every second"),
            (twice, 3, "twice"),
            (ahead, 1, "ahead of it"),
            (strange, 0, "strange"),
            (longer, 3, "longer"),
        ] {
            let (pings, came) = exchange(3, answers).await;
            assert_eq!((pings.sent, came), (3, 3), "{label}");
            assert_eq!(pings.received(), received, "{label}");
            assert_eq!(pings.unreachable, None, "{label}");
        }
    }

    #[tokio::test]
    async fn a_flood_of_strays_has_an_end() {
        // Fewer than are read slowly: the reply behind them counts.
        let some: Answers = |_, request| {
            let mut all = vec![vec![0; 64]; 200];
            all.push(replied(request));
            all
        };
        let (pings, _) = exchange(2, some).await;
        assert_eq!((pings.sent, pings.received()), (2, 2));
        // The first packet is answered; behind it come more than are read in all.
        let many: Answers = |place, request| match place {
            1 => std::iter::once(replied(request))
                .chain(std::iter::repeat_n(vec![0; 64], 3 * STRAY_IN_ALL))
                .collect(),
            _ => Vec::new(),
        };
        let (pings, _) = exchange(2, many).await;
        assert_eq!((pings.sent, pings.received()), (2, 1));
    }

    #[tokio::test]
    async fn what_the_network_says_is_told() {
        let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.connect(address).await.unwrap();
        let mut run = Run {
            sent_at: Vec::new(),
            came_at: vec![None; 3],
            ..run(Form::Ping, false)
        };
        let begun = clock::tick();
        run.exchange(&socket, 3, begun + Duration::from_secs(60))
            .await;
        let pings = run.result().unwrap();
        assert_eq!(pings.received(), 0);
        assert_eq!(pings.unreachable.as_deref(), Some("the host refuses it"));
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "not till the end"
        );
    }

    #[test]
    fn a_check_sum_is_right() {
        // The example of RFC 1071 section 3.
        let sum = check_sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum, !0xddf2);
        let packet = run(Form::Raw, false).packet(0);
        assert_eq!(check_sum(&packet), 0);
        assert_eq!(packet.len(), 64);
    }

    #[test]
    fn only_replies_to_our_packets_count() {
        for (form, is_v6) in [
            (Form::Ping, false),
            (Form::Ping, true),
            (Form::Raw, true),
            (Form::Raw, false),
        ] {
            let run = run(form, is_v6);
            let wrap = |message: Vec<u8>| match (form, is_v6) {
                (Form::Raw, false) => {
                    let mut datagram = vec![0x46];
                    datagram.resize(24, 0);
                    datagram.extend(message);
                    datagram
                }
                _ => message,
            };
            let place = |message: Vec<u8>| run.place(&wrap(message));
            assert_eq!(place(reply(&run, 0)), Some(0));
            assert_eq!(place(reply(&run, 1)), Some(1));
            // A packet that was not sent yet, a request, another number, another payload.
            assert_eq!(place(reply(&run, 2)), None);
            assert_eq!(place(run.packet(0)), None);
            for at in [0, 1, 4, 5, 6, HEADER_BYTES, HEADER_BYTES + TOKEN_BYTES - 1] {
                let mut bent = reply(&run, 0);
                bent[at] ^= 0x40;
                assert_eq!(place(bent), None, "{at}");
            }
            let whole = wrap(reply(&run, 0));
            for end in 0..whole.len() - PAYLOAD_BYTES + TOKEN_BYTES {
                assert_eq!(run.place(&whole[..end]), None, "{end}");
            }
        }
    }

    #[test]
    fn the_middle_is_told() {
        let pings = |ms: &[u64]| Pings {
            sent: 4,
            round_trips: ms.iter().map(|ms| Duration::from_millis(*ms)).collect(),
            unreachable: None,
        };
        assert_eq!(pings(&[]).median(), None);
        assert_eq!(pings(&[3]).median(), Some(Duration::from_millis(3)));
        assert_eq!(pings(&[2, 4]).median(), Some(Duration::from_millis(3)));
        assert_eq!(pings(&[1, 2, 9]).median(), Some(Duration::from_millis(2)));
    }

    #[tokio::test]
    async fn this_host_answers() {
        for to in ["127.0.0.1", "::1"] {
            let begun = clock::tick();
            let deadline = begun + Duration::from_secs(60);
            match ping(to.parse().unwrap(), 3, deadline).await {
                Ok(pings) => {
                    assert_eq!((pings.sent, pings.received()), (3, 3), "{to}");
                    assert_eq!(pings.unreachable, None);
                    let took = begun.elapsed();
                    assert!(
                        took >= 2 * PING_GAP && took < Duration::from_secs(30),
                        "{took:?}"
                    );
                }
                // Where the tests may not ping, or there is no IPv6.
                Err(PingFault::NoRight) => assert!(!may_ping()),
                Err(PingFault::Io(error)) => assert!(to.contains(':'), "{to}: {error}"),
            }
        }
    }
}
