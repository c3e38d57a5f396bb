//! JetStream's requests: streams, a consumer, acknowledged publishing, reading the newest message of a subject.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::{Answers, Client};
use super::protocol::Message;
use super::subjects;
use crate::domain::safe_text;
use crate::link::error::LinkError;

/// A request is answered in milliseconds; a disk may take longer.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// The server waits so long for a first frame.
const FETCH_WAIT: Duration = Duration::from_secs(5);
/// What one fetch may bring.
const FETCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What JetStream says of an error. Numbers: nats-server's `errors.json`.
const IN_USE: u32 = 10058;
const CONSUMER_EXISTS: u32 = 10105;
const WRONG_LAST_SEQUENCE: u32 = 10071;

/// What the log of two hubs keeps: a hub that was away for less than that goes on where it was.
const LOG_BYTES_MAX: u64 = 256 << 20;

#[derive(Debug, Deserialize)]
struct Answer {
    error: Option<Refusal>,
    #[serde(default)]
    seq: u64,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

fn answer(message: &Message) -> Result<Answer, LinkError> {
    let answer: Answer = serde_json::from_slice(&message.payload)
        .map_err(|_| LinkError::Odd("an answer of JetStream that is not JSON"))?;
    match answer.error {
        None => Ok(answer),
        Some(Refusal {
            err_code,
            description,
        }) => Err(LinkError::Api {
            code: err_code,
            description: safe_text::line(&description, 200).into_owned(),
        }),
    }
}

async fn api(client: &Client, subject: &str, body: &Value) -> Result<Answer, LinkError> {
    let subject = format!("$JS.API.{subject}");
    let body = body.to_string();
    let message = client
        .request(&subject, body.as_bytes(), ANSWERED_WITHIN)
        .await?;
    answer(&message)
}

/// Makes a stream, or makes one that is there as it should be.
pub(super) async fn ensure_stream(client: &Client, config: &Value) -> Result<(), LinkError> {
    let name = config
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match api(client, &format!("STREAM.CREATE.{name}"), config).await {
        Err(LinkError::Api { code: IN_USE, .. }) => {
            api(client, &format!("STREAM.UPDATE.{name}"), config).await?;
        }
        made => {
            made?;
        }
    }
    Ok(())
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The stream of results: it refuses what it has no room for, since the probes keep it then.
pub(super) fn results_stream(bytes_max: u64, age_max: Duration, message_max: usize) -> Value {
    json!({
        "name": subjects::RESULTS,
        "subjects": [subjects::ALL_RESULTS],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_bytes": bytes_max,
        "max_age": nanos(age_max),
        "max_msg_size": message_max,
        "max_msgs": -1,
        "max_consumers": -1,
        "max_msgs_per_subject": -1,
        "num_replicas": 1,
        "duplicate_window": nanos(Duration::from_secs(120)),
    })
}

/// A stream of which only the newest message of each subject counts.
pub(super) fn newest_stream(name: &str, all: &str) -> Value {
    json!({
        "name": name,
        "subjects": [all],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "max_bytes": 1_u64 << 30,
        "max_age": 0,
        "max_msg_size": 1 << 20,
        "max_msgs": -1,
        "max_consumers": -1,
        "max_msgs_per_subject": 1,
        "num_replicas": 1,
        "allow_direct": true,
        "duplicate_window": nanos(Duration::from_secs(120)),
    })
}

/// The log of two hubs: the oldest entries go first.
pub(super) fn log_stream() -> Value {
    json!({
        "name": subjects::LOG,
        "subjects": [subjects::LOG_SUBJECT],
        "retention": "limits",
        "storage": "file",
        "discard": "old",
        "max_bytes": LOG_BYTES_MAX,
        "max_age": 0,
        "max_msg_size": 1 << 20,
        "max_msgs": -1,
        "max_consumers": -1,
        "max_msgs_per_subject": -1,
        "num_replicas": 1,
        "allow_direct": true,
        "duplicate_window": nanos(Duration::from_secs(120)),
    })
}

/// The hub's consumer, which remembers what was acknowledged.
pub(super) async fn ensure_consumer(client: &Client) -> Result<(), LinkError> {
    let config = json!({
        "stream_name": subjects::RESULTS,
        "config": {
            "durable_name": subjects::CONSUMER,
            "deliver_policy": "all",
            "ack_policy": "all",
            "ack_wait": nanos(Duration::from_secs(15)),
            "max_deliver": -1,
            "max_ack_pending": 5000,
            "filter_subject": subjects::ALL_RESULTS,
            "replay_policy": "instant",
        },
    });
    let subject = format!(
        "CONSUMER.DURABLE.CREATE.{}.{}",
        subjects::RESULTS,
        subjects::CONSUMER
    );
    match api(client, &subject, &config).await {
        Ok(_)
        | Err(LinkError::Api {
            code: CONSUMER_EXISTS,
            ..
        }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Publishes into a stream; the number that the stream gave it.
pub(super) async fn publish(
    client: &Client,
    subject: &str,
    payload: &[u8],
) -> Result<u64, LinkError> {
    let message = client.request(subject, payload, ANSWERED_WITHIN).await?;
    Ok(answer(&message)?.seq)
}

/// Publishes some messages into a stream, in order; the numbers that the stream gave them.
pub(super) async fn publish_all(
    client: &Client,
    subject: &str,
    payloads: &[Vec<u8>],
) -> Result<Vec<u64>, LinkError> {
    let all = async {
        let mut asked = Vec::with_capacity(payloads.len());
        for payload in payloads {
            asked.push(client.ask(subject, payload).await?);
        }
        let mut numbers = Vec::with_capacity(payloads.len());
        for asked in asked {
            numbers.push(answer(&asked.answer().await?)?.seq);
        }
        Ok(numbers)
    };
    tokio::time::timeout(ANSWERED_WITHIN, all)
        .await
        .map_err(|_| LinkError::Timeout)?
}

/// The newest message of a subject, if there is one.
pub(super) async fn newest(
    client: &Client,
    stream: &str,
    subject: &str,
) -> Result<Option<Vec<u8>>, LinkError> {
    let asked = subjects::direct_get(stream, subject);
    let message = client.request(&asked, b"", ANSWERED_WITHIN).await?;
    match message.status {
        0 => Ok(Some(message.payload)),
        404 => Ok(None),
        _ => Err(LinkError::Odd("an answer of JetStream with another status")),
    }
}

/// Publishes into a stream if the newest message there has the number `after`: the number that it gave, or `None`.
pub(super) async fn publish_after(
    client: &Client,
    subject: &str,
    after: u64,
    payload: &[u8],
) -> Result<Option<u64>, LinkError> {
    let header = ("Nats-Expected-Last-Sequence", after.to_string());
    let header = (header.0, header.1.as_str());
    let message = client
        .request_with(subject, header, payload, ANSWERED_WITHIN)
        .await?;
    match answer(&message) {
        Ok(answer) => Ok(Some(answer.seq)),
        Err(LinkError::Api {
            code: WRONG_LAST_SEQUENCE,
            ..
        }) => Ok(None),
        Err(why) => Err(why),
    }
}

/// The newest message of a subject with its number, or the one that `asked` names, if it is there.
pub(super) async fn numbered(
    client: &Client,
    stream: &str,
    asked: Numbered<'_>,
) -> Result<Option<(u64, Vec<u8>)>, LinkError> {
    let (subject, body) = match asked {
        Numbered::Newest(subject) => (subjects::direct_get(stream, subject), String::new()),
        Numbered::At(number) => (
            format!("$JS.API.DIRECT.GET.{stream}"),
            json!({ "seq": number }).to_string(),
        ),
    };
    let message = client
        .request(&subject, body.as_bytes(), ANSWERED_WITHIN)
        .await?;
    match message.status {
        0 if message.sequence > 0 => Ok(Some((message.sequence, message.payload))),
        404 => Ok(None),
        _ => Err(LinkError::Odd("an answer of JetStream with another status")),
    }
}

/// Which message of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) enum Numbered<'s> {
    /// The newest of a subject.
    Newest(&'s str),
    /// The one of this number.
    At(u64),
}

/// The number that the newest message of a stream has, or had.
pub(super) async fn last_number(client: &Client, stream: &str) -> Result<u64, LinkError> {
    #[derive(Deserialize)]
    struct About {
        state: State,
    }
    #[derive(Deserialize)]
    struct State {
        #[serde(default)]
        last_seq: u64,
    }
    let subject = format!("$JS.API.STREAM.INFO.{stream}");
    let message = client.request(&subject, b"", ANSWERED_WITHIN).await?;
    answer(&message)?;
    let about: About = serde_json::from_slice(&message.payload)
        .map_err(|_| LinkError::Odd("what it says of a stream"))?;
    Ok(about.state.last_seq)
}

/// A question for messages that the server may still answer: what comes must not be lost, since it would only come
/// again after a while.
pub(super) struct Pull {
    answers: Answers,
    left: usize,
}

/// Some messages of the hub's consumer, at most `max`. `pull` is what was asked for before.
pub(super) async fn fetch(
    client: &Client,
    pull: &mut Option<Pull>,
    max: usize,
) -> Result<Vec<Message>, LinkError> {
    let mut messages: Vec<Message> = Vec::new();
    while messages.len() < max {
        let asked = match pull.take() {
            Some(asked) => asked,
            // What is here goes on its way first.
            None if !messages.is_empty() => break,
            None => ask_for_messages(client, max).await?,
        };
        let asked = pull.insert(asked);
        let patience = match messages.is_empty() {
            true => FETCH_WAIT + ANSWERED_WITHIN,
            false => FETCH_GAP,
        };
        let message = match tokio::time::timeout(patience, asked.answers.next()).await {
            Ok(Some(message)) => message,
            Ok(None) => return Err(LinkError::Broken("it is closed".to_owned())),
            Err(_) if messages.is_empty() => return Err(LinkError::Timeout),
            Err(_) => break,
        };
        match message.status {
            0 => {
                messages.push(message);
                asked.left -= 1;
                if asked.left == 0 {
                    *pull = None;
                }
            }
            // Nothing, or no more, or not more than max_bytes: it is over.
            404 | 408 | 409 => {
                *pull = None;
                if messages.is_empty() {
                    break;
                }
            }
            100 => {}
            503 => return Err(LinkError::NoService),
            _ => return Err(LinkError::Odd("an answer of JetStream with another status")),
        }
    }
    Ok(messages)
}

async fn ask_for_messages(client: &Client, max: usize) -> Result<Pull, LinkError> {
    let body = json!({
        "batch": max,
        "expires": nanos(FETCH_WAIT),
        "max_bytes": FETCH_BYTES_MAX,
    });
    let subject = format!(
        "$JS.API.CONSUMER.MSG.NEXT.{}.{}",
        subjects::RESULTS,
        subjects::CONSUMER
    );
    let answers = client
        .ask_many(&subject, body.to_string().as_bytes(), max)
        .await?;
    Ok(Pull { answers, left: max })
}

/// After a first frame the next ones are there already, or not worth waiting for.
const FETCH_GAP: Duration = Duration::from_millis(20);

/// Takes messages out of the results up to this one.
pub(super) async fn purge(client: &Client, number: u64) -> Result<(), LinkError> {
    let subject = format!("STREAM.PURGE.{}", subjects::RESULTS);
    api(
        client,
        &subject,
        &json!({ "seq": number.saturating_add(1) }),
    )
    .await?;
    Ok(())
}

/// The number in the stream that a message of a consumer has: the sixth part of
/// `$JS.ACK.STREAM.CONSUMER.DELIVERED.NUMBER.CONSUMER_NUMBER.TIME.PENDING`; newer servers put two more parts in front.
pub(super) fn number_of(reply: &str) -> Option<u64> {
    let parts: Vec<&str> = reply.split('.').take(13).collect();
    let at = match parts.len() {
        9 => 5,
        11..=13 => 7,
        _ => return None,
    };
    parts.get(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_message_stands_in_its_reply() {
        let old = "$JS.ACK.SW_RESULTS.hub.1.42.7.1700000000000000000.3";
        assert_eq!(number_of(old), Some(42));
        let new = "$JS.ACK._.hash.SW_RESULTS.hub.1.42.7.1700000000000000000.3";
        assert_eq!(number_of(new), Some(42));
        assert_eq!(number_of("$JS.ACK.x"), None);
    }

    #[test]
    fn a_refusal_is_an_error() {
        let of = |payload: &str| {
            answer(&Message {
                payload: payload.into(),
                ..Message::default()
            })
        };
        assert_eq!(of("{\"stream\":\"SW_RESULTS\",\"seq\":7}").unwrap().seq, 7);
        assert_eq!(
            of("{\"error\":{\"code\":400,\"err_code\":10077,\"description\":\"maximum bytes exceeded\"}}").unwrap_err(),
            LinkError::Api {
                code: 10077,
                description: "maximum bytes exceeded".to_owned()
            }
        );
        assert!(of("nothing").is_err());
    }
}
