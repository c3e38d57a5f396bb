//! Lists: URLs, tables, sitemaps, Upptime.

use super::*;

fn monitors(imported: &Imported) -> Vec<String> {
    loaded(imported)
        .monitors
        .iter()
        .map(|monitor| format!("{} = {}", monitor.name, monitor.subject.url_text()))
        .collect()
}

#[test]
fn urls() {
    let imported = import::urls(&[source(
        "# our sites\nhttps://example.com/\n\nexample.org\nhttps://shop.example.com/x Shop \"front\"\nnonsense\nhttps://example.com/\nftp://example.com/\n",
    )])
    .unwrap();
    assert_eq!(
        imported.toml,
        r#"#:schema file:///usr/share/sitewatch/sitewatch.schema.json
# Made by `sitewatch import urls`.
# Not carried over:
# - not checked, the scheme `ftp` cannot be checked: ftp://example.com/
# - line 6: `nonsense` is not a URL
# - line 7: https://example.com/ appears twice

# Nobody is told of anything until this is filled in:
# [email]
# host = "smtp.example.com"
# from = "Sitewatch <alerts@example.com>"
# to = ["ops@example.com"]

[[monitor]]
url = "https://example.com/"

# https:// is a guess
[[monitor]]
url = "https://example.org"

[[monitor]]
name = "Shop \"front"
url = "https://shop.example.com/x"
"#
    );
    assert_eq!(loaded(&imported).monitors.len(), 3);
}

#[test]
fn urls_as_people_paste_them() {
    let imported = import::urls(&[source(
        "\u{feff}- https://a.example/\n* <https://b.example/>\n3. \"https://c.example/\", Third\n- [ ] [Fourth](https://d.example/)\nhttps://e.example/,Fifth\nmail@example.com\n",
    )])
    .unwrap();
    assert_eq!(
        monitors(&imported),
        [
            "a.example = https://a.example/",
            "b.example = https://b.example/",
            "Third = https://c.example/",
            "Fourth = https://d.example/",
            "Fifth = https://e.example/",
        ]
    );
    assert_eq!(
        imported.left_out,
        ["line 6: `mail@example.com` is not a URL"]
    );
}

