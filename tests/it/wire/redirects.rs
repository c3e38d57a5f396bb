//! Redirects: RFC 9110 section 15.4 and the Fetch standard, on the wire.

use std::fmt::Write;

use sitewatch::domain::check::Check;
use sitewatch::domain::secret::Secret;
use sitewatch::domain::target::{Credentials, Method, Proxy};
use url::Url;

use crate::support::check::{
    asking, check, check_with, expectation, nameless, summary, target, verdict,
};
use crate::support::dns::NameServer;
use crate::support::site::{Act, Site, answer, redirect, say};

/// A proxy that answers for a public address: `http://203.0.113.1/` redirects to loopback.
pub(super) async fn blocked_by_literal() -> Check {
    let proxy = Site::plain(|_| redirect(302, "http://127.0.0.1/secret")).await;
    let mut target = target("http://203.0.113.1/");
    target.proxy = Proxy::Through(Url::parse(&proxy.url("")).expect("a URL"));
    check_with(&nameless(), target, &expectation()).await
}

/// The chain as `url status location` lines with ports masked, and the verdict.
fn chain(check: &Check) -> String {
    let mut text = String::new();
    for hop in &check.chain.redirects {
        let location = hop.location.as_deref().unwrap_or("-");
        let _ = write!(text, "{} {} {location}; ", hop.url, hop.status);
    }
    let _ = write!(text, "{} {}", check.chain.final_url, verdict(check));
    let mut out = String::new();
    for (place, piece) in text.split("127.0.0.1:").enumerate() {
        if place > 0 {
            out.push_str("HOST");
            out.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
        } else {
            out.push_str(piece);
        }
    }
    out
}

#[tokio::test]
async fn methods_and_bodies_follow_the_status() {
    for status in [301, 302, 303, 307, 308] {
        for (method, body) in [
            (Method::Get, None),
            (Method::Head, None),
            (Method::Post, Some("data")),
            (Method::Other("PUT".into()), Some("data")),
            (Method::Other("DELETE".into()), None),
            (Method::Post, None),
        ] {
            let site = Site::plain(move |request| match request.path.as_str() {
                "/" => redirect(status, "/next"),
                _ => answer(200, "", ""),
            })
            .await;
            let mut target = target(&site.url("/"));
            target.method = method.clone();
            target.body = body.map(|body| body.as_bytes().into());
            target.headers = vec![("Content-Type".into(), Secret::new("text/plain"))];
            let check = check_with(&nameless(), target, &expectation()).await;
            let what = format!("{status} {method:?}: {}", summary(&check));
            assert_eq!(verdict(&check), "up 200", "{what}");
            let to_get = match status {
                301 | 302 => method == Method::Post,
                303 => !matches!(method, Method::Get | Method::Head),
                _ => false,
            };
            let last = site.last();
            let wanted = if to_get { "GET" } else { method.as_str() };
            assert_eq!(last.method, wanted, "{what}");
            let kept = body.filter(|_| !to_get).unwrap_or("");
            assert_eq!(String::from_utf8_lossy(&last.body), kept, "{what}");
            // A method that is to carry content says so when there is none.
            let said = last.header("content-length").filter(|_| body.is_none());
            let is_empty_post = wanted == "POST" && body.is_none();
            assert_eq!(said, is_empty_post.then_some("0"), "{what}");
            let describes = last.header("content-type").is_some();
            assert_eq!(describes, body.is_none() || !to_get, "{what}");
        }
    }
}

#[tokio::test]
async fn other_3xx_are_final() {
    for status in [300, 304, 305, 306, 399] {
        let site = Site::plain(move |_| redirect(status, "/next")).await;
        let check = check(&site.url("/")).await;
        assert_eq!(verdict(&check), format!("down status {status}"));
        assert!(check.chain.redirects.is_empty());
        assert_eq!(site.received().len(), 1);
    }
}

