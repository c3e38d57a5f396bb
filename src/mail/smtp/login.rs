//! AUTH: which mechanisms a server offers, which of them we can, and when the next one may be tried.

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::Auth;

use super::channel::{Broken, Channel};
use super::hello::Hello;
use super::reply::Reply;
use crate::domain::safe_text;
use crate::policy::outbox::refusal::Enhanced;

/// What we can, the best first.
const OURS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];
/// What LOGIN's two questions stand for, whatever words the server has for them.
const QUESTIONS: [&str; 2] = ["Username:", "Password:"];
/// So many mechanisms of a server are named in a sentence.
const NAMED_MAX: usize = 8;

/// Why nobody is logged in.
#[derive(Debug)]
pub enum LoginFault {
    /// The server said no.
    Refused(Reply),
    /// The two have nothing in common; a sentence that says what to change.
    Nothing(String),
    /// The connection is of no more use.
    Broken(Broken),
}

impl From<Broken> for LoginFault {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

/// Logs in by the first mechanism that works.
///
/// # Errors
/// When none does.
pub async fn login(
    channel: &mut Channel,
    hello: &Hello,
    username: &str,
    password: &str,
    is_encrypted: bool,
) -> Result<(), LoginFault> {
    let offered = hello.mechanisms();
    let is_offered = |ours: &Mechanism| offered.contains(&ours.to_string());
    let mut refused = None;
    for mechanism in OURS.into_iter().filter(is_offered) {
        let reply = by(channel, mechanism, username, password).await?;
        if reply.is_positive() {
            return Ok(());
        }
        let goes_on = is_about_the_mechanism(&reply);
        refused = Some(reply);
        if !goes_on {
            break;
        }
    }
    Err(match refused {
        Some(reply) => LoginFault::Refused(reply),
        None => LoginFault::Nothing(nothing_in_common(&offered, hello, is_encrypted)),
    })
}

async fn by(
    channel: &mut Channel,
    mechanism: Mechanism,
    username: &str,
    password: &str,
) -> Result<Reply, LoginFault> {
    let auth = |question: Option<&str>| {
        let credentials = Credentials::new(username.to_owned(), password.to_owned());
        Auth::new(mechanism, credentials, question.map(str::to_owned))
            .map(|auth| auth.to_string())
            .map_err(|error| LoginFault::Nothing(error.to_string()))
    };
    let first = auth(None)?;
    let mut reply = channel.command(&first).await?;
    if reply.code == 334 && mechanism == Mechanism::Plain {
        // It did not take the answer that came with the question.
        let again = first.trim_start_matches("AUTH PLAIN ");
        reply = channel.command(again).await?;
    }
    if mechanism == Mechanism::Login {
        for question in QUESTIONS {
            if reply.code != 334 {
                break;
            }
            reply = channel.command(&auth(Some(question))?).await?;
        }
    }
    if reply.code == 334 {
        // A question too many: the exchange is called off, which the server answers by a refusal.
        reply = channel.command("*\r\n").await?;
    }
    Ok(reply)
}

/// Whether a refusal is one of the mechanism and not of the password: the next is tried. A second wrong password could
/// lock the account.
fn is_about_the_mechanism(reply: &Reply) -> bool {
    match (reply.code, reply.enhanced) {
        // Bad or expired credentials, or a login by a browser that is wanted first.
        (
            _,
            Some(Enhanced {
                subject: 7,
                detail: 0 | 1 | 3 | 8 | 13 | 14 | 139,
            }),
        ) => false,
        (
            _,
            Some(
                Enhanced {
                    subject: 7,
                    detail: 4 | 9 | 11,
                }
                | Enhanced { subject: 5, .. },
            ),
        ) => reply.is_permanent(),
        (500..=504 | 534 | 538, _) => true,
        _ => false,
    }
}

fn nothing_in_common(offered: &[String], hello: &Hello, is_encrypted: bool) -> String {
    if offered.is_empty() && hello.offers("STARTTLS") && !is_encrypted {
        return "the server offers no login without TLS; set [email].tls = \"starttls\"".to_owned();
    }
    if offered.is_empty() {
        return "the server offers no login (AUTH) here, but [email].username is set; remove `username` and the \
                password if it takes mail without them, or use its submission port: 587 with tls = \"starttls\", \
                465 with tls = \"implicit\""
            .to_owned();
    }
    let mut names: Vec<&str> = offered.iter().map(String::as_str).take(NAMED_MAX).collect();
    if offered.len() > NAMED_MAX {
        names.push("others");
    }
    let names = safe_text::line(&names.join(", "), 200).into_owned();
    let or_later = if hello.offers("STARTTLS") && !is_encrypted {
        "set [email].tls = \"starttls\", which may offer more, or "
    } else {
        ""
    };
    format!(
        "the server offers login by {names} only, and sitewatch can do PLAIN and LOGIN; {or_later}have it offer one of \
         them (an app password is made for that), or send through a mail server that does"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_mechanism_is_tried_where_the_password_was_not_judged() {
        for (code, enhanced, goes_on) in [
            (504, None, true),
            (504, Some((5, 4)), true),
            (504, Some((7, 4)), true),
            (534, None, true),
            (534, Some((7, 9)), true),
            (534, Some((7, 14)), false),
            (538, Some((7, 11)), true),
            (500, None, true),
            (502, Some((5, 1)), true),
            (501, Some((5, 2)), true),
            (535, Some((7, 4)), true),
            (535, Some((5, 4)), true),
            (535, None, false),
            (535, Some((7, 8)), false),
            (535, Some((7, 3)), false),
            (535, Some((7, 139)), false),
            (530, None, false),
            (550, None, false),
            (454, Some((7, 0)), false),
            (454, Some((5, 4)), false),
        ] {
            let reply = Reply {
                code,
                enhanced: enhanced.map(|(subject, detail)| Enhanced { subject, detail }),
                lines: Vec::new(),
            };
            assert_eq!(
                is_about_the_mechanism(&reply),
                goes_on,
                "{code} {enhanced:?}"
            );
        }
    }
}
