//! Each format compared as a whole with the file of its name.

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sitewatch::domain::channel::Format;
use sitewatch::domain::monitor::{MonitorId, MonitorName};
use sitewatch::domain::notification::{MailKind, News, Notice, Parcel};
use sitewatch::domain::secret::Secret;
use sitewatch::domain::target::Proxy;
use sitewatch::policy::template;
use sitewatch::view::channel::{
    Answer, Message, Reply, Request, alertmanager, read_answer, request,
};

use super::channel;
use crate::mails::samples;
use crate::support::golden::Golden;

const PUBLIC_URL: &str = "https://status.example.com/";

/// In place of the text of a DOWN mail: what a layout has to cope with.
const TEXT: &str = "\
the first paragraph, which LEAD stands for

Expected        200-299 at https://shop.example.com/start
Got             503 Service Unavailable from 203.0.113.7:443 after 1 043 ms

Redirects           http://shop.example.com/   301
                ->  https://shop.example.com/  503
Body begins     ```@everyone <!channel>```

-- 
sitewatch VERSION on mon1
";

/// What such a text begins with.
const LEAD: &str = "\
shop is DOWN since 14:02:11 CEST: it answers 503 Service Unavailable, and its page says \"*we* <b>are</b> back @ 5 & #1 \
[soon](http://a.example)\".";

/// What is shown of each format.
fn names(format: Format) -> &'static [&'static str] {
    if format.takes_incidents_only() {
        &["down", "still_down", "escalated", "up", "test"]
    } else {
        &["down", "up", "was_down", "digest", "trouble", "test"]
    }
}

fn shown(request: &Request) -> Value {
    let stamped = request.stamped(samples::at(60)).into_iter();
    let stamped = stamped.map(|(name, value)| (name.to_owned(), value));
    let headers = request.headers.iter().cloned().chain(stamped);
    let headers: Vec<String> = headers
        .map(|(name, value)| format!("{name}: {}", value.reveal()))
        .collect();
    json!({
        "request": format!("{} {}", request.method, request.url.reveal()),
        "headers": headers,
        "body": serde_json::from_str::<Value>(&request.body).unwrap(),
    })
}

#[test]
fn every_format_is_as_it_was() {
    let mut golden = Golden::folder("channels");
    for format in Format::ALL.into_iter().filter(|format| !format.is_level()) {
        let channel = channel::of(format);
        let mut all = Vec::new();
        for (name, parcel, around) in samples::all() {
            if !names(format).contains(&name) {
                continue;
            }
            let mut context = around.context();
            context.page_url = Some(PUBLIC_URL.to_owned());
            let id = format!("msg_{name}");
            let mut message = Message::new(&parcel, &context, &id);
            if name == "down" {
                message.text = TEXT.to_owned();
                message.lead = LEAD.to_owned();
            }
            let composed = request(&channel, &message);
            assert_eq!(composed.template_fault, None);
            all.push(shown(&composed));
        }
        assert_eq!(all.len(), names(format).len(), "{format}");
        let text = serde_json::to_string_pretty(&all).unwrap();
        golden.file(&format!("{format}.json"), &format!("{text}\n"));
    }
    golden.file("alertmanager.json", &alertmanager());
    golden.end(&[".json"]);
}

fn alertmanager() -> String {
    let channel = channel::of(Format::Alertmanager);
    let check = samples::check(22, 503, 1001);
    let cause = samples::cause(&check);
    let outage = alertmanager::Outage {
        incident: samples::incident(),
        monitor: "shop",
        url: "http://shop.example.com/",
        cause: &cause,
        note: "Runbook: https://wiki.example.com/shop",
    };
    let facts = alertmanager::facts(&outage, Some(PUBLIC_URL));
    let stored = alertmanager::Facts::from_json(&facts.to_json());
    assert_eq!(stored, Some(facts.clone()));
    let bare = alertmanager::facts(&outage, None);
    let (now, began) = (samples::at(60), samples::at(0));
    let over = Some(samples::at(845));
    let alerts = [
        alertmanager::alert(&channel, &facts, began, None, now),
        alertmanager::alert(&channel, &bare, began, over, now),
        alertmanager::test_alert(&channel, "mon1", Some(PUBLIC_URL), now),
    ];
    let url = Secret::new("http://am1.example.com:9093");
    let request = alertmanager::post(&channel, &url, &alerts);
    let text = serde_json::to_string_pretty(&shown(&request)).unwrap();
    format!("{text}\n")
}

/// The keys of an object and of the objects below it.
fn keys(value: &Value) -> Value {
    match value {
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.clone(), keys(value)))
            .collect(),
        Value::Array(items) => items.iter().take(1).map(keys).collect(),
        _ => Value::Null,
    }
}

