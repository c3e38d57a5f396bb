//! Hostile TLS servers: a true handshake, and then games.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

/// Tickets after one handshake.
const TICKETS: usize = 20_000;

/// Certificates of one name in the hostile chain.
const CHAIN: usize = 40;

/// Records that are written before they are sent.
const RECORDS: usize = 500;

/// A connection that has shaken hands.
pub(super) struct Session {
    connection: ServerConnection,
    socket: TcpStream,
}

impl Session {
    pub(super) fn open(stream: &TcpStream, config: &Arc<ServerConfig>) -> io::Result<Self> {
        let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        let mut session = Self {
            connection,
            socket: stream.try_clone()?,
        };
        while session.connection.is_handshaking() {
            session.connection.complete_io(&mut session.socket)?;
        }
        Ok(session)
    }

    fn send(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    pub(super) fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.set_buffer_limit(None);
        self.connection.writer().write_all(bytes)?;
        self.send()
    }

    /// Waits until something comes.
    pub(super) fn hear(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        let had = into.len();
        loop {
            match self.connection.reader().read_to_end(into) {
                // All that was there is read.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
            if into.len() > had {
                return Ok(());
            }
            if self.connection.read_tls(&mut self.socket)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.connection
                .process_new_packets()
                .map_err(io::Error::other)?;
        }
    }
}

/// A body without end, each byte of it in a record of its own.
pub(super) fn records_of_one_byte(stream: &mut TcpStream) -> io::Result<()> {
    let mut session = Session::open(stream, plain())?;
    let head = b"HTTP/1.1 200 OK\r\n\r\n";
    session.connection.writer().write_all(head)?;
    loop {
        for _ in 0..RECORDS {
            session.connection.writer().write_all(b"a")?;
        }
        session.send()?;
    }
}

/// KeyUpdate after KeyUpdate, each of which asks for one in return (RFC 8446 section 4.6.3).
pub(super) fn new_keys_for_ever(stream: &mut TcpStream) -> io::Result<()> {
    let mut session = Session::open(stream, plain())?;
    loop {
        for _ in 0..RECORDS {
            session
                .connection
                .refresh_traffic_keys()
                .map_err(io::Error::other)?;
        }
        session.send()?;
    }
}

/// More session tickets than anybody has use for, and no answer.
pub(super) fn many_tickets(stream: &mut TcpStream) -> io::Result<()> {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let mut config = config(signed_by_itself());
        config.send_tls13_tickets = TICKETS;
        config.ticketer = rustls::crypto::ring::Ticketer::new().expect("random numbers");
        Arc::new(config)
    });
    let mut session = Session::open(stream, config)?;
    session.send()?;
    // Until the monitor goes away.
    io::copy(&mut session.socket, &mut io::sink()).map(|_| ())
}

static HOSTILE_CHAIN: OnceLock<Arc<ServerConfig>> = OnceLock::new();

/// Where the authority is that the hostile chain names.
pub(super) fn anchor_file(directory: &Path) -> PathBuf {
    directory.join("hostile-ca.pem")
}

/// Makes the hostile chain and writes the authority that it names.
pub(super) fn prepare(directory: &Path) {
    let (shown, anchor) = chain();
    std::fs::write(anchor_file(directory), anchor).expect("the directory is writable");
    let _ = HOSTILE_CHAIN.set(Arc::new(config(shown)));
}

/// Certificates of one name, each with a key of its own and none signed by the trusted authority that it names.
pub(super) fn hostile_chain(stream: &mut TcpStream) -> io::Result<()> {
    let config = HOSTILE_CHAIN
        .get()
        .expect("it is prepared before anybody comes");
    Session::open(stream, config).map(|_| ())
}

/// A chain, and the key of its first certificate.
pub(super) type Shown = (Vec<CertificateDer<'static>>, KeyPair);

fn plain() -> &'static Arc<ServerConfig> {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    CONFIG.get_or_init(|| Arc::new(config(signed_by_itself())))
}

pub(super) fn config((chain, key): Shown) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("rcgen writes PKCS #8");
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("the key fits")
}

fn key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key")
}

pub(super) fn signed_by_itself() -> Shown {
    let key = KeyPair::generate().expect("a key");
    let certificate = leaf().self_signed(&key).expect("signed");
    (vec![certificate.der().clone()], key)
}

fn leaf() -> CertificateParams {
    CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a plain name")
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names, no fault");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// The chain, and the trusted authority as PEM.
fn chain() -> (Shown, String) {
    let trusted = authority("Trusted");
    let trusted_key = key();
    let anchor = trusted.self_signed(&trusted_key).expect("signed");
    // Its name, and a key that is not its own.
    let false_one = Issuer::new(authority("Trusted"), key());
    let mut shown = Vec::new();
    for _ in 0..CHAIN {
        let certificate = authority("Loop").signed_by(&key(), &false_one);
        shown.push(certificate.expect("signed").der().clone());
    }
    let below = Issuer::new(authority("Loop"), key());
    let leaf_key = key();
    let leaf = leaf().signed_by(&leaf_key, &below).expect("signed");
    shown.insert(0, leaf.der().clone());
    ((shown, leaf_key), anchor.pem())
}
