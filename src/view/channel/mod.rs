//! Messages of channels as HTTP requests, one file a service, and what the services answer.
//!
//! [`Message::new`] makes the message of what a mail would be made of; [`request()`] turns it into the one HTTP request
//! that a channel sends; [`read_answer`] says what the service's answer means. Alertmanager takes no messages:
//! [`alertmanager`] turns open incidents into its requests.

pub mod alertmanager;
mod apprise;
mod discord;
mod dispatch;
mod escape;
mod gotify;
mod json;
mod matrix;
mod message;
mod ntfy;
mod opsgenie;
mod pagerduty;
mod pushover;
mod reply;
mod request;
mod signature;
mod slack;
mod story;
mod teams;
mod telegram;
mod template;

pub use dispatch::{read_answer, request};
pub use message::{CauseObject, Message, Row, summary};
pub use reply::{ANSWER_BYTES_MAX, Answer, Reply};
pub use request::Request;
