//! HTTP/2: what is asked, what is made of every way in which it breaks, and what a server can make us hold.

use std::time::Duration;

use sitewatch::domain::check::{Check, HttpVersion};
use sitewatch::domain::http_choice::HttpChoice;
use sitewatch::domain::target::{Method, Target};

use crate::support::check::{asking, check_with, expectation, summary, target, verdict};
use crate::support::dns::NameServer;
use crate::support::h2_site::{H2Site, Then, Two, field, frame, headers, settings};
use crate::support::pki::good_site;
use crate::support::site::{Site, answer, redirect};

const ONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// One check with `http = "2"` of a site that does this.
async fn look(two: Two, change: impl FnOnce(&mut Target)) -> (Check, H2Site) {
    let (root, server) = good_site();
    let site = H2Site::new(server, ONE, two).await;
    let dns = NameServer::loopback().await;
    let mut target = target(&format!("https://site.test:{}/a?b=c", site.port()));
    target.ca_pem = Some(root.pem.as_bytes().into());
    target.http = HttpChoice::Two;
    target.timeout = Duration::from_secs(5);
    change(&mut target);
    let check = check_with(&asking(&[&dns]), target, &expectation()).await;
    (check, site)
}

async fn of_frames(frames: Vec<Vec<u8>>, then: Then) -> Check {
    let all = [settings(), frames.concat()].concat();
    let soon = |target: &mut Target| target.timeout = Duration::from_secs(2);
    look(Two::Frames(all, then), soon).await.0
}

#[tokio::test]
async fn the_request_is_one_of_http_2() {
    let (check, site) = look(Two::answer(200, "hello"), |target| {
        target.headers = vec![(
            "X-Key".to_owned(),
            sitewatch::domain::secret::Secret::new("v"),
        )];
    })
    .await;
    assert_eq!(summary(&check), "up 200");
    assert_eq!(check.http_version, Some(HttpVersion::Http2));
    assert_eq!(check.body_bytes, 5);
    let timings = check.timings;
    assert!(timings.tls.is_some() && timings.ttfb.is_some() && timings.body.is_some());
    assert!(check.certificate.is_some());
    let (request, body) = site.received().pop().expect("a request");
    assert_eq!(request.method(), "GET");
    assert_eq!(
        request.uri().path_and_query().expect("a path").as_str(),
        "/a?b=c"
    );
    let authority = request.uri().authority().expect("an authority").as_str();
    assert_eq!(authority, format!("site.test:{}", site.port()));
    assert_eq!(request.headers()["x-key"], "v");
    assert!(request.headers().contains_key("user-agent"));
    for gone in ["connection", "host", "transfer-encoding"] {
        assert!(!request.headers().contains_key(gone), "{gone}");
    }
    assert!(body.is_empty());
}

#[tokio::test]
async fn bodies_go_and_come() {
    let sent = vec![b'x'; 200_000];
    let body = "y".repeat(300_000);
    let (check, site) = look(Two::answer(200, &body), |target| {
        target.method = Method::Post;
        target.body = Some(sent.clone().into());
        target.wants_body = true;
    })
    .await;
    assert_eq!(summary(&check), "up 200");
    assert_eq!(check.body_bytes, 300_000);
    let (request, came) = site.received().pop().expect("a request");
    assert_eq!(request.method(), "POST");
    assert_eq!(came.len(), sent.len());
    let (check, _) = look(Two::answer(200, &body), |target| target.max_body = 1000).await;
    assert_eq!(
        (summary(&check), check.body_bytes),
        ("up 200".to_owned(), 1000)
    );
    let (check, _) = look(Two::answer(204, ""), |target| target.method = Method::Head).await;
    assert_eq!(summary(&check), "up 204");
    let (check, _) = look(Two::answer(503, "busy"), |_| {}).await;
    assert_eq!(verdict(&check), "down status 503");
}