#[tokio::test]
async fn chains_are_recorded_hop_by_hop() {
    let site = Site::plain(|request| match request.path.as_str() {
        "/" => redirect(301, "/a#frag"),
        "/a" => redirect(302, "b?token=t1"),
        "/b?token=t1" => redirect(307, "  /end  "),
        _ => answer(404, "", ""),
    })
    .await;
    let check = check(&site.url("/")).await;
    assert_eq!(
        chain(&check),
        "http://HOST/ 301 /a#frag; http://HOST/a#frag 302 b?token=t1; \
         http://HOST/b?token=t1#frag 307 /end; http://HOST/end#frag down status 404"
    );
    assert_eq!(check.redirect_times.len(), 3);
    for hop in &check.chain.redirects {
        assert_eq!(hop.remote_addr, Some(site.address));
    }
    assert_eq!(check.chain.remote_addr, Some(site.address));
}

#[tokio::test]
async fn a_redirect_is_followed_without_its_body() {
    let site = Site::plain(|request| match request.path.as_str() {
        "/" => {
            let mut script =
                say("HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 1000\r\n\r\nsome");
            script.push(Act::Hang);
            script
        }
        _ => answer(200, "", ""),
    })
    .await;
    assert_eq!(verdict(&check(&site.url("/")).await), "up 200");
}

#[tokio::test]
async fn odd_locations() {
    for (header, want) in [
        ("", "down redirect_invalid 302"),
        ("Location: \r\n", "down redirect_invalid 302"),
        ("Location: mailto:a@b\r\n", "down redirect_invalid 302"),
        ("Location: http://\r\n", "down redirect_invalid 302"),
        ("Location: http://[::1\r\n", "down redirect_invalid 302"),
        (
            "Location: /a\r\nLocation: /b\r\n",
            "down redirect_invalid 302",
        ),
        ("Location: /end\r\nLocation: /end\r\n", "up 200"),
        ("lOcAtIoN: /end\r\n", "up 200"),
        ("Location: /with space\r\n", "up 200"),
        ("Location: /\u{fc}ml\r\n", "up 200"),
        ("Location: ?q=1\r\n", "up 200"),
    ] {
        let site = Site::plain(move |request| match request.number {
            0 => answer(302, header, ""),
            _ => answer(200, "", ""),
        })
        .await;
        let check = check(&site.url("/")).await;
        assert_eq!(verdict(&check), want, "{header:?}: {}", summary(&check));
        // The offending answer is recorded as well.
        assert_eq!(check.chain.redirects.len(), 1, "{header:?}");
    }
}

#[tokio::test]
async fn limits() {
    let site = Site::plain(|request| redirect(302, &format!("/{}", request.number))).await;
    for (most, want) in [(0, 1), (1, 2), (10, 11)] {
        let mut target = target(&site.url("/start"));
        target.max_redirects = most;
        let check = check_with(&nameless(), target, &expectation()).await;
        assert_eq!(verdict(&check), "down redirect_limit 302");
        assert_eq!(check.chain.redirects.len(), want);
    }
    let mut target = target(&site.url("/start"));
    target.follow_redirects = false;
    let check = check_with(&nameless(), target, &expectation()).await;
    assert_eq!(verdict(&check), "down status 302");
    assert!(check.chain.redirects.is_empty());
}

#[tokio::test]
async fn loops_count_method_url_and_cookies() {
    // Two URLs that lead to each other.
    let site = Site::plain(|request| match request.path.as_str() {
        "/a" => redirect(302, "/b"),
        _ => redirect(302, "/a#other"),
    })
    .await;
    let found = check(&site.url("/a")).await;
    assert_eq!(verdict(&found), "down redirect_loop 302");
    assert_eq!(found.chain.redirects.len(), 2);
    // A page that sets a cookie and sends the visitor to itself is no loop.
    let site = Site::plain(|request| match request.header("cookie") {
        Some("seen=1") => answer(200, "", ""),
        _ => answer(302, "Location: /\r\nSet-Cookie: seen=1\r\n", ""),
    })
    .await;
    assert_eq!(verdict(&check(&site.url("/")).await), "up 200");
    // Without a jar it is one.
    let mut target = target(&site.url("/"));
    target.cookies = false;
    let found = check_with(&nameless(), target, &expectation()).await;
    assert_eq!(verdict(&found), "down redirect_loop 302");
    // POST that becomes GET at the same URL is no loop either.
    let site = Site::plain(|request| match request.method.as_str() {
        "POST" => redirect(303, "/"),
        _ => answer(200, "", ""),
    })
    .await;
    let mut target = crate::support::check::target(&site.url("/"));
    target.method = Method::Post;
    let found = check_with(&nameless(), target, &expectation()).await;
    assert_eq!(verdict(&found), "up 200");
}

