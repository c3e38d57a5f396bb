//! What a server sends too early, too late, too much or in crumbs.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use rustls::{ServerConnection, StreamOwned};
use sitewatch::domain::check::Check;
use sitewatch::domain::target::Method;

use crate::support::check::{asking, check_with, expectation, nameless, summary, target, verdict};
use crate::support::dns::NameServer;
use crate::support::pki::good_site;
use crate::support::raw::{Raw, end_in_order, read_head, send_without_end};

/// Who races does so in each of so many rounds.
const ROUNDS: usize = 100;

fn answered(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 3\r\n\r\nok\n")
        .into_bytes()
}

#[tokio::test]
async fn a_server_that_answers_at_accept_is_read() {
    let prober = nameless();
    for (status, want) in [
        (200, "up 200"),
        (503, "down status 503"),
        (408, "down status 408"),
    ] {
        let reads = Raw::start(move |mut stream| {
            let _ = stream.write_all(&answered(status));
            end_in_order(stream);
        });
        // As a shell loop around nc does: what it is asked turns its close into a reset.
        let closes = Raw::start(move |mut stream| {
            let _ = stream.write_all(&answered(status));
        });
        for round in 0..ROUNDS {
            for site in [&reads, &closes] {
                let check = check_with(&prober, target(&site.url()), &expectation()).await;
                assert_eq!(verdict(&check), want, "{round}: {}", summary(&check));
                assert_eq!(check.body_bytes, 3);
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_answers_after_the_handshake_is_read() {
    let (root, server) = good_site();
    let server = Arc::new(server);
    let site = Raw::start(move |stream| {
        let session = ServerConnection::new(Arc::clone(&server)).expect("a session");
        let mut stream = StreamOwned::new(session, stream);
        while stream.conn.is_handshaking() && stream.conn.complete_io(&mut stream.sock).is_ok() {}
        let _ = stream.write_all(&answered(200));
        stream.conn.send_close_notify();
        let _ = stream.flush();
        end_in_order(stream.sock);
    });
    let dns = NameServer::loopback().await;
    let prober = asking(&[&dns]);
    for round in 0..ROUNDS / 4 {
        let mut target = target(&format!("https://site.test:{}/", site.address.port()));
        target.ca_pem = Some(root.pem.as_bytes().into());
        let check = check_with(&prober, target, &expectation()).await;
        assert_eq!(verdict(&check), "up 200", "{round}: {}", summary(&check));
    }
}

#[tokio::test]
async fn what_comes_at_accept_and_is_no_answer_is_named() {
    for (greeting, want) in [
        ("", "down closed_early"),
        ("220 mail.test ESMTP\r\n", "down protocol"),
        ("HTTP/1.1 200", "down closed_early"),
    ] {
        let site = Raw::start(move |mut stream| {
            let _ = stream.write_all(greeting.as_bytes());
            end_in_order(stream);
        });
        let check = check_with(&nameless(), target(&site.url()), &expectation()).await;
        assert_eq!(verdict(&check), want, "{greeting:?}: {}", summary(&check));
    }
}

/// Answers a request that it reads only the header of.
fn refusing(length: &'static str, is_orderly: bool) -> Raw {
    Raw::start(move |mut stream| {
        let head = read_head(&mut stream);
        assert!(head.starts_with("POST / "), "{head}");
        let answer = format!("HTTP/1.1 413 Too Large\r\nConnection: close\r\n{length}\r\nno");
        let _ = stream.write_all(answer.as_bytes());
        if is_orderly {
            end_in_order(stream);
        }
    })
}

#[tokio::test]
async fn an_answer_is_read_although_the_server_takes_no_more() {
    let body: Arc<[u8]> = vec![b'x'; 8 << 20].into();
    let prober = nameless();
    for length in ["Content-Length: 2\r\n", ""] {
        for is_orderly in [true, false] {
            let site = refusing(length, is_orderly);
            for round in 0..ROUNDS / 4 {
                let mut target = target(&site.url());
                target.method = Method::Post;
                target.body = Some(Arc::clone(&body));
                let check = check_with(&prober, target, &expectation()).await;
                let said = summary(&check);
                assert_eq!(
                    verdict(&check),
                    "down status 413",
                    "{length:?} {is_orderly} {round}: {said}"
                );
                assert_eq!(check.body_bytes, 2, "{length:?} {is_orderly} {round}");
            }
        }
    }
    // Without an answer it is the reset that is told.
    let site = Raw::start(|mut stream| drop(read_head(&mut stream)));
    let mut target = target(&site.url());
    target.method = Method::Post;
    target.body = Some(body);
    let check = check_with(&prober, target, &expectation()).await;
    assert_eq!(verdict(&check), "down connect_reset", "{}", summary(&check));
}

/// For a check that its deadline ends.
const DEADLINE: Duration = Duration::from_millis(700);
/// For a check that a bound ends, however busy the machine is; and no flood ends by itself within it.
const AMPLE: Duration = Duration::from_secs(30);
/// Work at a stretch: far below what it was, far above what a debug build needs.
const HELD_MAX: Duration = Duration::from_millis(150);

/// What this thread has worked: time that other processes take does not count.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}

/// The longest work for which others on the thread had to wait during a check, and the check.
async fn beside_others(site: &Raw, timeout: Duration, max_body: u64) -> (Duration, Check) {
    let mut target = target(&site.url());
    target.timeout = timeout;
    target.max_body = max_body;
    let prober = nameless();
    let expectation = expectation();
    let mut checking = std::pin::pin!(check_with(&prober, target, &expectation));
    let mut longest = Duration::ZERO;
    loop {
        let before = worked();
        tokio::select! {
            biased;
            check = &mut checking => return (longest.max(worked() - before), check),
            () = tokio::task::yield_now() => {}
        }
        longest = longest.max(worked() - before);
    }
}

type Flood = fn(&mut TcpStream);

#[tokio::test]
async fn floods_hold_neither_the_thread_nor_the_deadline() {
    let floods: [(&str, Flood, &str); 9] = [
        (
            "100",
            |stream| send_without_end(stream, &b"HTTP/1.1 100 Continue\r\n\r\n".repeat(2000)),
            "down protocol: more than 100 interim answers (1xx) came, and no final one",
        ),
        (
            "102",
            |stream| send_without_end(stream, &b"HTTP/1.1 102 Processing\r\n\r\n".repeat(2000)),
            "down protocol: more than 100 interim answers (1xx) came, and no final one",
        ),
        (
            "103 with Link",
            |stream| {
                let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
                send_without_end(stream, &hint.repeat(500));
            },
            "down protocol: more than 100 interim answers (1xx) came, and no final one",
        ),
        (
            "fields of 30 kB",
            |stream| {
                let hint = format!("HTTP/1.1 103 X\r\n{}\r\n", "A: bcdefg\r\n".repeat(90));
                send_without_end(stream, hint.repeat(30).as_bytes());
            },
            "down protocol: more than 100 interim answers (1xx) came, and no final one",
        ),
        (
            "one field of 30 kB",
            |stream| {
                let hint = format!("HTTP/1.1 103 X\r\nA: {}\r\n\r\n", "b".repeat(30_000));
                send_without_end(stream, hint.as_bytes());
            },
            "down protocol: the answer's header is larger than 400 KiB",
        ),
        (
            "fields",
            |stream| {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
                send_without_end(stream, &b"A: b\r\n".repeat(2000));
            },
            "down protocol: the answer has more than 400 header fields",
        ),
        (
            "blank lines",
            |stream| send_without_end(stream, &b"\r\n".repeat(5000)),
            "down protocol: the answer's header is larger than 400 KiB",
        ),
        (
            "one byte at a time",
            |stream| {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nA: ");
                send_without_end(stream, b"b");
            },
            "down ",
        ),
        (
            "chunks of one byte",
            |stream| {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                send_without_end(stream, &b"1\r\nx\r\n".repeat(5000));
            },
            "up 200",
        ),
    ];
    for (name, flood, want) in floods {
        let site = Raw::start(move |mut stream| {
            read_head(&mut stream);
            flood(&mut stream);
        });
        let (held, check) = beside_others(&site, AMPLE, 5000).await;
        let said = summary(&check);
        assert!(said.starts_with(want), "{name}: {said}");
        assert!(held < HELD_MAX, "{name}: {held:?}");
        // Where the deadline comes first, it is that; and it comes.
        let (held, check) = beside_others(&site, DEADLINE, 5000).await;
        assert!(held < HELD_MAX, "{name}: {held:?}");
        let said = summary(&check);
        let is_late = said.starts_with("down timeout_");
        assert!(is_late || said.starts_with(want), "{name}: {said}");
        let total = check.timings.total.as_duration();
        assert!(total < AMPLE / 3, "{name}: {total:?}");
    }
}

#[tokio::test]
async fn an_endless_body_of_crumbs_ends_with_the_deadline() {
    let site = Raw::start(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        send_without_end(&mut stream, &b"1\r\nx\r\n".repeat(5000));
    });
    let (held, check) = beside_others(&site, DEADLINE, 1 << 40).await;
    assert_eq!(verdict(&check), "down timeout_body 200");
    assert!(held < HELD_MAX, "{held:?}");
    let total = check.timings.total.as_duration();
    assert!(total < AMPLE / 3, "{total:?}");
}

#[tokio::test]
async fn headers_are_bounded_and_the_sentence_says_in_what() {
    let prober = nameless();
    for (head, want) in [
        ("HTTP/1.1 103 X\r\n\r\n".repeat(100), "up 200"),
        (
            "HTTP/1.1 103 X\r\n\r\n".repeat(101),
            "down protocol: more than 100 interim answers (1xx) came, and no final one",
        ),
        // An interim answer with more fields than hyper's stack holds is no worse than a final one.
        (
            format!("HTTP/1.1 103 X\r\n{}\r\n", "A: b\r\n".repeat(150)),
            "up 200",
        ),
    ] {
        let site = Raw::start(move |mut stream| {
            read_head(&mut stream);
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&answered(200));
            end_in_order(stream);
        });
        let check = check_with(&prober, target(&site.url()), &expectation()).await;
        assert_eq!(summary(&check), want);
    }
    for (fields, want) in [
        (format!("A: {}\r\n", "b".repeat(100_000)), "up 200"),
        (
            format!("A: {}\r\n", "b".repeat(140_000)),
            "down protocol: a header field of the answer is longer than 128 KiB",
        ),
        (
            format!("A: {}\r\n", "b".repeat(100_000)).repeat(4),
            "up 200",
        ),
        (
            format!("A: {}\r\n", "b".repeat(100_000)).repeat(5),
            "down protocol: the answer's header is larger than 400 KiB",
        ),
        // Beyond hyper's stack the header is read a second time, whatever comes with it.
        (
            format!("{}B: {}\r\n", "A: b\r\n".repeat(300), "c".repeat(100_000)),
            "up 200",
        ),
    ] {
        let site = Raw::start(move |mut stream| {
            read_head(&mut stream);
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\n"
            );
            let _ = stream.write_all(b"hi");
            end_in_order(stream);
        });
        let check = check_with(&prober, target(&site.url()), &expectation()).await;
        assert_eq!(summary(&check), want);
    }
}

#[tokio::test]
async fn an_answer_in_crumbs_is_an_answer() {
    let many = "X-Many: 1\r\n".repeat(150);
    for answer in [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n".to_owned(),
        "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\r\nok\n\r\n0\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 3\r\n\r\nok\n"),
    ] {
        let site = Raw::start(move |mut stream| {
            read_head(&mut stream);
            for byte in answer.as_bytes() {
                let _ = stream.write_all(&[*byte]);
            }
            end_in_order(stream);
        });
        let check = check_with(&nameless(), target(&site.url()), &expectation()).await;
        assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
        assert_eq!(check.body_bytes, 3);
    }
}

#[tokio::test]
async fn a_large_request_is_sent_once_though_its_answer_is_read_twice() {
    let body: Arc<[u8]> = (0..3_000_000).map(|place| (place % 251) as u8).collect();
    let wanted = Arc::clone(&body);
    let site = Raw::start(move |mut stream| {
        read_head(&mut stream);
        let mut came = vec![0; wanted.len()];
        // The answer comes in the middle of the request.
        let (first, second) = came.split_at_mut(1_000_000);
        let _ = std::io::Read::read_exact(&mut stream, first);
        let fields = "X-Many: 1\r\n".repeat(150);
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n"
        );
        let whole = std::io::Read::read_exact(&mut stream, second).is_ok() && *came == *wanted;
        let said = if whole {
            "2\r\nok\r\n0\r\n\r\n"
        } else {
            "3\r\nbad\r\n0\r\n\r\n"
        };
        let _ = stream.write_all(said.as_bytes());
        end_in_order(stream);
    });
    let mut target = target(&site.url());
    target.method = Method::Post;
    target.body = Some(body);
    let check = check_with(&nameless(), target, &expectation()).await;
    assert_eq!(verdict(&check), "up 200", "{}", summary(&check));
    assert_eq!(check.body_bytes, 2);
}