/// The sample that templates are checked with has what messages have, everywhere and under the same names.
#[test]
fn the_sample_of_templates_is_a_message() {
    let all = samples::all();
    let (_, parcel, around) = all.iter().find(|(name, _, _)| *name == "down").unwrap();
    let mut context = around.context();
    context.page_url = Some(PUBLIC_URL.to_owned());
    let message = Message::new(parcel, &context, "id");
    let message = serde_json::to_value(&message).unwrap();
    let mut came = keys(&message);
    // Left out where there are none.
    came["check"].as_object_mut().unwrap().remove("remarks");
    assert_eq!(keys(template::sample()), came);
}

#[test]
fn fields_and_headers_are_laid_over() {
    let all = samples::all();
    let (_, parcel, around) = all.iter().find(|(name, _, _)| *name == "down").unwrap();
    let context = around.context();
    let message = Message::new(parcel, &context, "id");
    for format in Format::ALL.into_iter().filter(|format| !format.is_level()) {
        let mut channel = channel::of(format);
        channel.fields.insert("priority".to_owned(), json!(5));
        channel.fields.insert("title".to_owned(), json!({"a": 1}));
        channel.headers = vec![
            ("content-type".to_owned(), Secret::new("application/json")),
            ("X-Own".to_owned(), Secret::new("own")),
        ];
        let composed = request(&channel, &message);
        let body: Value = serde_json::from_str(&composed.body).unwrap();
        assert_eq!(body["priority"], 5, "{format}");
        assert_eq!(body["title"], json!({"a": 1}), "{format}");
        let named = |name: &str| {
            let found = composed.headers.iter();
            found
                .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.reveal().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(named("Content-Type"), ["application/json"], "{format}");
        assert_eq!(named("X-Own"), ["own"], "{format}");
        let is_json = format == Format::Json;
        assert_eq!(named("webhook-id").len(), usize::from(is_json), "{format}");
        assert_eq!(
            named("Idempotency-Key").len(),
            usize::from(!is_json),
            "{format}"
        );
    }
}

#[test]
fn a_template_that_fails_sends_summary_and_text() {
    let all = samples::all();
    let (_, parcel, around) = all.iter().find(|(name, _, _)| *name == "down").unwrap();
    let context = around.context();
    let message = Message::new(parcel, &context, "id");
    let with = |text: &str, headers| {
        let mut channel = channel::of(Format::Template);
        if let sitewatch::domain::channel::Service::Template { text: own, .. } =
            &mut channel.service
        {
            *own = text.to_owned();
        }
        channel.headers = headers;
        request(&channel, &message)
    };
    let plain = || vec![("Content-Type".to_owned(), Secret::new("text/plain"))];
    let composed = with("{{ summary", Vec::new());
    assert!(composed.template_fault.is_some());
    let body: Value = serde_json::from_str(&composed.body).unwrap();
    assert_eq!(
        body,
        json!({ "summary": message.summary, "text": message.text })
    );
    let composed = with(
        "{% for a in range(100000) %}{{ text }}{% endfor %}",
        plain(),
    );
    assert!(composed.template_fault.is_some());
    assert_eq!(
        composed.body,
        format!("{}\n\n{}", message.summary, message.text)
    );
    let composed = with("{{ summary }}: {{ monitor }}", plain());
    assert_eq!(composed.template_fault, None);
    assert_eq!(composed.body, "DOWN 503 shop: shop");
}

/// A storm of thousands is a body that any receiver takes; those that are down stand first, and the rest is counted.
#[test]
fn a_storm_is_no_larger_than_a_receiver_takes() {
    let all = samples::all();
    let (_, parcel, around) = all.iter().find(|(name, _, _)| *name == "digest").unwrap();
    let context = around.context();
    let is_down = |notice: &&Notice| matches!(notice.news, News::Down { .. });
    let is_up = |notice: &&Notice| matches!(notice.news, News::Up { .. });
    let down = parcel.notices.iter().find(is_down).unwrap();
    let up = parcel.notices.iter().find(is_up).unwrap();
    let sites = 5000;
    let notices = (0..sites).map(|number| {
        let mut notice = if number % 2 == 0 {
            up.clone()
        } else {
            down.clone()
        };
        let about = notice.about.as_mut().unwrap();
        about.monitor = MonitorId(1000 + number);
        about.name = MonitorName::parse(&format!("shop-{number}.example.com")).unwrap();
        notice
    });
    let storm = Parcel {
        kind: MailKind::Digest,
        notices: notices.collect(),
    };
    let message = Message::new(&storm, &context, "id");
    let rows = message.monitors.len();
    assert!(rows > 50, "{rows}");
    assert_eq!(rows + message.monitors_more, 5000);
    assert!(message.monitors.iter().all(|row| row.state == Some("down")));
    for format in [Format::Json, Format::Template] {
        let composed = request(&channel::of(format), &message);
        assert_eq!(composed.template_fault, None);
        assert!(
            composed.body.len() < 100_000,
            "{format} {}",
            composed.body.len()
        );
    }
    let few = Message::new(parcel, &context, "id");
    assert_eq!(few.monitors_more, 0);
}

/// A 407 is final from a service, as every other 4xx; the user's own proxy has a login that somebody can mend.
#[test]
fn a_proxy_that_wants_a_login_pauses() {
    let headers = HeaderMap::new();
    let reply = Reply {
        status: 407,
        headers: &headers,
        body: b"",
    };
    let mut channel = channel::of(Format::Json);
    let answer = read_answer(&channel, &reply, samples::at(0));
    assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    channel.proxy = Proxy::Through("http://proxy.example.com:3128/".parse().unwrap());
    let answer = read_answer(&channel, &reply, samples::at(0));
    assert!(matches!(answer, Answer::Pause(_)), "{answer:?}");
}

/// A 2xx is no delivery where a page answers, of a proxy or another server, or where the service says no in it.
#[test]
fn an_answer_of_something_else_is_no_delivery() {
    const PAGE: &str = "<!DOCTYPE html><title>Please log in</title>";
    let yes = |format: Format| match format {
        Format::Telegram => r#"{"ok":true,"result":{"message_id":1}}"#,
        Format::Pushover => r#"{"status":1,"request":"x"}"#,
        Format::Pagerduty => {
            r#"{"status":"success","message":"Event processed","dedup_key":"7-1"}"#
        }
        Format::Matrix => r#"{"event_id":"$x"}"#,
        Format::Opsgenie => r#"{"result":"Request will be processed","took":0.1,"requestId":"x"}"#,
        Format::Ntfy => r#"{"id":"x","time":1,"event":"message","topic":"alerts"}"#,
        Format::Gotify => r#"{"id":25,"appid":5,"message":"m","priority":2}"#,
        Format::Slack => "ok",
        Format::Teams => "1",
        Format::Discord => r#"{"id":"1","type":0}"#,
        Format::Apprise | Format::Json | Format::Template | Format::Alertmanager => "thanks",
    };
    let headers = HeaderMap::new();
    let answer = |format: Format, body: &str| {
        let reply = Reply {
            status: 200,
            headers: &headers,
            body: body.as_bytes(),
        };
        read_answer(&channel::of(format), &reply, samples::at(0))
    };
    for format in Format::ALL {
        for body in [yes(format), "", "\n"] {
            assert_eq!(answer(format, body), Answer::Delivered, "{format} {body:?}");
        }
        let page = answer(format, PAGE);
        let is_free = matches!(format, Format::Json | Format::Template | Format::Apprise);
        if is_free {
            assert_eq!(page, Answer::Delivered, "{format}");
        } else {
            let words = "answers 200 OK: a page is no answer of this service".to_owned();
            assert_eq!(page, Answer::Later { after: None, words }, "{format}");
        }
    }
    // A gateway that speaks for a service has words of its own.
    for body in ["ok", "{}", "[]", "1"] {
        for format in Format::ALL {
            assert_eq!(answer(format, body), Answer::Delivered, "{format} {body}");
        }
    }
    for (format, body) in [
        (Format::Telegram, r#"{"ok":false,"description":"no"}"#),
        (Format::Pagerduty, r#"{"status":"throttled"}"#),
        (Format::Slack, r#"{"ok":false,"error":"channel_not_found"}"#),
        (
            Format::Slack,
            r#"{"success":false,"error":"no integration"}"#,
        ),
    ] {
        let answer = answer(format, body);
        assert!(
            matches!(answer, Answer::Later { .. }),
            "{format} {body}: {answer:?}"
        );
    }
}

/// What others read: the values of a URL that may be secrets are stars, as in the mail.
#[test]
fn the_url_is_masked_as_in_mails() {
    let all = samples::all();
    let (_, parcel, around) = all.iter().find(|(name, ..)| *name == "down").unwrap();
    let mut parcel = parcel.clone();
    let url = "http://shop.example.com/?token=s3cret-of-a-url&page=2";
    let notice = &mut parcel.notices[0];
    notice.about.as_mut().unwrap().url = url.into();
    if let News::Down { check, .. } = &mut notice.news {
        let mut chain = (*check.chain).clone();
        chain.redirects[0].url = url.to_owned();
        check.chain = chain.into();
    }
    let context = around.context();
    let message = Message::new(&parcel, &context, "id");
    for format in Format::ALL {
        let composed = request(&channel::of(format), &message);
        assert!(!composed.body.contains("s3cret-of-a-url"), "{format}");
    }
    let check = samples::check(22, 503, 1001);
    let outage = alertmanager::Outage {
        incident: samples::incident(),
        monitor: "shop",
        url: "http://shop.example.com/?token=s3cret-of-a-url",
        cause: &samples::cause(&check),
        note: "",
    };
    let facts = alertmanager::facts(&outage, None).to_json();
    assert!(
        facts.contains("?token=***") && !facts.contains("s3cret"),
        "{facts}"
    );
}
