//! HTTP on the wire: statuses, framing, hostile headers, bodies without measure.

use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use sitewatch::domain::target::Method;

use crate::support::check::{check, check_with, expectation, nameless, summary, target, verdict};
use crate::support::site::{Act, Site, answer, say};

#[tokio::test]
async fn every_status_is_judged() {
    let site = Site::plain(|request| {
        let status = request.path[1..].parse().unwrap_or(500);
        answer(status, "", "x")
    })
    .await;
    let prober = nameless();
    for status in 200..600 {
        let url = site.url(&format!("/{status}"));
        let check = check_with(&prober, target(&url), &expectation()).await;
        let want = match status {
            200..=299 => format!("up {status}"),
            301 | 302 | 303 | 307 | 308 => format!("down redirect_invalid {status}"),
            _ => format!("down status {status}"),
        };
        assert_eq!(verdict(&check), want, "{}", summary(&check));
        let bytes = u64::from(!matches!(
            status,
            204 | 205 | 304 | 301 | 302 | 303 | 307 | 308
        ));
        assert_eq!(check.body_bytes, bytes, "{status}");
    }
}

#[tokio::test]
async fn what_is_valid_is_taken() {
    for (raw, bytes) in [
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", 13),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", 13),
        ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", 2),
        ("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nhi", 2),
        ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 2),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            2,
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            2,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n0\r\n\
             Trailer: x\r\n\r\n",
            5,
        ),
        (
            "HTTP/1.1 200 OK\r\nX: folded\r\n  on\r\nContent-Length: 2\r\n\r\nhi",
            2,
        ),
        ("HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 2\r\n\r\nhi", 2),
        (
            "HTTP/1.1 200 OK\r\nX: \u{fc}\r\nContent-Length: 2\r\n\r\nhi",
            2,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
            2,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more than was said",
            2,
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", 0),
        ("HTTP/1.1 205 Reset Content\r\nContent-Length: 9\r\n\r\n", 0),
    ] {
        let site = Site::plain(move |_| say(raw)).await;
        let check = check(&site.url("/")).await;
        assert_eq!(
            check.verdict.state().as_str(),
            "up",
            "{raw:?}: {}",
            summary(&check)
        );
        assert_eq!(check.body_bytes, bytes, "{raw:?}");
    }
}

#[tokio::test]
async fn what_is_not_valid_is_named() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Many: 1\r\n".repeat(2000));
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(2 << 20));
    for (raw, want) in [
        ("", "down closed_early"),
        ("\r\n", "down closed_early"),
        ("HTTP/1.1", "down closed_early"),
        ("HTTP/1.1 200 OK\r\n", "down closed_early"),
        ("<html>hello</html>\r\n\r\n", "down protocol"),
        ("HTTP/1.1 20 OK\r\n\r\n", "down protocol"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "down protocol"),
        ("HTTP/1.1 abc OK\r\n\r\n", "down protocol"),
        ("HTTP/3.7 200 OK\r\n\r\n", "down protocol"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            "down protocol 101",
        ),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "down protocol"),
        ("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "down protocol"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "down protocol",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "down protocol",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "down protocol",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
            "down protocol 200",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello",
            "down body_truncated 200",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "down body_truncated 200",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
            "down body_truncated 200",
        ),
        (many.as_str(), "down protocol"),
        (long.as_str(), "down protocol"),
    ] {
        let owned = raw.to_owned();
        let site = Site::plain(move |_| say(owned.clone())).await;
        let check = check(&site.url("/")).await;
        let shown: String = raw.chars().take(80).collect();
        assert_eq!(verdict(&check), want, "{shown:?}: {}", summary(&check));
    }
}

