//! What a server says of itself (EHLO).

use super::reply::Reply;

/// A server's extensions.
#[derive(Debug, Default)]
pub struct Hello {
    /// A line each, in upper case: keyword, then its parameters.
    extensions: Vec<Vec<String>>,
}

impl Hello {
    /// Reads an answer to EHLO. Keywords know no case (RFC 5321 section 4.1.1.1).
    pub fn new(reply: &Reply) -> Self {
        let words = |line: &String| {
            line.to_uppercase()
                // `AUTH=LOGIN` is how servers wrote it before there was a standard.
                .split([' ', '\t', '='])
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        Self {
            extensions: reply.lines.iter().skip(1).map(words).collect(),
        }
    }

    /// Whether it knows an extension.
    pub fn offers(&self, keyword: &str) -> bool {
        self.extensions
            .iter()
            .any(|words| words.first().is_some_and(|first| first == keyword))
    }

    /// The mechanisms of login that it offers, each once.
    pub fn mechanisms(&self) -> Vec<String> {
        let mut mechanisms = Vec::new();
        for words in &self.extensions {
            if words.first().is_some_and(|first| first == "AUTH") {
                for mechanism in &words[1..] {
                    if !mechanisms.contains(mechanism) {
                        mechanisms.push(mechanism.clone());
                    }
                }
            }
        }
        mechanisms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_know_no_case() {
        let lines = [
            "AUTH.test",
            "starttls",
            "Auth plain  Login",
            "AUTH=LOGIN CRAM-MD5",
            "",
            "8bitmime\t",
            "size 1",
        ];
        let hello = Hello::new(&Reply {
            code: 250,
            enhanced: None,
            lines: lines.map(str::to_owned).to_vec(),
        });
        assert!(hello.offers("STARTTLS") && hello.offers("8BITMIME") && hello.offers("SIZE"));
        assert!(!hello.offers("SMTPUTF8") && !hello.offers("AUTH.TEST"));
        assert_eq!(hello.mechanisms(), ["PLAIN", "LOGIN", "CRAM-MD5"]);
    }
}
