//! A first `monitors.toml` for a machine, as `sitewatch config init` writes it: pure text from what was found out.

use std::fmt::Write as _;

use crate::domain::address::Address;

/// The commented file with every key, as `config example` prints it.
pub const EXAMPLE: &str = include_str!("../../monitors.example.toml");

/// Where the package puts the JSON Schema; editors take it from this line.
pub const SCHEMA_LINE: &str = "#:schema file:///usr/share/sitewatch/sitewatch.schema.json";

/// More suggestions than this are a list for `sitewatch import`.
pub const SUGGESTIONS_MAX: usize = 40;

/// What is known of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Its name, with its domain where that is known.
    pub host: String,
    /// What the mail relay on localhost:25 says of itself, where one answers.
    pub relay: Option<String>,
    /// Whether there is a program `sendmail`.
    pub has_sendmail: bool,
    /// The name of the user who asks.
    pub user: String,
    /// What web servers here serve: which one, its configuration, the URLs.
    pub served: Vec<Served>,
}

/// What one web server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// `nginx`
    pub server: &'static str,
    /// Where that is configured.
    pub file: String,
    /// The URLs, sorted.
    pub urls: Vec<String>,
}

/// The file.
pub fn first_file(found: &Surroundings) -> String {
    let mut out = format!(
        "{SCHEMA_LINE}\n\
         # What sitewatch watches, and who is told. Lines that begin with # are off: take the # away to use them.\n\
         # `sitewatch config check` says what is wrong, `sitewatch config example` shows every key.\n\n"
    );
    email(&mut out, found);
    monitors(&mut out, found);
    out
}

fn email(out: &mut String, found: &Surroundings) {
    let domain = match found.host.as_str() {
        "" => "localhost",
        host => host,
    };
    // A name that no mail server takes is none to begin with.
    let or = |address: String, other: &str| match Address::parse(&address) {
        Ok(_) => address,
        Err(_) => other.to_owned(),
    };
    let from = or(format!("sitewatch@{domain}"), "sitewatch@example.com");
    match &found.relay {
        Some(relay) => {
            let to = or(format!("{}@{domain}", found.user), "ops@example.com");
            out.push_str("# A mail server answers on this machine");
            if !relay.is_empty() {
                out.push_str(&format!(" ({relay})"));
            }
            out.push_str(
                ". `sitewatch email test` shows whether it delivers.\n[email]\nhost = \"localhost\"\nport = 25\n\
                 tls = \"none\"                       # On this machine only.\n",
            );
            // A string takes everything.
            let _ = writeln!(out, "from = \"Sitewatch <{from}>\"");
            let _ = writeln!(out, "to = [\"{to}\"]   # Write your own address.\n");
        }
        None => {
            out.push_str(match found.has_sendmail {
                true => {
                    "# There is a `sendmail` here, but nothing answers on localhost port 25. Name a mail server:\n"
                }
                false => "# Nothing answers on localhost port 25. Name a mail server; until then nobody is told:\n",
            });
            out.push_str("#[email]\n#host = \"smtp.example.com\"\n");
            let _ = writeln!(out, "#from = \"Sitewatch <{from}>\"");
            out.push_str(
                "#to = [\"ops@example.com\"]\n\
                 #username = \"alerts@example.com\"    # If the server wants a login:\n\
                 #password_file = \"smtp-password\"    # a file with one line, mode 0600.\n\n",
            );
        }
    }
}

fn monitors(out: &mut String, found: &Surroundings) {
    let mut left = SUGGESTIONS_MAX;
    for served in &found.served {
        let shown = served.urls.len().min(left);
        left -= shown;
        if shown == 0 {
            continue;
        }
        let _ = writeln!(
            out,
            "# What {} serves here, by {}. Take the # away from what is to be watched.",
            served.server, served.file
        );
        for url in served.urls.iter().take(shown) {
            let _ = writeln!(out, "#[[monitor]]\n#url = \"{url}\"\n");
        }
        let more = served.urls.len() - shown;
        if more > 0 {
            let _ = writeln!(
                out,
                "# And {more} more: `sitewatch import {} {}`\n",
                served.server, served.file
            );
        }
    }
    if left == SUGGESTIONS_MAX {
        out.push_str("# A site to watch; one such section for each.\n#[[monitor]]\n#url = \"https://example.com/\"\n\n");
    }
    out.push_str(
        "# What a [[monitor]] may also have; in [defaults] it holds for all of them.\n\
         #name = \"shop\"\n#interval = \"60s\"\n#timeout = \"10s\"\n#expect_status = [\"2xx\"]\n\
         #body_contains = [\"Welcome\"]\n",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_what_was_found() {
        let found = Surroundings {
            host: "web.example.com".to_owned(),
            relay: Some("mail.example.com ESMTP".to_owned()),
            has_sendmail: true,
            user: "kim".to_owned(),
            served: vec![Served {
                server: "nginx",
                file: "/etc/nginx/nginx.conf".to_owned(),
                urls: (0..SUGGESTIONS_MAX + 2)
                    .map(|number| format!("https://{number}.example.com/"))
                    .collect(),
            }],
        };
        let text = first_file(&found);
        for want in [
            "#:schema file:///",
            "[email]\nhost = \"localhost\"\nport = 25\ntls = \"none\"",
            "from = \"Sitewatch <sitewatch@web.example.com>\"",
            "to = [\"kim@web.example.com\"]",
            "#[[monitor]]\n#url = \"https://0.example.com/\"\n",
            "# And 2 more: `sitewatch import nginx /etc/nginx/nginx.conf`",
        ] {
            assert!(text.contains(want), "{want}\n{text}");
        }
        let text = first_file(&Surroundings::default());
        assert!(text.contains("\n#[email]\n"), "{text}");
        assert!(
            text.contains("#from = \"Sitewatch <sitewatch@localhost>\""),
            "{text}"
        );
        assert!(text.contains("#url = \"https://example.com/\""), "{text}");
        let odd = Surroundings {
            host: "a b\"c".to_owned(),
            relay: Some(String::new()),
            ..Surroundings::default()
        };
        assert!(first_file(&odd).contains("<sitewatch@example.com>"));
    }
}
