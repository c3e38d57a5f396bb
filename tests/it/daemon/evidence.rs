//! What a site answered when it failed: kept whole, without secrets, compared with what it answered before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::{House, secrets, text};
use crate::support::schema;
use crate::support::site::{Site, answer};

/// A site with a redirect, cookies and a debug page that repeats what it was sent.
async fn shop(fails: &Arc<AtomicBool>) -> Site {
    let fails = Arc::clone(fails);
    Site::plain(move |request| {
        if request.path.starts_with("/home") {
            let key = request.header("x-key").unwrap_or_default();
            let cookie = request.header("cookie").unwrap_or_default();
            return match fails.load(SeqCst) {
                false => answer(200, "Server: shop\r\n", "<h1>Shop</h1>\nall is well\nbye\n"),
                true => answer(
                    503,
                    "Server: shop\r\nSet-Cookie: debug=very-secret-cookie; Path=/\r\n",
                    &format!(
                        "<h1>Shop</h1>\nno database\nbye\nX-Key: {key}\nCookie: {cookie}\n\
                         debug=very-secret-cookie\npostgres://shop:hunter22@db/\n"
                    ),
                ),
            };
        }
        let headers =
            "Location: /home?token=abcdef123456&page=1\r\nSet-Cookie: session=0123456789abcdef\r\n";
        answer(302, headers, "")
    })
    .await
}

const SECRETS: [&str; 5] = [
    secrets::SECRET,
    "0123456789abcdef",
    "very-secret-cookie",
    "abcdef123456",
    "hunter22",
];

#[tokio::test]
async fn the_first_failing_answer_is_kept_whole_without_secrets_and_told() {
    let fails = Arc::new(AtomicBool::new(false));
    let site = shop(&fails).await;
    let monitors = format!(
        "[[monitor]]\nname = \"shop\"\nurl = \"{}\"\nheaders = {{ X-Key = \"${{SECRET_WORD}}\" }}\n\n\
         [[monitor]]\nname = \"quiet\"\nurl = \"{}\"\nkeep_evidence = false\n",
        site.url("/"),
        site.url("/home")
    );
    let house = House::new("");
    // What is packed meanwhile is packed when the machine has nothing else to do.
    house.configure("15s", &monitors);
    let daemon = house.start().await;
    let database = house.path().join("sitewatch.db");
    house
        .until("a good answer is kept", || {
            let reader = sitewatch::store::reader::Reader::open(&database);
            reader.is_ok_and(|reader| reader.evidence_bytes().is_ok_and(|bytes| bytes > 0))
        })
        .await;
    fails.store(true, SeqCst);
    house
        .until("both mails", || {
            let mails = house.mails();
            mails.len() == 2 || mails.iter().any(|mail| mail.subject.starts_with("[2 DOWN"))
        })
        .await;

    let output = house.ask(&["evidence", "shop", "--diff", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let arguments = ["evidence", "shop", "--diff", "--json"];
    assert_eq!(
        schema::assert_output(&arguments, &text(&output.stdout)),
        ["evidence"]
    );
    let kept: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(kept["monitor"], "shop");
    assert_eq!(kept["check"]["status"], 503);
    assert_eq!(kept["heads"][0]["status"], 302);
    assert_eq!(kept["heads"][1]["status"], 503);
    assert_eq!(kept["heads"][0]["http_version"], "HTTP/1.1");
    let fields = kept["heads"][1]["headers"].as_array().unwrap();
    assert!(
        fields.contains(&serde_json::json!(["server", "shop"])),
        "{kept}"
    );
    assert!(
        fields.contains(&serde_json::json!(["set-cookie", "debug=***"])),
        "{kept}"
    );
    let body = kept["body"].as_str().unwrap();
    assert!(
        body.starts_with("<h1>Shop</h1>\nno database\nbye\nX-Key: ***\nCookie: ***\n"),
        "{body}"
    );
    assert!(body.ends_with("postgres://***@db/\n"), "{body}");
    assert_eq!(kept["truncated"], false);
    assert!(kept["good_at"].is_string(), "{kept}");
    let diff = kept["diff"].as_str().unwrap();
    assert!(
        diff.contains("-HTTP/1.1 200 OK\n-content-length: 30\n+HTTP/1.1 503 Service Unavailable\n"),
        "{diff}"
    );
    assert!(diff.contains("\n-all is well\n+no database\n"), "{diff}");

    // The same by the incident's id; for people; and the mail.
    let id = kept["incident"].as_str().unwrap();
    let shown = text(&house.ask(&["evidence", id]).stdout);
    assert!(
        shown.contains("\nHTTP/1.1 503 Service Unavailable\ncontent-length: 141\nserver: shop\n"),
        "{shown}"
    );
    assert!(
        shown.contains("\nlocation: /home?token=***&page=1\n"),
        "{shown}"
    );
    let compared = text(&house.ask(&["evidence", id, "--diff"]).stdout);
    assert!(compared.contains("\n--- last good answer, "), "{compared}");
    let mail = house
        .mails()
        .into_iter()
        .find(|mail| mail.subject == "[DOWN 503] shop");
    let mail = mail.map(|mail| mail.text.replace("\r\n", "\n"));
    let mail = mail.unwrap_or_default();
    assert!(
        mail.contains("What changed\n") && mail.contains("  -all is well\n  +no database\n"),
        "{mail}"
    );

    let refused = house.ask(&["evidence", "quiet"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = text(&refused.stderr);
    assert!(
        said.contains("is not kept: keep_evidence = false of this monitor"),
        "{said}"
    );
    let none = house.ask(&["evidence", "9-1"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(
        text(&none.stderr).contains("no incident `9-1` is recorded"),
        "{none:?}"
    );
    assert_eq!(house.ask(&["evidence", "shap"]).status.code(), Some(2));

    drop(daemon);
    let shown = [text(&output.stdout), shown, compared, mail];
    for secret in SECRETS {
        assert!(
            shown.iter().all(|shown| !shown.contains(secret)),
            "{secret}"
        );
    }
}