#[tokio::test]
async fn another_version_is_http_version() {
    let (root, server) = good_site();
    let site = Site::tls(server, |_| answer(200, "", "x")).await;
    let dns = NameServer::loopback().await;
    let mut https = target(&format!("https://site.test:{}/", site.port()));
    https.ca_pem = Some(root.pem.as_bytes().into());
    https.http = HttpChoice::Two;
    let check = check_with(&asking(&[&dns]), https, &expectation()).await;
    assert_eq!(
        summary(&check),
        "down http_version 200: the answer came by HTTP/1.1, not by HTTP/2: the server does not agree to it"
    );
    let plain = Site::plain(|_| answer(503, "", "x")).await;
    let mut http = target(&plain.url("/"));
    http.http = HttpChoice::Two;
    let check = check_with(&asking(&[&dns]), http, &expectation()).await;
    assert_eq!(
        summary(&check),
        "down http_version 503: the answer came by HTTP/1.1, not by HTTP/2: an http:// URL is never asked by it"
    );
}

#[tokio::test]
async fn the_final_answer_alone_must_come_by_it() {
    let (root, server) = good_site();
    let end = H2Site::new(server.clone(), ONE, Two::answer(200, "end")).await;
    let location = format!("https://site.test:{}/end", end.port());
    let first = Site::tls(server, move |_| redirect(302, &location)).await;
    let dns = NameServer::loopback().await;
    let mut target = target(&format!("https://site.test:{}/", first.port()));
    target.ca_pem = Some(root.pem.as_bytes().into());
    target.http = HttpChoice::Two;
    let check = check_with(&asking(&[&dns]), target, &expectation()).await;
    assert_eq!(summary(&check), "up 200");
    assert_eq!(check.chain.redirects.len(), 1);
    assert_eq!(check.http_version, Some(HttpVersion::Http2));
}

#[tokio::test]
async fn what_breaks_after_it_was_agreed_keeps_its_kind() {
    let go_away = |code: u8| frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, code]);
    let reset = |code: u8| frame(3, 0, 1, &[0, 0, 0, code]);
    let promise = [
        &[0, 0, 0, 2, 0x82, 0x84, 0x87][..],
        &field(":authority", "a"),
    ]
    .concat();
    let length = |length: &str| field("content-length", length);
    let data = |ends: u8, bytes: &[u8]| frame(0, ends, 1, bytes);
    for (frames, then, want) in [
        (vec![], Then::Hang, "down timeout_response"),
        (vec![], Then::Close, "down closed_early"),
        (vec![], Then::Reset, "down connect_reset"),
        (
            vec![b"HTTP/1.1 200 OK\r\n\r\n".repeat(9)],
            Then::Hang,
            "down protocol",
        ),
        (vec![go_away(0)], Then::Close, "down closed_early"),
        (vec![go_away(2)], Then::Close, "down protocol"),
        (vec![reset(2)], Then::Hang, "down protocol"),
        (vec![reset(7)], Then::Hang, "down protocol"),
        (vec![reset(13)], Then::Hang, "down http_version"),
        (vec![frame(5, 4, 1, &promise)], Then::Hang, "down protocol"),
        (
            vec![frame(1, 5, 1, &field("x", "y"))],
            Then::Hang,
            "down protocol",
        ),
        (
            vec![frame(1, 5, 1, &[0xff; 9])],
            Then::Hang,
            "down protocol",
        ),
        (vec![data(0, b"x")], Then::Hang, "down protocol"),
        (
            vec![headers(false, &[])],
            Then::Hang,
            "down timeout_body 200",
        ),
        (
            vec![headers(false, &[])],
            Then::Close,
            "down body_truncated 200",
        ),
        (
            vec![headers(false, &[]), reset(2)],
            Then::Hang,
            "down body_truncated 200",
        ),
        (
            vec![headers(false, &length("5")), data(1, b"abc")],
            Then::Hang,
            "down body_truncated 200",
        ),
        (
            vec![headers(false, &length("2")), data(1, b"abc")],
            Then::Hang,
            "down body_truncated 200",
        ),
        (
            vec![headers(false, &length("3")), data(1, b"abc"), reset(0)],
            Then::Hang,
            "up 200",
        ),
        (vec![headers(true, &[])], Then::Close, "up 200"),
    ] {
        let check = of_frames(frames.clone(), then).await;
        assert_eq!(
            verdict(&check),
            want,
            "{frames:02x?} {then:?}: {}",
            summary(&check)
        );
        let detail = check
            .verdict
            .failure()
            .map(|failure| failure.detail.to_string());
        assert!(
            !detail.is_some_and(|detail| detail.contains("Error") || detail.contains('{')),
            "no library's words: {}",
            summary(&check)
        );
    }
}

