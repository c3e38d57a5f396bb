//! The kinds of hostile peers: what each does, and what its monitor asserts.

use std::fmt::Write as _;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;

#[cfg(feature = "http3")]
use super::http3;
use super::{dns, http2, tls};

/// A kind of hostile peer.
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// How its monitor gets to it.
    pub(super) way: Way,
    /// More lines of its `[[monitor]]`.
    pub(super) keys: &'static str,
    pub(super) talk: Talk,
    /// What is sent, made once.
    pub(super) material: fn() -> Vec<u8>,
}

/// How a monitor gets to its hostile peer.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Http,
    /// With `verify_tls = false`.
    Tls,
    /// With `verify_tls = false`, by HTTP/2.
    Two,
    /// The same by HTTP/3.
    #[cfg(feature = "http3")]
    Three,
    /// With the trust anchor that the peers wrote.
    Chain,
    /// The peer is the name server.
    Dns,
    /// The peer is the proxy.
    Proxy,
}

/// What a peer does.
#[derive(Clone, Copy)]
pub(super) enum Talk {
    /// With a connection over which something came.
    AfterRequest(fn(&mut TcpStream, &[u8]) -> std::io::Result<()>),
    /// With a connection from its first byte on.
    FromStart(fn(&mut TcpStream) -> std::io::Result<()>),
    /// On the UDP port of the same number, beside what it does over TCP.
    Udp(fn(TcpListener)),
}

/// The lines of one hostile monitor.
pub(super) fn monitor(kind: &Kind, directory: &Path, port: u16, number: usize) -> String {
    let (url, more) = match kind.way {
        Way::Http => (format!("http://127.0.0.1:{port}/{number}"), String::new()),
        Way::Tls => (
            format!("https://127.0.0.1:{port}/{number}"),
            "verify_tls = false\n".to_owned(),
        ),
        Way::Two => (
            format!("https://127.0.0.1:{port}/{number}"),
            "verify_tls = false\nhttp = \"2\"\n".to_owned(),
        ),
        #[cfg(feature = "http3")]
        Way::Three => (
            format!("https://127.0.0.1:{port}/{number}"),
            "verify_tls = false\nhttp = \"3\"\n".to_owned(),
        ),
        Way::Chain => (
            format!("https://127.0.0.1:{port}/{number}"),
            format!("ca_file = \"{}\"\n", tls::anchor_file(directory).display()),
        ),
        Way::Dns => (
            format!("http://site{number}.test:{port}/{number}"),
            String::new(),
        ),
        Way::Proxy => (
            format!("https://site{number}.test/"),
            format!("proxy = \"http://127.0.0.1:{port}\"\n"),
        ),
    };
    let mut text = format!(
        "[[monitor]]\nname = \"hostile{number}\"\nurl = \"{url}\"\ntimeout = \"{TIMEOUT_MS}ms\"\n\
         retry_interval = \"1s\"\n{more}{}",
        kind.keys
    );
    if matches!(kind.way, Way::Dns) && number == 0 {
        let _ = write!(text, "[dns]\nservers = [\"127.0.0.1:{port}\"]\n");
    }
    text
}

/// One over HTTP/2.
const fn by_two(
    name: &'static str,
    keys: &'static str,
    talk: fn(&mut TcpStream) -> std::io::Result<()>,
) -> Kind {
    Kind {
        name,
        way: Way::Two,
        keys,
        talk: Talk::FromStart(talk),
        material: Vec::new,
    }
}

/// One over HTTP/3.
#[cfg(feature = "http3")]
const fn by_three(name: &'static str, keys: &'static str, talk: fn(TcpListener)) -> Kind {
    Kind {
        name,
        way: Way::Three,
        keys,
        talk: Talk::Udp(talk),
        material: Vec::new,
    }
}

