//! A mail as the bytes of RFC 5322 and MIME.

use std::time::{Duration, SystemTime};

use lettre::message::header::{self, HeaderName, HeaderValue, Headers};
use lettre::message::{Mailbox, Mailboxes, MultiPart};

use crate::domain::address::{Address, Wire};
use crate::domain::safe_text;

use super::outgoing::{Mail, Sender};

/// The last second that `Date` can name with four digits of year.
const LAST_SECOND: u64 = 253_402_300_799;

/// Lines of a header should not be longer: RFC 5322 section 2.1.1.
const HEADER_COLUMNS: usize = 78;

/// Why a message could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// An address that no mail server takes; a version before let it pass.
    #[error("`{0}` is not an address that mail servers take; correct it in the configuration")]
    Address(String),
}

/// The address as lettre writes it into commands.
pub fn lettre_address(wire: &Wire) -> lettre::Address {
    // lettre's own rules know no quotes that dots need and no tag of IPv6; `Address::parse` is stricter elsewhere.
    lettre::Address::new_dangerous(&wire.local, &wire.domain)
}

/// The address for a header field; `None` if it may not stand there: without SMTPUTF8 only ASCII may.
fn named(address: &Address, is_utf8: bool) -> Option<Mailbox> {
    let wire = address.wire()?;
    (is_utf8 || !wire.needs_utf8())
        .then(|| Mailbox::new(address.name().map(str::to_owned), lettre_address(&wire)))
}

/// The whole message: multipart/alternative, text first. `is_utf8` says whether this copy is sent with SMTPUTF8 (RFC
/// 6531); if not, it is pure ASCII, and recipients with another address are left out of its `To`.
///
/// # Errors
/// If the sender's or the recipient's address cannot be used.
pub fn bytes(
    sender: &Sender,
    mail: &Mail,
    to: &Address,
    is_utf8: bool,
) -> Result<Vec<u8>, MessageError> {
    let own = |address: &Address| {
        named(address, is_utf8).ok_or_else(|| MessageError::Address(address.mailbox().to_owned()))
    };
    // An address of another recipient that cannot be used must not keep this one from its mail.
    let mut everybody: Vec<Mailbox> = mail
        .everybody
        .iter()
        .filter_map(|address| named(address, is_utf8))
        .collect();
    if everybody.is_empty() {
        everybody.push(own(to)?);
    }
    let date = u64::try_from(mail.date.as_seconds())
        .unwrap_or(0)
        .min(LAST_SECOND);
    // Field by field: lettre's builder reads addresses back by rules that know no quotes.
    let mut fields = Headers::new();
    fields.set(header::From::from(Mailboxes::from(own(&sender.from)?)));
    field(&mut fields, "Subject", &mail.rendered.subject);
    fields.set(header::Date::from(
        SystemTime::UNIX_EPOCH + Duration::from_secs(date),
    ));
    fields.set(header::MessageId::from(format!("<{}>", mail.message_id)));
    fields.insert_raw(to_field(everybody));
    if let Some(reply_to) = sender.reply_to.as_ref().and_then(|a| named(a, is_utf8)) {
        fields.set(header::ReplyTo::from(Mailboxes::from(reply_to)));
    }
    if !mail.thread_roots.is_empty() {
        let roots = mail.thread_roots.iter().map(|root| format!("<{root}>"));
        let roots = roots.collect::<Vec<_>>().join(" ");
        fields.set(header::InReplyTo::from(roots.clone()));
        fields.set(header::References::from(roots));
    }
    field(&mut fields, "Auto-Submitted", "auto-generated");
    // A bounce (NDR) is the only sign of a wrong address: it is not suppressed.
    field(
        &mut fields,
        "X-Auto-Response-Suppress",
        "OOF, AutoReply, RN, NRN, DR",
    );
    let repeated = own_fields(&mut fields, mail);
    fields.set(header::MIME_VERSION_1_0);
    let body =
        MultiPart::alternative_plain_html(mail.rendered.text.clone(), mail.rendered.html.clone());
    let mut bytes = format!("{repeated}{fields}").into_bytes();
    bytes.extend(body.formatted());
    Ok(bytes)
}

