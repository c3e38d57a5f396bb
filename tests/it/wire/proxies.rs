//! CONNECT: what a proxy may say, and that its faults are called its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use sitewatch::domain::check::Check;
use sitewatch::domain::failure_help;
use sitewatch::domain::target::{Proxy, Target};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use url::Url;

use crate::support::check::{check_with, expectation, nameless, summary, target, verdict};
use crate::support::pki::good_site;
use crate::support::raw::{Raw, end_in_order, read_head, send_without_end};
use crate::support::site::{DeafPort, Site, answer, closed_port};

fn through(proxy: &str, url: &str) -> Target {
    let mut target = target(url);
    target.timeout = Duration::from_secs(2);
    target.proxy = Proxy::Through(Url::parse(&format!("http://{proxy}")).expect("a URL"));
    target
}

async fn at_proxy(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> (String, Check) {
    let proxy = Raw::start(move |mut stream| {
        read_head(&mut stream);
        handle(stream);
    });
    let name = format!("the proxy {}", proxy.address);
    let mut target = through(&proxy.address.to_string(), "https://site.test/");
    target.timeout = Duration::from_millis(700);
    let check = check_with(&nameless(), target, &expectation()).await;
    (name, check)
}

/// Whether the advice for a failed check is about the proxy.
fn blames_the_proxy(check: &Check) -> bool {
    let failure = check.verdict.failure().expect("a failed check");
    let explained = failure_help::of_failure(check.kind(), failure.kind, &failure.detail);
    explained
        .meaning
        .contains("Nothing is known about the site")
}

#[tokio::test]
async fn a_refusal_is_told_as_the_proxy_puts_it() {
    for (answer, want) in [
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\ndenied!",
            "refuses the tunnel (CONNECT): 403 Forbidden",
        ),
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
            "refuses the tunnel (CONNECT): 407 Proxy Authentication Required: it wants a user name \
             and a password that it knows",
        ),
        ("HTTP/1.0 503\n\n", "refuses the tunnel (CONNECT): 503"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\n\r\n",
            "refuses the tunnel (CONNECT): 302 Found",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 500 \x1b[31mOops\r\n\r\n",
            "refuses the tunnel (CONNECT): 500 ",
        ),
        (
            "<html>portal</html>\r\n\r\n",
            "does not answer in HTTP when it is asked for a tunnel (CONNECT), but `<html>portal</html>`",
        ),
        (
            "",
            "closed the connection without an answer when it was asked for a tunnel (CONNECT)",
        ),
        (
            "HTTP/1.1 200 OK\r\n",
            "closed the connection without an answer when it was asked for a tunnel (CONNECT)",
        ),
    ] {
        let (name, check) = at_proxy(move |mut stream| {
            let _ = stream.write_all(answer.as_bytes());
            end_in_order(stream);
        })
        .await;
        let said = summary(&check);
        let want = format!("down connect_refused: {name} {want}");
        assert!(said.starts_with(&want), "{answer:?}: {said}");
        assert!(blames_the_proxy(&check), "{said}");
        assert!(!said.contains('\x1b'), "{said:?}");
    }
}

#[tokio::test]
async fn a_proxy_without_end_is_bounded() {
    let header: fn(TcpStream) = |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        send_without_end(&mut stream, &b"A: b\r\n".repeat(100));
    };
    let line: fn(TcpStream) = |mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 ");
        send_without_end(&mut stream, &[b'x'; 1000]);
    };
    let interim: fn(TcpStream) =
        |mut stream| send_without_end(&mut stream, &b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100));
    for flood in [header, line, interim] {
        let (name, check) = at_proxy(flood).await;
        let want = format!(
            "down connect_refused: {name} has an answer without end when it is asked for a tunnel (CONNECT)"
        );
        assert_eq!(summary(&check), want);
    }
}

