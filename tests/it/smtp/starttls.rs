//! STARTTLS: nothing that was said in clear counts inside TLS, wherever somebody on the path puts it.

use std::sync::Arc;

use sitewatch::domain::settings::SmtpTls;
use sitewatch::policy::outbox::retry::Outcome;

use super::server::{Act, At, Script};
use super::steps::{PATIENT, send, word};
use crate::support::pki::Pair;

/// Answers of a whole session in which all goes well.
const SESSION: &str =
    "250-mx\r\n250 8BITMIME\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 queued\r\n221 bye\r\n";

async fn against(at: At, bytes: Vec<u8>) -> (Outcome, usize) {
    let root = Pair::authority("Test Root", None, -10, 3650);
    let leaf = Pair::leaf(&["localhost"], Some(&root), -1, 90);
    let script = Script {
        tls: Some(Arc::new(leaf.server(&[]))),
        faults: vec![
            (at, None, 1, Act::Raw(bytes.leak())),
            (At::Rcpt, None, 9, Act::Say("550 5.1.1 no such user")),
        ],
        ..Script::default()
    };
    send(script, SmtpTls::Starttls, PATIENT, |smtp| {
        smtp.ca_pem = Some(root.pem.as_bytes().into());
    })
    .await
}

#[tokio::test]
async fn plain_text_behind_the_answer_to_starttls_pauses_the_transport() {
    for extra in [
        SESSION,
        "250-mx\r\n250 AUTH PLAIN\r\n",
        "250-evil",
        "2",
        "\r\n",
        "\n",
        "\0",
        "421 closing\r\n",
    ] {
        let bytes = format!("220 go\r\n{extra}").into_bytes();
        let (outcome, came) = against(At::StartTls, bytes).await;
        assert_eq!(
            (word(&outcome), came),
            ("pause", 0),
            "{extra:?}: {outcome:?}"
        );
        let text = format!("{outcome:?}");
        assert!(
            text.contains("plain text came where TLS should begin"),
            "{text}"
        );
    }
    let (outcome, _) = against(At::StartTls, b"220 go\r\n".to_vec()).await;
    assert_eq!(
        word(&outcome),
        "permanent",
        "nothing behind it: {outcome:?}"
    );
}

#[tokio::test]
async fn an_answer_before_that_to_starttls_does_not_stand_for_it() {
    for before in ["250 ok\r\n", "250-mx\r\n250 8BITMIME\r\n", "354 go\r\n"] {
        let bytes = format!("{before}220 go\r\n").into_bytes();
        let (outcome, came) = against(At::StartTls, bytes).await;
        assert_eq!(
            (word(&outcome), came),
            ("pause", 0),
            "{before:?}: {outcome:?}"
        );
    }
    // With the answer to EHLO, before we have said STARTTLS.
    for extra in ["220 go\r\n", "220 g", SESSION] {
        let bytes = format!("250-mx\r\n250 STARTTLS\r\n{extra}").into_bytes();
        let (outcome, came) = against(At::Ehlo, bytes).await;
        assert_eq!(came, 0, "{extra:?}: {outcome:?}");
        assert!(
            matches!(word(&outcome), "pause" | "later, all of it"),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn plain_text_in_a_packet_of_its_own_is_no_tls() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    for (pause_ms, extra) in [
        (0, SESSION),
        (30, SESSION),
        (30, "250 ok\r\n"),
        (30, "2"),
        (80, "250 ok"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = [0; 1000];
            stream.write_all(b"220 mx\r\n").await.unwrap();
            let _ = stream.read(&mut heard).await;
            stream
                .write_all(b"250-mx\r\n250 STARTTLS\r\n")
                .await
                .unwrap();
            let _ = stream.read(&mut heard).await;
            stream.set_nodelay(true).unwrap();
            stream.write_all(b"220 go\r\n").await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(pause_ms)).await;
            let _ = stream.write_all(extra.as_bytes()).await;
            // Until the client goes.
            while matches!(stream.read(&mut heard).await, Ok(1..)) {}
        });
        let outcome =
            super::steps::to_port(port, SmtpTls::Starttls, std::time::Duration::from_secs(3)).await;
        // Of a few bytes TLS waits for more: then it is the end of the time, and nothing was sent either.
        let is_short = extra.len() < 5;
        let want = if is_short {
            vec!["pause", "later, all of it"]
        } else {
            vec!["pause"]
        };
        assert!(
            want.contains(&word(&outcome)),
            "{pause_ms} {extra:?}: {outcome:?}"
        );
        server.abort();
    }
}
