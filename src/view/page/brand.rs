//! Whose page it is: logo, words, link and colour, and the two files that come with them.

use sha2::{Digest, Sha256};

use crate::domain::colour::Colour;
use crate::domain::settings::{Logo, WebLook};

/// The grounds of the style sheet, light and dark, as text stands on them.
const GROUNDS: [Colour; 2] = [Colour::new(0xff, 0xff, 0xff), Colour::new(0x0d, 0x11, 0x17)];

/// What the frame of a page shows of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Brand {
    /// Below the title; empty without.
    pub description: String,
    /// The site of whoever runs the page.
    pub link: Option<String>,
    /// The path of the logo.
    pub logo: Option<String>,
    /// The path of the style sheet with the accent colour.
    pub accent: Option<String>,
}

/// What pages show of the configured look.
pub fn of(look: &WebLook) -> Brand {
    Brand {
        description: look.description.clone(),
        link: look.link.clone(),
        logo: look.logo.as_ref().map(logo_path),
        accent: look.accent.map(accent_path),
    }
}

/// The path of a logo; it changes with the picture, so that it can be cached for ever.
pub fn logo_path(logo: &Logo) -> String {
    format!("/assets/logo-{}.{}", logo.hash, logo.extension)
}

/// The path of the accent's style sheet.
pub fn accent_path(accent: Colour) -> String {
    format!(
        "/assets/accent-{}.css",
        short_hash(accent_style(accent).as_bytes())
    )
}

/// The style sheet of an accent: a shade of it for each ground on which it can be read.
pub fn accent_style(accent: Colour) -> String {
    let [light, dark] = GROUNDS.map(|ground| accent.readable_on(ground));
    format!(
        ":root{{--link:{light};--focus:{light};--accent:{accent}}}\n\
         @media(prefers-color-scheme:dark){{:root{{--link:{dark};--focus:{dark}}}}}\n"
    )
}

fn short_hash(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accent_is_readable_in_both_schemes() {
        let yellow = Colour::new(0xff, 0xe6, 0x00);
        let style = accent_style(yellow);
        assert!(style.contains("--accent:#ffe600"), "{style}");
        assert!(
            !style.contains("--link:#ffe600;--focus:#ffe600;--accent"),
            "{style}"
        );
        assert!(style.contains("dark){:root{--link:#ffe600"), "{style}");
    }
}