#[tokio::test]
async fn head_has_no_body() {
    let site = Site::plain(|_| say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")).await;
    let mut target = target(&site.url("/"));
    target.method = Method::Head;
    let check = check_with(&nameless(), target, &expectation()).await;
    assert_eq!(verdict(&check), "up 200");
    assert_eq!(check.body_bytes, 0);
}

#[tokio::test]
async fn bodies_are_bounded() {
    // No end and no length: the limit stops it long before the deadline.
    let endless = || {
        let mut script = say("HTTP/1.1 200 OK\r\n\r\n");
        script.extend((0..64).map(|_| Act::Send(vec![b'x'; 64 * 1024])));
        script.push(Act::Hang);
        script
    };
    let site = Site::plain(move |_| endless()).await;
    let check = check(&site.url("/")).await;
    assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
    assert_eq!(check.body_bytes, 1 << 20);
    // A body exactly as long as the limit is whole, also when the server hangs then; nobody waits for it
    // where its end would tell nothing.
    for (length, wants_body, is_awaited) in [
        ("", true, true),
        ("", false, false),
        ("Content-Length: 200\r\n", true, false),
        ("Content-Length: 200\r\n", false, false),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{length}\r\n");
        let site = Site::plain(move |_| {
            vec![
                Act::Send(head.clone().into_bytes()),
                Act::Send(vec![b'x'; 100]),
                Act::Hang,
            ]
        })
        .await;
        let mut target = target(&site.url("/"));
        target.max_body = 100;
        target.wants_body = wants_body;
        let patience = if is_awaited { 300 } else { 60_000 };
        target.timeout = Duration::from_millis(patience);
        let check = check_with(&nameless(), target, &expectation()).await;
        assert_eq!(verdict(&check), "up 200");
        assert_eq!(check.body_bytes, 100);
        let total = check.timings.total.as_duration();
        assert!(total < Duration::from_secs(30), "{length:?}: {total:?}");
    }
}

#[tokio::test]
async fn what_trickles_is_ended_by_the_deadline() {
    let drip = |head: &str, drop: &str| {
        let mut script = say(head);
        for _ in 0..100 {
            script.push(Act::Wait(Duration::from_millis(50)));
            script.push(Act::Send(drop.as_bytes().to_vec()));
        }
        script
    };
    for (head, drop, want) in [
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n", "down timeout_response"),
        ("HTTP/1.1 200 OK\r\n\r\n", "x", "down timeout_body 200"),
        (
            "",
            "HTTP/1.1 103 Early Hints\r\n\r\n",
            "down timeout_response",
        ),
    ] {
        let script = drip(head, drop);
        let site = Site::plain(move |_| script.clone()).await;
        let mut target = target(&site.url("/"));
        target.timeout = Duration::from_millis(400);
        let check = check_with(&nameless(), target, &expectation()).await;
        assert_eq!(verdict(&check), want);
        let total = check.timings.total.as_duration();
        assert!(total >= Duration::from_millis(390), "{total:?}");
        assert!(total < Duration::from_secs(3), "{total:?}");
    }
}

#[tokio::test]
async fn nothing_hostile_gets_through() {
    let site = Site::plain(|_| {
        let mut bytes =
            b"HTTP/1.1 503 <b>evil</b>\r\nContent-Length: 90\r\nRetry-After: 120\r\n\r\n".to_vec();
        let body = b"<script>x</script>\x1b]0;title\x07 \xff\xfe<b>down</b> ";
        bytes.extend(body);
        bytes.resize(bytes.len() + 90 - body.len(), b' ');
        vec![Act::Send(bytes)]
    })
    .await;
    let check = check(&site.url("/")).await;
    assert_eq!(verdict(&check), "down status 503");
    assert_eq!(check.retry_after_s, Some(120));
    let excerpt = check.excerpt.clone().expect("a failing answer has one");
    let text = format!("{} {excerpt}", summary(&check));
    assert!(!text.chars().any(|c| c.is_control()), "{text:?}");
    assert!(!excerpt.contains("script"), "{excerpt}");
    assert!(text.contains("Service Unavailable"), "{text}");
}

#[tokio::test]
async fn assertions_see_decoded_text() {
    use std::io::Write;
    let plain = "the caf\u{e9} is open";
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory takes bytes");
        encoder.finish().expect("memory takes bytes")
    };
    let zlib = |bytes: &[u8]| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory takes bytes");
        encoder.finish().expect("memory takes bytes")
    };
    let latin: Vec<u8> = plain.chars().map(|c| c as u8).collect();
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(plain.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let pattern = Regex::new("^the .* open$").expect("a pattern");
    for (headers, body) in [
        ("", plain.as_bytes().to_vec()),
        ("Content-Encoding: gzip\r\n", gzip(plain.as_bytes())),
        (
            "Content-Encoding: x-gzip, identity\r\n",
            gzip(plain.as_bytes()),
        ),
        ("Content-Encoding: deflate\r\n", zlib(plain.as_bytes())),
        (
            "Content-Encoding: gzip, gzip\r\n",
            gzip(&gzip(plain.as_bytes())),
        ),
        (
            "Content-Type: text/html; charset=iso-8859-1\r\n",
            latin.clone(),
        ),
        (
            "Content-Type: text/html; charset=\"ISO-8859-1\"\r\n",
            latin.clone(),
        ),
        ("Content-Type: text/html\r\n", latin.clone()),
        ("Content-Type: text/plain\r\n", utf16),
    ] {
        let mut bytes = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        )
        .into_bytes();
        let length = body.len() as u64;
        bytes.extend(body);
        let site = Site::plain(move |_| vec![Act::Send(bytes.clone())]).await;
        let mut expectation = expectation();
        expectation.body_contains = vec!["caf\u{e9}".into()];
        expectation.body_matches = vec![Arc::new(pattern.clone())];
        expectation.body_excludes = vec!["closed".into()];
        let mut target = target(&site.url("/"));
        target.wants_body = true;
        let check = check_with(&nameless(), target, &expectation).await;
        assert_eq!(verdict(&check), "up 200", "{headers}: {}", summary(&check));
        assert_eq!(check.body_bytes, length);
    }
}