#[tokio::test]
async fn silence_is_the_proxys_and_so_is_a_reset() {
    let (name, check) = at_proxy(|mut stream| {
        // Says nothing until the other side gives up.
        let _ = stream.read_to_end(&mut Vec::new());
    })
    .await;
    let want = format!(
        "down connect_timeout: {name} is connected and does not answer when it is asked for a tunnel \
         (CONNECT) within the timeout of 700ms"
    );
    assert_eq!(summary(&check), want);
    assert!(blames_the_proxy(&check));
    let (name, check) = at_proxy(|stream| {
        let stream = tokio_linger(stream);
        drop(stream);
    })
    .await;
    let want = format!(
        "down connect_reset: {name} reset the connection when it was asked for a tunnel (CONNECT)"
    );
    assert_eq!(summary(&check), want);
    // One that is not reached at all.
    let closed = closed_port().await;
    let deaf = DeafPort::new().await;
    for (proxy, url, want) in [
        (
            format!("127.0.0.1:{closed}"),
            "https://site.test/",
            "down connect_refused",
        ),
        (
            format!("127.0.0.1:{closed}"),
            "http://site.test/",
            "down connect_refused",
        ),
        (
            format!("127.0.0.1:{}", deaf.port),
            "https://site.test/",
            "down connect_timeout",
        ),
        (
            format!("127.0.0.1:{}", deaf.port),
            "http://site.test/",
            "down connect_timeout",
        ),
    ] {
        let mut target = through(&proxy, url);
        target.timeout = Duration::from_millis(400);
        let check = check_with(&nameless(), target, &expectation()).await;
        assert_eq!(verdict(&check), want, "{}", summary(&check));
        let said = summary(&check);
        assert!(said.contains(&format!("at the proxy {proxy}: ")), "{said}");
        assert!(blames_the_proxy(&check), "{said}");
    }
}

/// A connection whose end is a reset.
fn tokio_linger(stream: TcpStream) -> TcpStream {
    let socket = rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
    socket.expect("an option of every socket");
    stream
}

/// A proxy that opens each tunnel with these pieces, a moment apart.
async fn opening(
    pieces: &'static [&'static [u8]],
    to: std::net::SocketAddr,
) -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let byte = tokio::io::AsyncReadExt::read_u8(&mut stream).await;
                head.push(byte.expect("a request"));
            }
            let mut onward = tokio::net::TcpStream::connect(to).await.expect("the site");
            for piece in pieces {
                let _ = stream.write_all(piece).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
        }
    });
    (port, serving)
}

#[tokio::test]
async fn any_2xx_opens_the_tunnel_however_it_is_cut() {
    let (root, server) = good_site();
    let site = Site::tls(server, |_| answer(200, "", "hello")).await;
    let openings: [&[&[u8]]; 9] = [
        &[b"HTTP/1.1 200 Connection established\r\n\r\n"],
        &[b"HTTP/1.0 200 OK\r\nProxy-agent: tiny\r\nVia: 1.1 x\r\n\r\n"],
        &[b"HTTP/1.1 200\r\n\r\n"],
        &[b"HTTP/1.1 200 \r\n\r\n"],
        &[b"HTTP/1.0 200 OK\n\n"],
        &[b"HTTP/1.1 204 No Content\r\n\r\n"],
        &[b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"],
        &[
            b"HTTP/1.1 2",
            b"00 Co",
            b"nnected\r\nA: b\r",
            b"\n\r",
            b"\n",
        ],
        &[b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ];
    for pieces in openings {
        let (port, serving) = opening(pieces, site.address).await;
        let mut target = through(&format!("127.0.0.1:{port}"), "https://site.test/");
        target.ca_pem = Some(root.pem.as_bytes().into());
        let check = check_with(&nameless(), target, &expectation()).await;
        let said = summary(&check);
        assert_eq!(verdict(&check), "up 200", "{:?}: {said}", pieces[0]);
        serving.abort();
    }
}

#[tokio::test]
async fn what_an_http_site_does_behind_a_proxy_is_told_of_the_proxy() {
    let proxy = Raw::start(|mut stream| {
        read_head(&mut stream);
    });
    let target = through(&proxy.address.to_string(), "http://site.test/");
    let check = check_with(&nameless(), target, &expectation()).await;
    let said = summary(&check);
    let want = format!("down closed_early: at the proxy {}: ", proxy.address);
    assert!(said.starts_with(&want), "{said}");
}