/// What a hostile monitor is allowed for a check.
pub(super) const TIMEOUT_MS: u32 = 1500;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "100 for ever",
        way: Way::Http,
        keys: "",
        talk: Talk::AfterRequest(for_ever),
        material: || b"HTTP/1.1 100 Continue\r\n\r\n".repeat(2000),
    },
    Kind {
        name: "103 with Link fields for ever",
        way: Way::Http,
        keys: "",
        talk: Talk::AfterRequest(for_ever),
        material: || {
            let mut head = b"HTTP/1.1 103 Early Hints\r\n".to_vec();
            head.extend(b"Link: </style.css>; rel=preload; as=style\r\n".repeat(20));
            head.extend(b"\r\n");
            head.repeat(60)
        },
    },
    Kind {
        name: "102 with 30 kB of fields",
        way: Way::Http,
        keys: "",
        talk: Talk::AfterRequest(for_ever),
        material: || {
            let mut head = b"HTTP/1.1 102 Processing\r\n".to_vec();
            head.extend(
                format!("X-Pad: {}\r\n", "p".repeat(1000))
                    .repeat(30)
                    .into_bytes(),
            );
            head.extend(b"\r\n");
            head.repeat(4)
        },
    },
    Kind {
        name: "a header without end",
        way: Way::Http,
        keys: "",
        talk: Talk::AfterRequest(|stream, bytes| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            for_ever(stream, bytes)
        }),
        material: || b"X-Pad: 1234567890\r\n".repeat(3000),
    },
    Kind {
        name: "one byte at a time",
        way: Way::Http,
        keys: "",
        talk: Talk::AfterRequest(|stream, bytes| {
            stream.set_nodelay(true)?;
            bytes.chunks(1).try_for_each(|byte| stream.write_all(byte))
        }),
        material: || b"HTTP/1.1 100 Continue\r\n\r\n".repeat(4000),
    },
    Kind {
        name: "chunks of one byte for ever",
        way: Way::Http,
        keys: "body_excludes = [\"zz\"]\n",
        talk: Talk::AfterRequest(|stream, bytes| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for_ever(stream, bytes)
        }),
        material: || b"1\r\na\r\n".repeat(10_000),
    },
    Kind {
        name: "a body without end",
        way: Way::Http,
        keys: "body_excludes = [\"zz\"]\nmax_body = \"64MiB\"\n",
        talk: Talk::AfterRequest(|stream, bytes| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            for_ever(stream, bytes)
        }),
        material: || vec![b'a'; 64 * 1024],
    },
    Kind {
        name: "zstd with a window of 128 GiB",
        way: Way::Http,
        keys: "body_excludes = [\"zz\"]\n",
        talk: Talk::AfterRequest(answer_zstd),
        material: zstd_bomb,
    },
    Kind {
        name: "gzip three times over",
        way: Way::Http,
        keys: "body_excludes = [\"zz\"]\n",
        talk: Talk::AfterRequest(|stream, bytes| {
            answer(stream, "Content-Encoding: gzip, gzip, gzip\r\n", bytes)
        }),
        material: || gzip(&gzip(&gzip(&vec![b'a'; 256 << 20]))),
    },
    Kind {
        name: "JSON of depth 110, four descents",
        way: Way::Http,
        keys: "json = [{ path = \"$..a..a..a..k1\", exists = false }]\n",
        talk: Talk::AfterRequest(|stream, bytes| {
            answer(stream, "Content-Type: application/json\r\n", bytes)
        }),
        material: || {
            let depth = 110;
            let mut text = "{\"a\":".repeat(depth);
            text.push('[');
            text.push_str(&"{\"k\":1},".repeat(100_000));
            text.push_str("0]");
            text.push_str(&"}".repeat(depth));
            text.into_bytes()
        },
    },
    Kind {
        name: "a megabyte of JSON, all of it asked for",
        way: Way::Http,
        keys: "json = [{ path = \"$..[?@ > 5]\", exists = false }]\n",
        talk: Talk::AfterRequest(|stream, bytes| {
            answer(stream, "Content-Type: application/json\r\n", bytes)
        }),
        material: || format!("[{}0]", "1,".repeat(500_000)).into_bytes(),
    },
    Kind {
        name: "a megabyte against costly patterns",
        way: Way::Http,
        keys: "body_excludes = [\"zz\"]\nbody_matches = ['(a+)+b', '(?:[a-z]{1,30}x){1,30}y', '(?i)\\w{1,12}\\s$']\n",
        talk: Talk::AfterRequest(|stream, bytes| {
            answer(
                stream,
                "Content-Type: text/html; charset=gb18030\r\n",
                bytes,
            )
        }),
        material: || vec![b'a'; (1 << 20) - 1],
    },
    Kind {
        name: "redirects with long paths and cookies",
        way: Way::Http,
        keys: "max_redirects = 50\n",
        talk: Talk::AfterRequest(|stream, _| {
            let path: u64 = {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "any number that was not used before will do"
                )]
                let now = std::time::SystemTime::now();
                now.duration_since(std::time::UNIX_EPOCH)
                    .map_or(0, |since| since.subsec_nanos().into())
            };
            let cookies: String = (0..40).fold(String::new(), |mut text, number| {
                let _ = write!(text, "Set-Cookie: c{path}{number}={}\r\n", "v".repeat(2000));
                text
            });
            let head = format!(
                "HTTP/1.1 302 Found\r\nLocation: /{path}{}\r\n{cookies}Connection: close\r\n\r\n",
                "p".repeat(31_000)
            );
            stream.write_all(head.as_bytes())
        }),
        material: Vec::new,
    },
    Kind {
        name: "TLS records that mean nothing",
        way: Way::Tls,
        keys: "",
        talk: Talk::AfterRequest(for_ever),
        // Handshake records of a ServerHello that never ends.
        material: || {
            let mut record = vec![22, 3, 3, 0x40, 0];
            record.resize(5 + 0x4000, 0);
            record[5] = 2;
            record[6] = 0xff;
            record
        },
    },
    Kind {
        name: "TLS records without content",
        way: Way::Tls,
        keys: "",
        talk: Talk::AfterRequest(for_ever),
        material: || [22, 3, 3, 0, 0].repeat(4000),
    },
    Kind {
        name: "HelloRequests in place of a handshake",
        way: Way::Tls,
        keys: "",
        talk: Talk::AfterRequest(for_ever),
        material: || [22, 3, 3, 0, 4, 0, 0, 0, 0].repeat(4000),
    },
    Kind {
        name: "TLS records of one byte",
        way: Way::Tls,
        keys: "body_excludes = [\"zz\"]\n",
        talk: Talk::FromStart(tls::records_of_one_byte),
        material: Vec::new,
    },
    Kind {
        name: "new traffic keys for ever",
        way: Way::Tls,
        keys: "",
        talk: Talk::FromStart(tls::new_keys_for_ever),
        material: Vec::new,
    },
    Kind {
        name: "20 000 session tickets",
        way: Way::Tls,
        keys: "",
        talk: Talk::FromStart(tls::many_tickets),
        material: Vec::new,
    },
    Kind {
        name: "a chain of one name on P-384",
        way: Way::Chain,
        keys: "",
        talk: Talk::FromStart(tls::hostile_chain),
        material: Vec::new,
    },
    Kind {
        name: "a name server that sends garbage",
        way: Way::Dns,
        keys: "",
        talk: Talk::Udp(dns::garbage),
        material: Vec::new,
    },
    Kind {
        name: "a name server without end over TCP",
        way: Way::Dns,
        keys: "",
        talk: Talk::Udp(dns::truncated),
        material: Vec::new,
    },
    Kind {
        name: "a proxy that trickles",
        way: Way::Proxy,
        keys: "",
        talk: Talk::AfterRequest(|stream, bytes| {
            stream.set_nodelay(true)?;
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            bytes.chunks(1).try_for_each(|byte| stream.write_all(byte))
        }),
        material: || b"X: 1\r\n".repeat(20_000),
    },
    by_two(
        "a header in CONTINUATION for ever, HTTP/2",
        "",
        http2::continuation,
    ),
    by_two(
        "empty CONTINUATION for ever, HTTP/2",
        "",
        http2::empty_continuation,
    ),
    by_two("PING for ever, HTTP/2", "", http2::pings),
    by_two("SETTINGS for ever, HTTP/2", "", http2::settings),
    by_two("WINDOW_UPDATE for ever, HTTP/2", "", http2::window_updates),
    by_two("103 for ever, HTTP/2", "", http2::interim),
    by_two("unknown frames for ever, HTTP/2", "", http2::unknown_frames),
    by_two("PRIORITY for ever, HTTP/2", "", http2::priorities),
    by_two(
        "a header that unpacks to 50 MB, HTTP/2",
        "",
        http2::unpacking_header,
    ),
    by_two(
        "empty DATA for ever, HTTP/2",
        "body_excludes = [\"zz\"]\n",
        http2::empty_data,
    ),
    by_two(
        "DATA of one byte for ever, HTTP/2",
        "body_excludes = [\"zz\"]\n",
        http2::data_of_one_byte,
    ),
    #[cfg(feature = "http3")]
    by_three("a header without end, HTTP/3", "", |at| {
        http3::serve(&at, http3::ENDLESS_HEADER)
    }),
    #[cfg(feature = "http3")]
    by_three("8 000 header fields of a byte, HTTP/3", "", |at| {
        http3::serve(&at, http3::MANY_FIELDS)
    }),
    #[cfg(feature = "http3")]
    by_three(
        "DATA of one byte for ever, HTTP/3",
        "body_excludes = [\"zz\"]\n",
        |at| http3::serve(&at, http3::DATA_OF_ONE_BYTE),
    ),
    #[cfg(feature = "http3")]
    by_three(
        "empty DATA for ever, HTTP/3",
        "body_excludes = [\"zz\"]\n",
        |at| http3::serve(&at, http3::EMPTY_DATA),
    ),
    #[cfg(feature = "http3")]
    by_three("103 for ever, HTTP/3", "", |at| {
        http3::serve(&at, http3::INTERIM)
    }),
    #[cfg(feature = "http3")]
    by_three("unknown frames for ever, HTTP/3", "", |at| {
        http3::serve(&at, http3::UNKNOWN_FRAMES)
    }),
    #[cfg(feature = "http3")]
    by_three("GOAWAY for ever, HTTP/3", "", |at| {
        http3::serve(&at, http3::GOAWAYS)
    }),
    #[cfg(feature = "http3")]
    by_three("unknown control frames for ever, HTTP/3", "", |at| {
        http3::serve(&at, http3::UNKNOWN_CONTROL)
    }),
    #[cfg(feature = "http3")]
    by_three("new streams for ever, HTTP/3", "", |at| {
        http3::serve(&at, http3::Game::Streams)
    }),
    #[cfg(feature = "http3")]
    by_three("datagrams that mean nothing, HTTP/3", "", http3::garbage),
];

fn for_ever(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    loop {
        stream.write_all(bytes)?;
    }
}

fn answer(stream: &mut TcpStream, fields: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

fn answer_zstd(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    answer(stream, "Content-Encoding: zstd\r\n", bytes)
}

/// Blocks of 128 KiB from four bytes each (RFC 8878 section 3.1.1.2).
fn zstd_bomb() -> Vec<u8> {
    let block = (1_u32 << 1) | (131_072 << 3);
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 27 << 3];
    for _ in 0..16_000 {
        frame.extend_from_slice(&block.to_le_bytes()[..3]);
        frame.push(b'A');
    }
    frame.extend_from_slice(&[1, 0, 0]);
    frame
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}
