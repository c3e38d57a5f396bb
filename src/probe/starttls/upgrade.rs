//! One dialogue, by its protocol.

use tokio::io::{AsyncRead, AsyncWrite};

use super::dialogue::{Dialogue, UpgradeFault};
use super::{ftp, imap, ldap, mysql, pop3, postgres, smtp, xmpp};
use crate::domain::starttls::StartTls;

/// Asks the server for TLS. After `Ok` the next bytes on the stream are the client's first message of TLS. The caller
/// keeps the deadline: a server that is silent here has not given its go-ahead.
///
/// # Errors
/// Why there is no TLS.
pub(in crate::probe) async fn upgrade(
    protocol: StartTls,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin + Send),
    host: &str,
) -> Result<(), UpgradeFault> {
    let mut dialogue = Dialogue::new(protocol, stream);
    match protocol {
        StartTls::Smtp => smtp::ask(&mut dialogue).await?,
        StartTls::Imap => imap::ask(&mut dialogue).await?,
        StartTls::Pop3 => pop3::ask(&mut dialogue).await?,
        StartTls::Ftp => ftp::ask(&mut dialogue).await?,
        StartTls::Ldap => ldap::ask(&mut dialogue).await?,
        StartTls::Postgres => postgres::ask(&mut dialogue).await?,
        StartTls::Mysql => return mysql::ask(&mut dialogue).await,
        StartTls::Xmpp => xmpp::ask(&mut dialogue, host).await?,
    }
    dialogue.is_silent_now()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What a scripted server does: `<` waits for these bytes of ours, `>` sends.
    type Script<'a> = &'a [(char, &'a [u8])];

    /// Runs a dialogue against a script, the server's bytes in pieces of `size`; says what came of it.
    async fn outcome(protocol: StartTls, script: Script<'_>, size: usize) -> String {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let serve = async move {
            for (side, bytes) in script {
                if *side == '>' {
                    for piece in bytes.chunks(size) {
                        if theirs.write_all(piece).await.is_err() {
                            return None;
                        }
                        tokio::task::yield_now().await;
                    }
                } else {
                    let mut read = vec![0; bytes.len()];
                    theirs.read_exact(&mut read).await.ok()?;
                    assert_eq!(
                        String::from_utf8_lossy(&read),
                        String::from_utf8_lossy(bytes)
                    );
                }
            }
            Some(theirs)
        };
        let asking = async move {
            let mut ours = ours;
            match upgrade(protocol, &mut ours, "mx.test").await {
                Ok(()) => "ready".to_owned(),
                Err(fault) => {
                    let (kind, detail) = fault.told(protocol);
                    format!("{kind}: {detail}")
                }
            }
        };
        // A script that is over closes the connection.
        let (told, _) = tokio::join!(asking, async { drop(serve.await) });
        told
    }

    async fn check(protocol: StartTls, script: Script<'_>, want: &str) {
        for size in [1, 3, 1 << 16] {
            let told = outcome(protocol, script, size).await;
            // The end of what is quoted may not have come yet.
            assert!(
                told == want || want.strip_suffix('*').is_some_and(|w| told.starts_with(w)),
                "{protocol} by {size}: {told}\nwant {want}"
            );
        }
    }

    fn hello() -> Vec<u8> {
        format!("EHLO {}\r\n", smtp::own_name()).into_bytes()
    }

    #[tokio::test]
    async fn smtp_asks_after_ehlo() {
        let ehlo = hello();
        let p = StartTls::Smtp;
        let offer = b"250-mx.test\r\n250-SIZE 1\r\n250 starttls\r\n";
        check(
            p,
            &[
                ('>', b"220-mx\r\n220 ESMTP\r\n"),
                ('<', &ehlo),
                ('>', offer),
                ('<', b"STARTTLS\r\n"),
                ('>', b"220 2.0.0 go\r\n"),
            ],
            "ready",
        )
        .await;
        check(
            p,
            &[
                ('>', b"220 mx\r\n"),
                ('<', &ehlo),
                ('>', b"250-mx\r\n250 SIZE 1\r\n"),
            ],
            "tls_handshake: the SMTP server does not offer STARTTLS; its answer to EHLO: `250 mx SIZE 1`",
        )
        .await;
        check(
            p,
            &[
                ('>', b"220 mx\r\n"),
                ('<', &ehlo),
                ('>', offer),
                ('<', b"STARTTLS\r\n"),
                ('>', b"454 4.7.0 TLS not available\x1b[31m\r\n"),
            ],
            "tls_handshake: the SMTP server refuses STARTTLS: `454 4.7.0 TLS not available [31m`",
        )
        .await;
        check(
            p,
            &[('>', b"554 no service\r\n")],
            "tls_handshake: the SMTP server greets with an error: `554 no service`",
        )
        .await;
        check(
            p,
            &[('>', b"220 mx\r\n"), ('<', &ehlo), ('>', b"502 what?\r\n")],
            "tls_handshake: the SMTP server answers EHLO with an error: `502 what?`",
        )
        .await;
        check(
            p,
            &[('>', b"HTTP/1.1 400 Bad Request\r\n")],
            "tls_handshake: the server does not speak SMTP: `HTTP/1.1 400 Bad Request`",
        )
        .await;
        check(
            p,
            &[],
            "closed_early: the server closed the connection without a byte",
        )
        .await;
        check(
            p,
            &[('>', b"220 mx\r\n"), ('<', &ehlo), ('>', b"250-mx\r\n")],
            "closed_early: the server closed the connection before its go-ahead for TLS (STARTTLS); its last words: `250-mx`",
        )
        .await;
    }

    #[tokio::test]
    async fn nothing_may_follow_the_go_ahead() {
        let ehlo = hello();
        let told = outcome(
            StartTls::Smtp,
            &[
                ('>', b"220 mx\r\n"),
                ('<', &ehlo),
                ('>', b"250-mx\r\n250 STARTTLS\r\n"),
                ('<', b"STARTTLS\r\n"),
                ('>', b"220 go\r\n250 injected\r\n"),
            ],
            1 << 16,
        )
        .await;
        assert_eq!(
            told,
            "tls_handshake: the SMTP server sends plaintext after its go-ahead for TLS (STARTTLS): `250 injected`"
        );
        let told = outcome(
            StartTls::Postgres,
            &[('<', b"\0\0\0\x08\x04\xd2\x16\x2f"), ('>', b"Sx")],
            1 << 16,
        )
        .await;
        assert_eq!(
            told,
            "tls_handshake: the PostgreSQL server sends plaintext after its go-ahead for TLS (SSLRequest): `x`"
        );
        // An answer that nobody asked for must not become the next one's.
        let told = outcome(
            StartTls::Pop3,
            &[('>', b"+OK hello\r\n+OK begin\r\n")],
            1 << 16,
        )
        .await;
        assert_eq!(
            told,
            "tls_handshake: the POP3 server sends more than it was asked for: `+OK begin`"
        );
    }

    #[tokio::test]
    async fn endless_answers_have_an_end() {
        let long = [b"220 ".as_slice(), &[b'x'; 9000]].concat();
        let many = b"220-x\r\n".repeat(4000);
        for protocol in [StartTls::Smtp, StartTls::Ftp] {
            let told = outcome(protocol, &[('>', &long)], 1 << 16).await;
            assert!(told.contains("a line of more than"), "{told}");
            let told = outcome(protocol, &[('>', &many)], 1 << 16).await;
            assert!(told.contains("an answer without end"), "{told}");
        }
        let flood = b"* 1 EXISTS\r\n".repeat(4000);
        let told = outcome(
            StartTls::Imap,
            &[
                ('>', b"* OK\r\n"),
                ('<', b"a1 CAPABILITY\r\n"),
                ('>', &flood),
            ],
            1 << 16,
        )
        .await;
        assert!(told.contains("an answer without end"), "{told}");
        let flood = [
            b"<stream:stream><stream:features>".as_slice(),
            &b"<a>".repeat(40_000),
        ]
        .concat();
        let told = outcome(StartTls::Xmpp, &[('>', &flood)], 1 << 16).await;
        assert!(told.contains("an answer without end"), "{told}");
    }

    #[tokio::test]
    async fn imap_asks_what_there_is_first() {
        let p = StartTls::Imap;
        check(
            p,
            &[
                ('>', b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n"),
                ('<', b"a1 CAPABILITY\r\n"),
                ('>', b"* CAPABILITY IMAP4rev1 StartTLS\r\na1 OK done\r\n"),
                ('<', b"a2 STARTTLS\r\n"),
                ('>', b"* 3 EXISTS\r\na2 OK Begin TLS\r\n"),
            ],
            "ready",
        )
        .await;
        // What a server does not say of itself is tried.
        check(
            p,
            &[
                ('>', b"* OK\r\n"),
                ('<', b"a1 CAPABILITY\r\n"),
                ('>', b"a1 BAD unknown\r\n"),
                ('<', b"a2 STARTTLS\r\n"),
                ('>', b"a2 NO not here\r\n"),
            ],
            "tls_handshake: the IMAP server refuses STARTTLS: `NO not here`",
        )
        .await;
        check(
            p,
            &[
                ('>', b"* OK\r\n"),
                ('<', b"a1 CAPABILITY\r\n"),
                ('>', b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\na1 OK\r\n"),
            ],
            "tls_handshake: the IMAP server does not offer STARTTLS; its capabilities: `IMAP4REV1 LOGINDISABLED`",
        )
        .await;
        check(
            p,
            &[('>', b"* BYE busy\r\n")],
            "tls_handshake: the IMAP server greets with an error: `* BYE busy`",
        )
        .await;
        check(
            p,
            &[('>', b"* PREAUTH hello\r\n")],
            "tls_handshake: the IMAP server greets as logged in already, and then there is no STARTTLS: `* PREAUTH hello`",
        )
        .await;
        check(
            p,
            &[
                ('>', b"* OK\r\n"),
                ('<', b"a1 CAPABILITY\r\n"),
                ('>', b"* BYE overloaded\r\n"),
            ],
            "tls_handshake: the IMAP server says goodbye: `* BYE overloaded`",
        )
        .await;
    }

    #[tokio::test]
    async fn pop3_and_ftp_ask_at_once() {
        check(
            StartTls::Pop3,
            &[
                ('>', b"+OK ready\r\n"),
                ('<', b"STLS\r\n"),
                ('>', b"+OK begin\r\n"),
            ],
            "ready",
        )
        .await;
        check(
            StartTls::Pop3,
            &[
                ('>', b"+OK ready\r\n"),
                ('<', b"STLS\r\n"),
                ('>', b"-ERR unknown command\r\n"),
            ],
            "tls_handshake: the POP3 server refuses STLS: `-ERR unknown command`",
        )
        .await;
        check(
            StartTls::Pop3,
            &[('>', b"-ERR busy\r\n")],
            "tls_handshake: the POP3 server greets with an error: `-ERR busy`",
        )
        .await;
        check(
            StartTls::Pop3,
            &[('>', b"220 smtp\r\n")],
            "tls_handshake: the server does not speak POP3: `220 smtp`",
        )
        .await;
        check(
            StartTls::Ftp,
            &[
                (
                    '>',
                    b"120 in a minute\r\n220-Hello\r\n  any 220 words\r\n220 ready\r\n",
                ),
                ('<', b"AUTH TLS\r\n"),
                ('>', b"234 go\r\n"),
            ],
            "ready",
        )
        .await;
        check(
            StartTls::Ftp,
            &[
                ('>', b"220 ready\r\n"),
                ('<', b"AUTH TLS\r\n"),
                ('>', b"530 Please login with USER and PASS.\r\n"),
            ],
            "tls_handshake: the FTP server refuses AUTH TLS: `530 Please login with USER and PASS.`",
        )
        .await;
        check(
            StartTls::Ftp,
            &[('>', b"421 too many\r\n")],
            "tls_handshake: the FTP server greets with an error: `421 too many`",
        )
        .await;
    }

    const LDAP_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

    #[tokio::test]
    async fn ldap_reads_the_result() {
        let p = StartTls::Ldap;
        let ok = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
        check(p, &[('<', LDAP_REQUEST), ('>', ok)], "ready").await;
        // Lengths in the long form, as Active Directory writes them, and the name of the answer.
        let long = b"\x30\x84\x00\x00\x00\x28\x02\x01\x01\x78\x84\x00\x00\x00\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20037";
        check(p, &[('<', LDAP_REQUEST), ('>', long)], "ready").await;
        let no = b"\x30\x1b\x02\x01\x01\x78\x16\x0a\x01\x02\x04\x00\x04\x0funsupported ext";
        check(
            p,
            &[('<', LDAP_REQUEST), ('>', no)],
            "tls_handshake: the LDAP server refuses STARTTLS: `unsupported ext` (protocolError, 2)",
        )
        .await;
        let bye = b"\x30\x0c\x02\x01\x00\x78\x07\x0a\x01\x34\x04\x00\x04\x00";
        check(
            p,
            &[('<', LDAP_REQUEST), ('>', bye)],
            "tls_handshake: the LDAP server refuses STARTTLS: unavailable, 52",
        )
        .await;
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"\x30\x80\x02\x01",
            b"\x30\x85\x01\x01\x01\x01\x01",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x03\x02\x01\x01",
            b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
            b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x7f\x04\x00",
        ] {
            let told = outcome(p, &[('<', LDAP_REQUEST), ('>', bytes)], 1 << 16).await;
            assert!(
                told.starts_with("tls_handshake: the server does not speak LDAP"),
                "{bytes:?}: {told}"
            );
        }
    }

    #[tokio::test]
    async fn postgres_answers_one_byte() {
        let p = StartTls::Postgres;
        let request = b"\0\0\0\x08\x04\xd2\x16\x2f";
        check(p, &[('<', request), ('>', b"S")], "ready").await;
        check(
            p,
            &[('<', request), ('>', b"N")],
            "tls_handshake: the PostgreSQL server does not offer TLS (its answer to SSLRequest: `N`)",
        )
        .await;
        check(
            p,
            &[
                ('<', request),
                ('>', b"E\0\0\0\x24SFATAL\0C53300\0Mtoo many clients\0\0"),
            ],
            "tls_handshake: the PostgreSQL server answers SSLRequest with an error: `too many clients`",
        )
        .await;
        check(
            p,
            &[('<', request), ('>', b"Ecould not fork\n\0")],
            "tls_handshake: the PostgreSQL server answers SSLRequest with an error: `could not fork`",
        )
        .await;
        let told = outcome(p, &[('<', request), ('>', b"HTTP/1.1 400\r\n")], 1 << 16).await;
        assert_eq!(
            told,
            "tls_handshake: the server does not speak PostgreSQL: `HTTP/1.1 400`"
        );
    }

    #[tokio::test]
    async fn mysql_offers_by_a_flag() {
        let p = StartTls::Mysql;
        let greeting = |low: u16| {
            let mut payload = b"\x0a8.0.40\0".to_vec();
            payload.extend([1, 0, 0, 0]);
            payload.extend(*b"saltsalt\0");
            payload.extend(low.to_le_bytes());
            payload.extend([0x21, 2, 0, 0, 0]);
            let mut packet = vec![u8::try_from(payload.len()).unwrap(), 0, 0, 0];
            packet.extend(payload);
            packet
        };
        let mut request = vec![32, 0, 0, 1, 0x00, 0x8a, 0, 0, 0, 0, 0, 1, 0x21];
        request.extend([0; 23]);
        check(p, &[('>', &greeting(0xffff)), ('<', &request)], "ready").await;
        check(
            p,
            &[('>', &greeting(0xf7ff))],
            "tls_handshake: the MySQL server does not offer TLS (it is version `8.0.40`)",
        )
        .await;
        check(
            p,
            &[('>', b"\x12\0\0\0\xff\x69\x04Host is blocked")],
            "tls_handshake: the MySQL server greets with an error: `1129 Host is blocked`",
        )
        .await;
        check(
            p,
            &[('>', b"\x12\0\0\0\xff\x69\x04#HY000not today")],
            "tls_handshake: the MySQL server greets with an error: `1129 not today`",
        )
        .await;
        let told = outcome(p, &[('>', b"HTTP/1.1 400 Bad Request\r\n")], 1 << 16).await;
        assert!(
            told.starts_with("tls_handshake: the server does not speak MySQL"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn xmpp_looks_for_the_feature() {
        let p = StartTls::Xmpp;
        let begin: &[u8] = b"<?xml version='1.0'?><stream:stream to='mx.test' version='1.0' \
            xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
        let head: &[u8] =
            b"<?xml version='1.0'?><stream:stream from='mx.test' id='>' version='1.0'>";
        let offer: &[u8] = b"<stream:features><mechanisms><mechanism>PLAIN</mechanism></mechanisms><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>\
            <required/></starttls></stream:features>";
        let ask: &[u8] = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
        check(
            p,
            &[
                ('<', begin),
                ('>', head),
                ('>', offer),
                ('<', ask),
                ('>', b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
            ],
            "ready",
        )
        .await;
        check(
            p,
            &[
                ('<', begin),
                ('>', head),
                ('>', offer),
                ('<', ask),
                (
                    '>',
                    b"<proceed xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"></proceed>",
                ),
            ],
            "ready",
        )
        .await;
        check(
            p,
            &[
                ('<', begin),
                ('>', head),
                ('>', offer),
                ('<', ask),
                ('>', b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"),
            ],
            "tls_handshake: the XMPP server refuses STARTTLS: `<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>*",
        )
        .await;
        check(
            p,
            &[
                ('<', begin),
                ('>', head),
                ('>', b"<stream:features><mechanisms/></stream:features>"),
            ],
            "tls_handshake: the XMPP server does not offer STARTTLS; its features: `mechanisms`",
        )
        .await;
        check(
            p,
            &[('<', begin), ('>', head), ('>', b"<stream:features/>")],
            "tls_handshake: the XMPP server does not offer STARTTLS; its features: none",
        )
        .await;
        check(
            p,
            &[
                ('<', begin),
                ('>', head),
                ('>', b"<stream:error><host-unknown/></stream:error>"),
            ],
            "tls_handshake: the XMPP server answers with an error: `host-unknown`",
        )
        .await;
        let told = outcome(
            p,
            &[('<', begin), ('>', b"HTTP/1.1 400 Bad Request\r\n\r\n")],
            1 << 16,
        )
        .await;
        assert!(
            told.starts_with("tls_handshake: the server does not speak XMPP"),
            "{told}"
        );
    }

    #[tokio::test]
    async fn strangers_bytes_end_every_dialogue() {
        // Each beginning of noise ends in a fault, never in a panic or a wait.
        let mut noise = Vec::new();
        let mut seed = 7_u32;
        for _ in 0..6000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.push(seed.to_be_bytes()[0]);
        }
        for protocol in StartTls::ALL {
            for length in [0, 1, 2, 3, 5, 9, 30, 6000] {
                let told = outcome(protocol, &[('>', &noise[..length])], 64).await;
                assert_ne!(told, "ready", "{protocol} {length}");
            }
        }
    }
}