/// `To` with as many addresses on a line as fit: the library folds within names, and lets lines become too long.
fn to_field(everybody: Vec<Mailbox>) -> HeaderValue {
    let mut raw = Vec::with_capacity(everybody.len());
    let mut encoded = String::new();
    let mut column = "To: ".len();
    for mailbox in everybody {
        raw.push(mailbox.to_string());
        let mut one = Headers::new();
        one.set(header::To::from(Mailboxes::from(mailbox)));
        let one = one.to_string();
        let one = one.trim_start_matches("To: ").trim_end();
        // Encoded words must not be longer than the library made them.
        let mut entry = match one.contains("=?") {
            true => one.to_owned(),
            false => one.replace("\r\n ", " "),
        };
        if !encoded.is_empty() {
            let first = entry.split("\r\n").next().unwrap_or_default();
            // A comma stands before it and after it.
            let fits = column + ", ".len() + first.len() < HEADER_COLUMNS;
            encoded.push_str(if fits { ", " } else { ",\r\n " });
            column = if fits { column + ", ".len() } else { 1 };
        }
        if !entry.contains("\r\n")
            && column + entry.len() >= HEADER_COLUMNS
            && let Some(at) = entry.rfind(" <")
        {
            entry.insert_str(at, "\r\n");
        }
        column = match entry.rsplit_once("\r\n") {
            Some((_, last)) => last.len(),
            None => column + entry.len(),
        };
        encoded.push_str(&entry);
    }
    let name = HeaderName::new_from_ascii_str("To");
    HeaderValue::dangerous_new_pre_encoded(name, raw.join(", "), encoded)
}

/// Adds what the mail's kind says of itself; answers the fields that come more than once.
fn own_fields(fields: &mut Headers, mail: &Mail) -> String {
    let mut repeated = String::new();
    let mut names: Vec<&str> = Vec::new();
    for (name, value) in &mail.rendered.headers {
        if names.contains(name) {
            // The library keeps one field of a name; further ones go before its header. Only
            // incidents come more than once, and their ids are digits and a dash.
            let id: String = value
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
                .take(60)
                .collect();
            repeated.push_str(&format!("{name}: {id}\r\n"));
        } else {
            names.push(name);
            field(fields, name, value);
        }
    }
    repeated
}

fn field(fields: &mut Headers, name: &'static str, value: &str) {
    let header = HeaderName::new_from_ascii_str(name);
    let value = safe_text::line(value, 400).into_owned();
    fields.insert_raw(match value.contains("=?") {
        true => {
            let encoded = encoded_words(&value);
            HeaderValue::dangerous_new_pre_encoded(header, value, encoded)
        }
        false => HeaderValue::new(header, value),
    });
}

