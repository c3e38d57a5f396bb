//! A site that is silent over UDP: whose fault that is, the canaries say.

use std::net::UdpSocket;

use serde_json::Value;

use super::{House, Site, text};
use crate::support::dns::NameServer;
use crate::support::h2_site::{H2Site, Two};
use crate::support::h3_site::{H3Site, Three, headers};
use crate::support::pki::good_site;

fn silent() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// The newest check of a site that is silent, while a canary answers by TCP and says that HTTP/3 is at this port.
async fn newest(canary_quic: u16, root: &str, server: rustls::ServerConfig) -> Value {
    let alt_svc = format!("Alt-Svc: h3=\":{canary_quic}\"");
    let one = format!("HTTP/1.1 200 OK\r\n{alt_svc}\r\nContent-Length: 0\r\n\r\n");
    let canary = H2Site::new(server, &one, Two::answer(200, "")).await;
    let dns = NameServer::loopback().await;
    let (_socket, port) = silent();
    // What is reached at all ends the doubts of a start.
    let other = Site::start(200);
    let house = House::new(&format!(
        "[dns]\nservers = [\"{}\"]\n\n[connectivity]\ncanaries = [\"https://site.test:{}/\"]\n\n\
         [[monitor]]\nname = \"quic\"\nurl = \"https://site.test:{port}/\"\nhttp = \"3\"\ntimeout = \"1s\"\n\n\
         [[monitor]]\nname = \"other\"\nurl = \"http://127.0.0.1:{}/\"\n",
        dns.address,
        canary.port(),
        other.port
    ));
    std::fs::write(house.path().join("anchors.pem"), root).unwrap();
    let _daemon = house.start().await;
    let newest = || {
        let output = house.ask(&["history", "quic", "--limit", "1", "--json"]);
        serde_json::from_str::<Value>(text(&output.stdout).lines().next()?).ok()
    };
    let doubts = "nothing was reached yet";
    let is_judged = |check: &Value| !check["failure"]["detail"].to_string().contains(doubts);
    house
        .until("a check", || newest().as_ref().is_some_and(is_judged))
        .await;
    newest().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_that_does_not_get_through_blames_nobody() {
    let (root, server) = good_site();
    let (_socket, port) = silent();
    let check = newest(port, &root.pem, server).await;
    assert_eq!(check["state"], "unknown", "{check}");
    assert_eq!(check["failure"]["kind"], "local", "{check}");
    let detail = check["failure"]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("UDP does not get through from here"),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_answers_by_quic_blames_the_site() {
    let (root, server) = good_site();
    let alive = H3Site::new(server.clone(), Three::Frames(headers(&[])));
    let check = newest(alive.port(), &root.pem, server).await;
    assert_eq!(check["state"], "down", "{check}");
    assert_eq!(check["failure"]["kind"], "connect_timeout", "{check}");
}

/// The same where the site itself answers by TCP and offers HTTP/3, at a port that is silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offered_version_is_not_blamed_for_it_either() {
    let (root, server) = good_site();
    let (_quiet, place) = silent();
    let one = format!("HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":{place}\"\r\nContent-Length: 0\r\n\r\n");
    let site = H2Site::new(server.clone(), &one, Two::answer(200, "")).await;
    let (_also, port) = silent();
    let one = format!("HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":{port}\"\r\nContent-Length: 0\r\n\r\n");
    let canary = H2Site::new(server, &one, Two::answer(200, "")).await;
    let dns = NameServer::loopback().await;
    let house = House::new(&format!(
        "[dns]\nservers = [\"{}\"]\n\n[connectivity]\ncanaries = [\"https://site.test:{}/\"]\n\n\
         [[monitor]]\nname = \"shop\"\nurl = \"https://site.test:{}/\"\nca_file = \"anchors.pem\"\n\
         http = \"offered\"\ntimeout = \"1s\"\n",
        dns.address,
        canary.port(),
        site.port(),
    ));
    std::fs::write(house.path().join("anchors.pem"), &root.pem).unwrap();
    let _daemon = house.start().await;
    let checks = || -> Vec<Value> {
        let output = house.ask(&["history", "shop", "--limit", "50", "--json"]);
        let lines = text(&output.stdout);
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    house.until("four checks", || checks().len() >= 4).await;
    for check in checks() {
        assert_eq!(check["state"], "up", "{check}");
        let three = &check["versions"][2];
        assert_eq!(three["version"], "HTTP/3", "{check}");
        assert_eq!(three["state"], "unknown", "{check}");
        let detail = three["failure"]["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("UDP does not get through from here"),
            "{detail}"
        );
    }
    assert!(house.subjects().is_empty(), "{:?}", house.subjects());
}