#[tokio::test]
async fn a_bomb_is_bounded_and_a_broken_coding_is_named() {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b'0'; 1 << 20];
    for _ in 0..64 {
        encoder.write_all(&zeros).expect("memory takes bytes");
    }
    let bomb = encoder.finish().expect("memory takes bytes");
    let mut short = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    short.write_all(b"good bye").expect("memory takes bytes");
    let mut short = short.finish().expect("memory takes bytes");
    short.truncate(short.len() - 8);
    for (coding, body, want) in [
        ("gzip", bomb, "down body_too_large 200"),
        (
            "gzip",
            b"no gzip at all".to_vec(),
            "down body_truncated 200",
        ),
        // The framing is whole, the gzip inside is not: max_body has no part in it.
        ("gzip", short, "down body_truncated 200"),
        (
            "br",
            b"\xff\xff\xff\xff".to_vec(),
            "down body_truncated 200",
        ),
        (
            "zstd",
            b"no zstd at all".to_vec(),
            "down body_truncated 200",
        ),
        ("rot13", b"uryyb".to_vec(), "down body 200"),
    ] {
        let mut bytes = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nContent-Encoding: {coding}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend(body);
        let site = Site::plain(move |_| vec![Act::Send(bytes.clone())]).await;
        let mut expectation = expectation();
        expectation.body_contains = vec!["hello".into()];
        let mut target = target(&site.url("/"));
        target.wants_body = true;
        let check = check_with(&nameless(), target, &expectation).await;
        assert_eq!(verdict(&check), want, "{coding}: {}", summary(&check));
    }
}

#[tokio::test]
async fn a_protection_layer_is_named() {
    for (headers, body, name) in [
        (
            "Server: cloudflare\r\ncf-mitigated: challenge\r\n",
            "",
            "Cloudflare",
        ),
        (
            "Server: cloudflare\r\n",
            "<title>Just a moment...</title>",
            "Cloudflare",
        ),
        ("x-amzn-waf-action: captcha\r\n", "", "AWS WAF"),
        ("Server: AkamaiGHost\r\n", "Access Denied", "Akamai"),
        ("Set-Cookie: datadome=x\r\n", "", "DataDome"),
    ] {
        let site = Site::plain(move |_| answer(403, headers, body)).await;
        let text = summary(&check(&site.url("/")).await);
        assert!(text.starts_with("down status 403: 403 Forbidden"), "{text}");
        assert!(text.contains(name) && text.contains("let it in"), "{text}");
    }
    let site = Site::plain(|_| answer(403, "Server: nginx\r\n", "Forbidden")).await;
    let text = summary(&check(&site.url("/")).await);
    assert_eq!(text, "down status 403: 403 Forbidden: expected 200-299");
}

#[tokio::test]
async fn many_header_fields_are_taken_and_far_too_many_are_not() {
    let site = Site::plain(|request| {
        let fields = request.path[1..].parse().unwrap_or(0);
        answer(200, &"X-Field: 1\r\n".repeat(fields), "x")
    })
    .await;
    let prober = nameless();
    let at = async |path: &str| {
        let check = check_with(&prober, target(&site.url(path)), &expectation()).await;
        let headers = summary(&check);
        headers.split(" (").next().unwrap_or_default().to_owned()
    };
    for fields in [0, 90, 97, 98, 99, 100, 101, 150, 399] {
        assert_eq!(at(&format!("/{fields}")).await, "up 200", "{fields}");
    }
    // The length is a field too.
    for fields in [400, 500, 5000] {
        let said = at(&format!("/{fields}")).await;
        let want = "down protocol: the answer has more than 400 header fields";
        assert_eq!(said, want, "{fields}");
    }
}