#[test]
fn sitemaps() {
    let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- <url><loc>https://no.example/</loc></url> -->
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
<url><loc> https://a.example/?a=1&amp;b=2 </loc><image:image><image:loc>https://a.example/i.png</image:loc></image:image></url>
<url><loc><![CDATA[https://a.example/two]]></loc><lastmod>2026-01-01</lastmod></url>
<url><loc>https://a.example/two</loc></url>
</urlset>"#;
    for imported in [
        import::sitemap(&[source(text)]),
        import::urls(&[source(text)]),
    ] {
        let urls: Vec<String> = loaded(&imported.unwrap())
            .monitors
            .iter()
            .map(|monitor| monitor.subject.url_text().to_string())
            .collect();
        assert_eq!(
            urls,
            ["https://a.example/?a=1&b=2", "https://a.example/two"]
        );
    }
    let index =
        "<sitemapindex><sitemap><loc>https://a.example/s.xml</loc></sitemap></sitemapindex>";
    let imported = import::sitemap(&[source(index)]).unwrap();
    assert_eq!(imported.monitors, 0);
    assert_eq!(
        imported.left_out,
        ["a list of other sitemaps, each to be imported by itself: https://a.example/s.xml"]
    );
    assert!(import::sitemap(&[source("<urlset><url></loc>")]).is_err());
}

#[test]
fn tables_of_hosts_and_names() {
    let text = "name,url,type,keyword,method,record type,dns server,dns ips\n\
        a,a.example,3,word,HEAD,,,\n\
        b,icmp://b.example,,word,HEAD,,,\n\
        c,c.example,DNS,,,,9.9.9.9,192.0.2.1|192.0.2.2|x\n\
        d,d.example,dns,,,MX,,10 mail.example\n\
        e,tls://e.example:993,,word,,,,\n\
        f,dns:///f.example?type=TXT,,,,,,\n\
        g,g.example,heartbeat,,,,,\n\
        h,h.example,dns,,,NAPTR,,\n";
    let imported = import::csv(&[source(text)]).unwrap();
    assert_eq!(
        imported.left_out,
        [
            "not checked (heartbeat; there are no monitors of that kind): g (g.example)",
            "not checked (the record type `NAPTR` cannot be asked for): h (h.example)",
            "the keyword, which only web sites have: a, b, e",
            "the answer `x`, which is no A record: c",
        ]
    );
    let config = loaded(&imported);
    let urls: Vec<String> = config
        .monitors
        .iter()
        .map(|monitor| monitor.subject.url_text().to_string())
        .collect();
    assert_eq!(
        urls,
        [
            "icmp://a.example",
            "icmp://b.example",
            "dns://9.9.9.9/c.example",
            "dns:///d.example?type=MX",
            "tls://e.example:993",
            "dns:///f.example?type=TXT",
        ]
    );
    let written = keys(&imported).join("\n");
    assert!(
        written.contains("answers = [\"192.0.2.1\", \"192.0.2.2\"]"),
        "{written}"
    );
}

/// The words of docs/moving.md as column heads, and rows that say what they are without a type.
#[test]
fn tables_without_a_type() {
    let text = "url;name;port;record type;server;answers;expected codes;redirects;keyword\n\
        https://a.example/;A;;;;;200,301;no;\n\
        b.example;B;5432;;;;;;\n\
        c.example;C;80;;;;;;\n\
        d.example;D;443;;;;;;word\n\
        e.example;E;;mx;9.9.9.9;10 mail.example;;;\n\
        f.example;F;;;;;;;\n";
    let imported = import::csv(&[source(text)]).unwrap();
    assert_eq!(imported.left_out, Vec::<String>::new());
    assert_eq!(
        keys(&imported)
            .into_iter()
            .filter(|line| *line != "[[monitor]]")
            .collect::<Vec<_>>(),
        [
            "name = \"A\"",
            "url = \"https://a.example/\"",
            "expect_status = [\"200\", \"301\"]",
            "follow_redirects = false",
            "name = \"B\"",
            "url = \"tcp://b.example:5432\"",
            "name = \"C\"",
            "url = \"http://c.example\"",
            "name = \"D\"",
            "url = \"https://d.example\"",
            "body_contains = [\"word\"]",
            "name = \"E\"",
            "url = \"dns://9.9.9.9/e.example?type=MX\"",
            "answers = [\"10 mail.example\"]",
            "name = \"F\"",
            "url = \"https://f.example\"",
        ]
    );
    loaded(&imported);
    // A type that is given counts.
    let text = "url,type,port\ng.example,http,8443\nh.example,tcp,80\n";
    let imported = import::csv(&[source(text)]).unwrap();
    let urls = keys(&imported).join("\n");
    assert!(urls.contains("https://g.example:8443"), "{urls}");
    assert!(urls.contains("tcp://h.example:80"), "{urls}");
}

#[test]
fn tables_of_other_services_and_of_spreadsheets() {
    let robot = "\u{feff}\"Friendly Name\",\"URL/IP\",\"Type\",\"Keyword Type\",\"Keyword Value\",\"Port\",\"Interval\",\"Status\"\n\"Shop, front\",\"https://shop.example/\",\"HTTP(s)\",\"\",\"\",\"\",\"300\",\"Up\"\n\"Key\",\"https://key.example/\",\"Keyword\",\"not exists\",\"Welcome\",\"\",\"60\",\"Paused\"\n\"Bad\",\"https://bad.example/\",\"Keyword\",\"exists\",\"Error\",\"\",\"60\",\"Up\"\n\"Box\",\"10.0.0.1\",\"Ping\",\"\",\"\",\"\",\"300\",\"Up\"\n";
    let imported = import::csv(&[source(robot)]).unwrap();
    assert_eq!(imported.left_out, Vec::<String>::new());
    let config = loaded(&imported);
    assert_eq!(
        lines(&config),
        [
            "Shop, front | GET https://shop.example/ | 200-299 every 5m within 10s | down after 3, up after 2",
            "Key | GET https://key.example/ | 200-299 every 1m within 10s | down after 3, up after 2",
            "Bad | GET https://bad.example/ | 200-299 every 1m within 10s | down after 3, up after 2",
            "Box | - icmp://10.0.0.1 | - every 5m within 10s | down after 3, up after 2",
        ]
    );
    assert!(!config.monitors[1].enabled);
    assert_eq!(
        config.monitors[1].http().unwrap().expectation.body_contains,
        ["Welcome"]
    );
    assert_eq!(
        config.monitors[2].http().unwrap().expectation.body_excludes,
        ["Error"]
    );

    for (table, wanted) in [
        (
            "name;url;tags\nShop;https://a.example/;prod|web\n",
            "Shop = https://a.example/",
        ),
        (
            "url\tname\nhttps://a.example/\tShop\n",
            "Shop = https://a.example/",
        ),
        (
            "Website URL,Test Name,Check Rate,Paused\nhttps://a.example/,Shop,5 min,false\n",
            "Shop = https://a.example/",
        ),
        ("Domain\na.example\n", "a.example = https://a.example/"),
        (
            "url\n\"https://a.example/\"\"x\"\n",
            "a.example/%22x = https://a.example/%22x",
        ),
    ] {
        assert_eq!(
            monitors(&import::csv(&[source(table)]).unwrap()),
            [wanted],
            "{table}"
        );
    }
    let imported = import::csv(&[source(
        "url,expect_status,interval\nhttps://a.example/,\"200,2zz\",soon\n,200,\n",
    )])
    .unwrap();
    assert_eq!(
        imported.left_out,
        [
            "the status `2zz`: https://a.example/",
            "line 2: `soon` is not a duration",
            "line 3: the URL is missing",
        ]
    );
}

#[test]
fn upptime() {
    let imported = import::upptime(&[source(
        "
owner: kim
repo: status
sites:
  - name: Shop
    url: https://shop.example/
  - name: Api
    url: https://api.example/$PATH_SECRET
    method: POST
    body: '{\"a\": \"$BODY_SECRET\"}'
    headers:
      - 'Authorization: Bearer $TOKEN_1'
    expectedStatusCodes: [200, 201, 404]
    maxResponseTime: 5000
    __dangerous__insecure: true
    __dangerous__body_down_if_text_missing: welcome
    __dangerous__body_down: fatal
  - name: Port
    url: db.example
    port: 5432
    check: tcp-ping
notifications:
  - type: slack
",
    )])
    .unwrap();
    assert_eq!(
        imported.left_out,
        [
            "`notifications`: their services are named by secrets of the repository; write a [[channel]] for each"
        ]
    );
    assert_eq!(
        imported.variables,
        ["BODY_SECRET", "PATH_SECRET", "TOKEN_1"]
    );
    let config = loaded(&imported);
    assert_eq!(
        line(&config.monitors[0]),
        "Shop | GET https://shop.example/ | 200-208, 226, 300-308 every 5m within 30s | down after 3, up after 1"
    );
    let api = &config.monitors[1];
    assert!(!api.http().unwrap().target.verify_tls);
    assert_eq!(api.http().unwrap().expectation.body_contains, ["welcome"]);
    assert_eq!(api.http().unwrap().expectation.body_excludes, ["fatal"]);
    assert_eq!(
        api.http().unwrap().target.headers[0].1.reveal(),
        "Bearer example.com"
    );
}
