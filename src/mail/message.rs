//! A mail as the bytes of RFC 5322 and MIME.

use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use crate::domain::address::Address;
use crate::domain::text;

use super::mailer::{Mail, Sender};

/// The last second that `Date` can name with four digits of year.
const LAST_SECOND: u64 = 253_402_300_799;

/// Why no message could be made.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// An address that our configuration takes and the mail library does not.
    #[error("`{0}` cannot be used as a mail address")]
    Address(String),
    /// The library refused to build it.
    #[error("failed to build the message: {0}")]
    Build(#[from] lettre::error::Error),
}

/// The address as mail servers take it: an international domain in its ASCII form.
///
/// # Errors
/// When the mail library does not take the address.
pub fn mailbox(address: &Address) -> Result<lettre::Address, MessageError> {
    let wrong = || MessageError::Address(address.mailbox().to_owned());
    let (local, domain) = address.mailbox().rsplit_once('@').ok_or_else(wrong)?;
    let domain = if domain.is_ascii() {
        domain.to_owned()
    } else {
        url::Host::parse(domain).map_err(|_| wrong())?.to_string()
    };
    lettre::Address::new(local, domain).map_err(|_| wrong())
}

fn named(address: &Address) -> Result<Mailbox, MessageError> {
    Ok(Mailbox::new(
        address.name().map(str::to_owned),
        mailbox(address)?,
    ))
}

/// The whole message: multipart/alternative, text first.
///
/// # Errors
/// When an address cannot be used.
pub fn bytes(sender: &Sender, mail: &Mail, to: &Address) -> Result<Vec<u8>, MessageError> {
    let date = u64::try_from(mail.date.as_seconds())
        .unwrap_or(0)
        .min(LAST_SECOND);
    let mut builder = lettre::Message::builder()
        .from(named(&sender.from)?)
        .subject(text::line(&mail.rendered.subject, 400).into_owned())
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(date))
        .message_id(Some(format!("<{}>", mail.message_id)));
    // An address of another recipient that cannot be used must not keep this one from its mail.
    let mut everybody: Vec<Mailbox> = mail
        .everybody
        .iter()
        .filter_map(|address| named(address).ok())
        .collect();
    if everybody.is_empty() {
        everybody.push(named(to)?);
    }
    for one in everybody {
        builder = builder.to(one);
    }
    if let Some(reply_to) = &sender.reply_to {
        builder = builder.reply_to(named(reply_to)?);
    }
    if !mail.thread_roots.is_empty() {
        let roots = mail.thread_roots.iter().map(|root| format!("<{root}>"));
        let roots = roots.collect::<Vec<_>>().join(" ");
        builder = builder.in_reply_to(roots.clone()).references(roots);
    }
    builder = field(builder, "Auto-Submitted", "auto-generated");
    // A bounce (NDR) is the only sign of a wrong address: it is not suppressed.
    builder = field(
        builder,
        "X-Auto-Response-Suppress",
        "OOF, AutoReply, RN, NRN, DR",
    );
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
            builder = field(builder, name, value);
        }
    }
    let message = builder.multipart(MultiPart::alternative_plain_html(
        mail.rendered.text.clone(),
        mail.rendered.html.clone(),
    ))?;
    let mut bytes = repeated.into_bytes();
    bytes.extend(message.formatted());
    Ok(bytes)
}

fn field(
    builder: lettre::message::MessageBuilder,
    name: &'static str,
    value: &str,
) -> lettre::message::MessageBuilder {
    let name = HeaderName::new_from_ascii_str(name);
    let value = text::line(value, 400).into_owned();
    builder.raw_header(HeaderValue::new(name, value))
}