/// HEADERS without their end, and CONTINUATION frames, 16 KiB each.
fn in_frames(block: &[u8]) -> Vec<u8> {
    let mut pieces = block.chunks(16 * 1024).peekable();
    let mut out = Vec::new();
    let mut kind = 1;
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() { 4 } else { 0 };
        out.extend(frame(kind, flags, 1, piece));
        kind = 9;
    }
    out
}

#[tokio::test]
async fn headers_are_bounded() {
    let status = vec![0x88];
    let many = [status.clone(), field("x", "y").repeat(401)].concat();
    let check = of_frames(vec![in_frames(&many)], Then::Hang).await;
    assert_eq!(
        summary(&check),
        "down protocol: the answer has more than 400 header fields"
    );
    let fit = [status.clone(), field("x", "y").repeat(399)].concat();
    let end = frame(0, 1, 1, b"");
    let check = of_frames(vec![in_frames(&fit), end], Then::Hang).await;
    assert_eq!(summary(&check), "up 200");
    let long = [status.clone(), field("x", &"y".repeat(130 * 1024))].concat();
    let check = of_frames(vec![in_frames(&long)], Then::Hang).await;
    assert_eq!(verdict(&check), "down protocol", "{}", summary(&check));
    let large = [status, field("x", &"y".repeat(100_000)).repeat(6)].concat();
    let check = of_frames(vec![in_frames(&large)], Then::Hang).await;
    assert_eq!(verdict(&check), "down protocol", "{}", summary(&check));
}

#[tokio::test]
async fn floods_end_by_a_limit_or_with_the_timeout() {
    let interim = frame(1, 4, 1, &[&[8, 3][..], b"103"].concat());
    let endless = frame(9, 0, 1, &field("x", "y"));
    for (first, again, wants) in [
        (
            vec![],
            settings(),
            &["down timeout_response", "down protocol"][..],
        ),
        (
            vec![],
            frame(6, 0, 0, &[7; 8]),
            &["down timeout_response", "down protocol"],
        ),
        (
            vec![],
            frame(8, 0, 0, &[0, 0, 0, 1]),
            &["down timeout_response", "down protocol"],
        ),
        (vec![], interim, &["down protocol"]),
        (frame(1, 0, 1, &[0x88]), endless, &["down protocol"]),
        (
            headers(false, &[]),
            frame(0, 0, 1, &[]),
            &["down protocol 200", "down timeout_body 200"],
        ),
        (
            headers(false, &[]),
            // Nothing but padding.
            frame(0, 8, 1, &[&[199][..], &[0; 199]].concat()),
            &["down protocol 200", "down timeout_body 200"],
        ),
        (
            headers(false, &[]),
            // Content without end: as much is taken as is wanted.
            frame(0, 8, 1, &[0; 200]),
            &["up 200"],
        ),
        (
            vec![],
            frame(0x77, 0, 0, &[0; 64]),
            &["down timeout_response", "down protocol"],
        ),
    ] {
        let first = [settings(), first].concat();
        let begun = sitewatch::clock::tick();
        let two = Two::Flood(first, again.repeat(16));
        let (check, _) = look(two, |target| target.timeout = Duration::from_secs(2)).await;
        let found = verdict(&check);
        assert!(
            wants.contains(&found.as_str()),
            "{again:02x?}: {}",
            summary(&check)
        );
        assert!(begun.elapsed() < Duration::from_secs(20), "{again:02x?}");
    }
}