#[tokio::test]
async fn credentials_stay_with_their_origin_for_good() {
    let dns = NameServer::loopback().await;
    // One server under two names: the origin differs by host.
    let site = Site::plain(|request| {
        let port = request
            .header("host")
            .and_then(|host| host.rsplit(':').next())
            .unwrap_or_default()
            .to_owned();
        match request.path.as_str() {
            "/" => redirect(302, "/same"),
            "/same" => redirect(302, &format!("http://other.test:{port}/away")),
            "/away" => redirect(302, &format!("http://site.test:{port}/back")),
            _ => answer(401, "", ""),
        }
    })
    .await;
    let mut target = target(&format!("http://site.test:{}/", site.port()));
    target.headers = vec![
        ("X-Api-Key".into(), Secret::new("k1")),
        ("User-Agent".into(), Secret::new("mine")),
    ];
    target.credentials = Credentials::Basic {
        is_hidden: false,
        username: "u".into(),
        password: Secret::new("p"),
    };
    let check = check_with(&asking(&[&dns]), target, &expectation()).await;
    let sent: Vec<String> = site
        .received()
        .iter()
        .map(|request| {
            format!(
                "{} {} {} {}",
                request.path,
                request.header("x-api-key").unwrap_or("-"),
                request.header("authorization").unwrap_or("-"),
                request.header("user-agent").unwrap_or("-"),
            )
        })
        .collect();
    let ours = concat!("sitewatch/", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        sent,
        [
            "/ k1 Basic dTpw mine".to_owned(),
            "/same k1 Basic dTpw mine".to_owned(),
            format!("/away - - {ours}"),
            format!("/back - - {ours}"),
        ]
    );
    let text = summary(&check);
    assert!(text.contains("were not sent"), "{text}");
}

#[tokio::test]
async fn the_jar_keeps_to_hosts_paths_and_secure() {
    let dns = NameServer::loopback().await;
    let site = Site::plain(|request| {
        let port = request
            .header("host")
            .and_then(|host| host.rsplit(':').next())
            .unwrap_or_default()
            .to_owned();
        match request.path.as_str() {
            "/" => answer(
                302,
                "Location: /in/side\r\nSet-Cookie: all=1; Path=/\r\n\
                 Set-Cookie: inner=2; Path=/in\r\nSet-Cookie: safe=3; Secure\r\n\
                 Set-Cookie: foreign=4; Domain=other.test\r\n",
                "",
            ),
            "/in/side" => redirect(302, &format!("http://other.test:{port}/other")),
            _ => answer(200, "", ""),
        }
    })
    .await;
    let url = format!("http://site.test:{}/", site.port());
    let check = check_with(&asking(&[&dns]), target(&url), &expectation()).await;
    assert_eq!(verdict(&check), "up 200");
    let cookies: Vec<Option<String>> = site
        .received()
        .iter()
        .map(|request| request.header("cookie").map(str::to_owned))
        .collect();
    assert_eq!(cookies, [None, Some("inner=2; all=1".into()), None]);
}

#[tokio::test]
async fn private_addresses_behind_public_ones_are_blocked() {
    let found = blocked_by_literal().await;
    assert_eq!(verdict(&found), "down redirect_blocked 302");
    for location in [
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://169.254.169.254/latest/",
        "http://0x7f.1/",
        "http://2130706433/",
    ] {
        let proxy = Site::plain(move |_| redirect(302, location)).await;
        let mut target = target("http://public.test/");
        target.proxy = Proxy::Through(Url::parse(&proxy.url("")).expect("a URL"));
        let found = check_with(&nameless(), target, &expectation()).await;
        assert_eq!(verdict(&found), "down redirect_blocked 302", "{location}");
    }
    // What starts private may stay private.
    let site = Site::plain(|request| match request.path.as_str() {
        "/" => redirect(302, "/end"),
        _ => answer(200, "", ""),
    })
    .await;
    assert_eq!(verdict(&check(&site.url("/")).await), "up 200");
}