/// A text as encoded words (RFC 2047), each on a line of its own. A name may look like an encoded word itself: mail
/// programs would show what it stands for, which nobody has looked at.
fn encoded_words(text: &str) -> String {
    // A line begins with the name of a field or a blank, and the frame of a word takes 12.
    const LETTERS_MAX: usize = 40;
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        let mut bytes = [0; 4];
        let one = match c {
            ' ' => "_".to_owned(),
            c if c.is_ascii_alphanumeric() => c.to_string(),
            c => c
                .encode_utf8(&mut bytes)
                .bytes()
                .map(|byte| format!("={byte:02X}"))
                .collect(),
        };
        if word.len() + one.len() > LETTERS_MAX {
            words.push(std::mem::take(&mut word));
        }
        word.push_str(&one);
    }
    words.push(word);
    let framed = words.iter().map(|word| format!("=?utf-8?q?{word}?="));
    framed.collect::<Vec<_>>().join("\r\n ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::timestamp::Timestamp;
    use crate::view::mail::rendered::Rendered;

    fn mail(everybody: Vec<Address>) -> Mail {
        Mail {
            message_id: "0123@example.com".into(),
            thread_roots: Vec::new(),
            everybody,
            queued_at: Timestamp::from_ms(0),
            date: Timestamp::from_ms(1_795_377_600_000),
            rendered: Rendered {
                subject: "[DOWN 503] B\u{fc}ro".into(),
                text: "\u{fc}".into(),
                lead: String::new(),
                html: "<p>\u{fc}</p>".into(),
                headers: vec![("X-Sitewatch-Monitor", "B\u{fc}ro".into())],
            },
        }
    }

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn copy(from: &str, reply_to: &str, everybody: &[&str], to: &str) -> String {
        let sender = Sender {
            from: address(from),
            reply_to: Some(address(reply_to)),
        };
        let mail = mail(everybody.iter().map(|text| address(text)).collect());
        let to = address(to);
        let is_utf8 = [&sender.from, &to]
            .iter()
            .any(|address| address.wire().unwrap().needs_utf8());
        String::from_utf8(bytes(&sender, &mail, &to, is_utf8).unwrap()).unwrap()
    }

    #[test]
    fn each_copy_is_ascii_unless_its_own_envelope_is_not() {
        let to = [
            "Ops <ops@x.org>",
            "J\u{f6}rg <j\u{f6}rg@x.org>",
            "dev@b\u{fc}cher.example",
        ];
        let plain = copy("alerts@x.org", "j\u{f6}rg@x.org", &to, "ops@x.org");
        assert!(plain.is_ascii(), "{plain}");
        assert!(
            plain.contains("\r\nTo: Ops <ops@x.org>, dev@xn--bcher-kva.example\r\n"),
            "{plain}"
        );
        assert!(!plain.contains("Reply-To"), "{plain}");
        assert!(
            plain.contains("\r\nMessage-ID: <0123@example.com>\r\n"),
            "{plain}"
        );
        let special = copy("alerts@x.org", "ops@x.org", &to, "j\u{f6}rg@x.org");
        assert!(special.contains("<j\u{f6}rg@x.org>"), "{special}");
        assert!(
            special.contains("\r\nMessage-ID: <0123@example.com>\r\n"),
            "{special}"
        );
        let sender = copy("m\u{fc}ller@x.org", "ops@x.org", &to, "ops@x.org");
        assert!(sender.contains("m\u{fc}ller@x.org"), "{sender}");
    }

    #[test]
    fn a_name_that_looks_like_an_encoded_word_is_shown_as_it_stands() {
        for name in [
            "=?UTF-8?B?aGFjaw==?=",
            "=?utf-8?q?=E2=80=AEfdp=2Eexe?= and more",
            "B\u{fc}ro =?x?q?a?=",
            "a=?b",
            "=?",
            "\u{1f415}\u{1f415}\u{1f415}\u{1f415}\u{1f415}\u{1f415} =?UTF-8?B?aGFjaw==?= \u{1f415}\u{1f415}",
            "an ordinary name",
            "B\u{fc}ro",
        ] {
            let mut mail = mail(vec![address("ops@x.org")]);
            mail.rendered.subject = format!("[DOWN 503] {name}");
            mail.rendered.headers = vec![("X-Sitewatch-Monitor", name.to_owned())];
            let sender = Sender {
                from: address("alerts@x.org"),
                reply_to: None,
            };
            let bytes = bytes(&sender, &mail, &address("ops@x.org"), false).unwrap();
            let whole = String::from_utf8(bytes).unwrap();
            let (head, _) = whole.split_once("\r\n\r\n").unwrap();
            assert!(head.is_ascii() && head.split("\r\n").all(|line| line.len() <= 78));
            // The parser decodes the fields that it knows.
            let other = head
                .replace("Subject: ", "X-Other: ")
                .replace("X-Sitewatch-Monitor: ", "Subject: ");
            for (head, want) in [
                (head, mail.rendered.subject.as_str()),
                (other.as_str(), name),
            ] {
                let text = format!("{head}\r\n\r\n");
                let parser = mail_parser::MessageParser::default();
                let parsed = parser.parse(text.as_bytes()).unwrap();
                assert_eq!(parsed.subject(), Some(want), "{head}");
            }
        }
    }

    #[test]
    fn many_recipients_are_folded_between_addresses() {
        for (name, domain) in [
            ("Person Number ", "a-rather-long-domain-name.example.com"),
            ("", "x.org"),
            (
                "J\u{f6}rg M\u{fc}ller der F\u{fc}nfzigste und noch weitere Worte ",
                "example.com",
            ),
        ] {
            let written = |number: usize| match name {
                "" => format!("p{number}@{domain}"),
                name => format!("{name}{number} <person.number.{number}@{domain}>"),
            };
            let to: Vec<String> = (0..40).map(written).collect();
            let to: Vec<&str> = to.iter().map(String::as_str).collect();
            let whole = copy("alerts@x.org", "ops@x.org", &to, "ops@x.org");
            let (head, _) = whole.split_once("\r\n\r\n").unwrap();
            for line in head.split("\r\n") {
                assert!(line.len() <= 78, "{line}");
                assert_eq!(line.matches('"').count() % 2, 0, "{line}");
            }
            let parsed = mail_parser::MessageParser::default()
                .parse(whole.as_bytes())
                .unwrap();
            let read = parsed.to().unwrap().iter();
            let read: Vec<String> = read
                .map(|one| match one.name() {
                    Some(name) => format!("{name} <{}>", one.address().unwrap()),
                    None => one.address().unwrap().to_owned(),
                })
                .collect();
            assert_eq!(read, to);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever `Address::parse` takes stands whole in the message and reads back as that address.
        #[test]
        fn every_address_that_is_taken_can_be_mailed_to(
            text in prop_oneof![
                "([A-Za-z \"<>,;@.]{0,8} ?)?<?[a-z0-9.+\"'\u{f6}@ -]{1,12}@[a-z0-9.\u{fc}\\[\\]:-]{1,14}>?",
                "\"[ -~]{1,12}\"@[a-z]{1,5}\\.org",
                "[ -~\u{e4}\u{4e2d}]{0,20} <[!-~]{1,10}@[a-z]{1,5}\\.org>",
            ]
        ) {
            if let Ok(to) = Address::parse(&text) {
                let again = Address::parse(&to.to_string()).unwrap();
                prop_assert_eq!((again.name(), again.mailbox()), (to.name(), to.mailbox()));
                let wire = to.wire().unwrap();
                let sender = Sender { from: to.clone(), reply_to: Some(to.clone()) };
                let bytes = bytes(&sender, &mail(vec![to.clone()]), &to, wire.needs_utf8()).unwrap();
                let message = String::from_utf8(bytes).unwrap();
                prop_assert!(wire.needs_utf8() || message.is_ascii());
                let unfolded = message.replace("\r\n ", " ").replace("\r\n\t", " ");
                let whole = format!("{}@{}", wire.local, wire.domain);
                for field in ["\r\nTo: ", "From: ", "\r\nReply-To: "] {
                    let (_, rest) = unfolded.split_once(field).unwrap();
                    let value = rest.split("\r\n").next().unwrap();
                    prop_assert!(value.contains(&whole), "{} in {}", whole, value);
                }
                let rcpt = lettre::transport::smtp::commands::Rcpt::new(lettre_address(&wire), vec![]);
                prop_assert_eq!(rcpt.to_string(), format!("RCPT TO:<{whole}>\r\n"));
                prop_assert!(whole.len() <= 254 && !whole.contains(['\r', '\n']));
            }
        }
    }
}
