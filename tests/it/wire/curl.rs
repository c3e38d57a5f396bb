//! The real curl against the same raw answers: the final status and the number of redirects followed
//! must agree, or the case says why not. Without a curl on this machine nothing is compared, unless
//! `SITEWATCH_E2E` is set: then its absence is a failure.

use std::process::Command;
use std::time::Duration;

use crate::support::check::{check_with, expectation, nameless, summary, target};
use crate::support::site::{Act, Site, answer, say};

/// One answer to `/`; every other path says 200.
struct Case {
    raw: Vec<u8>,
    /// What we say instead of what curl says, and why.
    differs: Option<(&'static str, &'static str)>,
}

fn same(raw: impl Into<Vec<u8>>) -> Case {
    Case {
        raw: raw.into(),
        differs: None,
    }
}

fn differs(raw: impl Into<Vec<u8>>, ours: &'static str, why: &'static str) -> Case {
    Case {
        raw: raw.into(),
        differs: Some((ours, why)),
    }
}

fn head(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\n\r\n")
}

fn redirects() -> Vec<Case> {
    let to = |location: &str| head("302 Found", &format!("Location: {location}\r\n"));
    let mut cases: Vec<Case> = [301, 302, 303, 307, 308]
        .iter()
        .map(|status| same(head(&format!("{status} X"), "Location: /next\r\n")))
        .collect();
    cases.extend([300, 304, 306].map(|status| same(head(&format!("{status} X"), ""))));
    cases.extend(
        [
            "next",
            "./next",
            "../../next",
            "?q=1",
            "/next#frag",
            "/a/../next",
            "  /next  ",
            "/with%20space",
            "/with space",
            "/%zz",
            "//LOCALHOST:PORT/next",
            "/?url=http://x/",
            "/next;p=1",
            "/a//b",
            "/next?a=1&b=2#c",
        ]
        .map(|location| same(to(location))),
    );
    cases.extend([
        same(to("/\u{fc}ml")),
        same(head("302 Found", "location: /next\r\n")),
        same(head("302 Found", "LOCATION:/next\r\n")),
        same(head("302 Found", "Location: /next\r\nLocation: /next\r\n")),
        same(head("302 Found", "Set-Cookie: a=b\r\nLocation: /next\r\n")),
        same(head("302 Found", "")),
        same(head("302 Found", "Location:\r\n")),
        same("HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n"),
        same("HTTP/1.0 302 Found\r\nLocation: /next\r\n\r\nbody"),
        same("HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 4\r\n\r\nbody"),
        same(
            "HTTP/1.1 302 Found\r\nLocation: /next\r\nTransfer-Encoding: chunked\r\n\r\n\
             4\r\nbody\r\n0\r\n\r\n",
        ),
        same(head("201 Created", "Location: /next\r\n")),
        same(head(
            "200 OK",
            "Location: /next\r\nRefresh: 0; url=/other\r\n",
        )),
        differs(
            head("305 Use Proxy", "Location: /next\r\n"),
            "305 0",
            "curl follows every 3xx with a Location; 305 is never followed (RFC 9110 15.4.6)",
        ),
        differs(
            head("300 Multiple Choices", "Location: /next\r\n"),
            "300 0",
            "curl follows every 3xx with a Location; browsers do not follow 300 (Fetch)",
        ),
        differs(
            head("302 Found", "Location: /a\r\nLocation: /b\r\n"),
            "302 0",
            "curl takes one of two destinations; Fetch has it an error",
        ),
        differs(
            "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 40\r\n\r\nbody",
            "200 1",
            "curl waits for the whole body of a redirect; a browser goes on at its header",
        ),
        differs(
            to("/"),
            "302 0",
            "curl runs in the circle to its limit; we see the loop at once",
        ),
        differs(
            to("ftp://127.0.0.1:1/"),
            "302 0",
            "curl leaves HTTP for FTP and says the status 000 of that",
        ),
        differs(
            to("http:next"),
            "200 1",
            "curl wants slashes after the scheme; browsers resolve it as relative (WHATWG URL)",
        ),
    ]);
    cases.extend(["/\t", "/.", "/.."].map(|location| {
        differs(
            to(location),
            "302 0",
            "the same URL again: curl runs in the circle to its limit, we see the loop at once",
        )
    }));
    let unusable = [
        "mailto:ops@example.com",
        "javascript:alert(1)",
        "http://[::1",
        "http://127.0.0.1:99999/",
    ];
    cases.extend(unusable.map(|location| {
        differs(
            to(location),
            "302 0",
            "nobody follows it; curl counts the redirect that it could not take",
        )
    }));
    cases
}

fn answers() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        200, 202, 203, 206, 400, 401, 403, 404, 410, 418, 429, 451, 500, 502, 503, 599,
    ]
    .iter()
    .map(|status| same(head(&format!("{status} X"), "")))
    .collect();
    cases.extend(
        [
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nbody",
            "HTTP/1.1 200 OK\r\n\r\nbody",
            "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nlonger than announced",
            "HTTP/1.1 200 OK\r\nX: folded\r\n again\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX:\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 4\r\n\r\nbusy",
            "",
            "SSH-2.0-OpenSSH_9.9\r\n",
            "<html></html>",
            "HTTP/9.9 200 OK\r\n\r\n",
        ]
        .map(same),
    );
    cases.extend([
        same("HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n"),
        differs(
            "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
            "0 0",
            "older curls give the status of a header they then refuse",
        ),
        differs(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "0 0",
            "curl takes one of two lengths; RFC 9112 6.3 has it an invalid message",
        ),
        differs(
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "0 0",
            "older curls give the status of a header they then refuse",
        ),
        differs(
            "HTTP/1.1 200 OK\r\nContent-",
            "0 0",
            "curl counts a header that was cut as a status; nothing after it can be trusted",
        ),
        differs(
            "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
            "0 0",
            "older curls pass over a line without a colon",
        ),
        differs(
            "HTTP/1.1 200 \x1b[31mred\r\nContent-Length: 0\r\n\r\n",
            "0 0",
            "curl takes control characters in the reason phrase; RFC 9112 4 does not",
        ),
        differs(
            "HTTP/1.1 205 Reset Content\r\nContent-Length: 9\r\n\r\n",
            "205 0",
            "curl waits for a body that 205 cannot have",
        ),
    ]);
    cases
}

async fn curl(url: &str) -> Option<(String, String)> {
    let url = url.to_owned();
    let run = move || {
        Command::new("curl")
            .args([
                "-sS",
                "-L",
                "--max-redirs",
                "10",
                "--max-time",
                "5",
                "-b",
                "",
            ])
            .args(["--http1.1", "--noproxy", "*", "-o", "/dev/null"])
            .args(["-w", "%{http_code} %{num_redirects}", &url])
            .output()
    };
    let output = tokio::task::spawn_blocking(run).await.ok()?.ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (status, redirects) = said.split_once(' ')?;
    let status: u16 = status.parse().ok()?;
    let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Some((format!("{status} {redirects}"), errors))
}

#[tokio::test]
async fn agrees_with_curl() {
    if curl("http://127.0.0.1:1/").await.is_none() {
        #[expect(clippy::disallowed_methods, reason = "the switch of this test alone")]
        let wanted = std::env::var_os("SITEWATCH_E2E").is_some();
        assert!(!wanted, "curl is not installed");
        return;
    }
    let prober = nameless();
    let mut faults = Vec::new();
    let cases: Vec<Case> = redirects().into_iter().chain(answers()).collect();
    assert!(cases.len() >= 60, "{}", cases.len());
    for case in cases {
        let raw = case.raw.clone();
        let site = Site::plain(move |request| match request.path.as_str() {
            "/" => {
                let port = request
                    .header("host")
                    .and_then(|host| host.rsplit(':').next());
                let text = String::from_utf8_lossy(&raw);
                match port {
                    Some(port) if text.contains("PORT") => say(text.replace("PORT", port)),
                    _ => vec![Act::Send(raw.clone())],
                }
            }
            _ => answer(200, "", "there"),
        })
        .await;
        let url = site.url("/");
        let mut target = target(&url);
        target.timeout = Duration::from_secs(5);
        let check = check_with(&prober, target, &expectation()).await;
        let refused = check
            .verdict
            .failure()
            .is_some_and(|failure| failure.kind.as_str().starts_with("redirect_"));
        let followed = check.chain.redirects.len() - usize::from(refused);
        let ours = format!("{} {followed}", check.status.unwrap_or(0));
        let (theirs, errors) = curl(&url).await.expect("it ran a moment ago");
        let wanted = case.differs.map_or(theirs.as_str(), |(ours, _)| ours);
        if ours != wanted {
            let raw = String::from_utf8_lossy(&case.raw);
            let short: String = raw.chars().take(100).collect();
            faults.push(format!(
                "{short:?}: sitewatch {ours} ({}), curl {theirs} ({errors}){}",
                summary(&check),
                case.differs
                    .map_or(String::new(), |(_, why)| format!("; {why}"))
            ));
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
