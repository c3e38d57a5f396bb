//! A colour of the configuration, and how it is kept readable.

use std::fmt;

/// Red, green and blue, as `#rrggbb` writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// WCAG 2.2, 1.4.3: what text needs against its ground.
const CONTRAST_MIN: f64 = 4.5;
/// Steps from a colour to black or white; the last one is black or white itself.
const STEPS: u32 = 50;

impl Colour {
    /// Of its three parts.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self([red, green, blue])
    }

    /// `#rgb` or `#rrggbb`; `None` if it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let part = |digits: &str| u8::from_str_radix(digits, 16).ok();
        match digits.len() {
            3 => {
                let short = |at: usize| part(&digits[at..=at]).map(|value| value * 17);
                Some(Self([short(0)?, short(1)?, short(2)?]))
            }
            6 => Some(Self([
                part(&digits[0..2])?,
                part(&digits[2..4])?,
                part(&digits[4..6])?,
            ])),
            _ => None,
        }
    }

    /// The nearest shade that can be read as text on `ground`.
    #[must_use]
    pub fn readable_on(self, ground: Self) -> Self {
        let end = match ground.luminance() > 0.18 {
            true => Self::new(0, 0, 0),
            false => Self::new(255, 255, 255),
        };
        (0..=STEPS)
            .map(|step| self.towards(end, step))
            .find(|shade| shade.contrast(ground) >= CONTRAST_MIN)
            .unwrap_or(end)
    }

    fn towards(self, end: Self, step: u32) -> Self {
        let mix = |from: u8, to: u8| {
            let mixed = (u32::from(from) * (STEPS - step) + u32::from(to) * step) / STEPS;
            u8::try_from(mixed).unwrap_or(to)
        };
        let ([a, b, c], [x, y, z]) = (self.0, end.0);
        Self([mix(a, x), mix(b, y), mix(c, z)])
    }

    /// WCAG's contrast ratio, 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            match part <= 0.040_45 {
                true => part / 12.92,
                false => ((part + 0.055) / 1.055).powf(2.4),
            }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_forms_are_read() {
        for (text, want) in [
            ("#0a7", Some("#00aa77")),
            ("#0A7bC9", Some("#0a7bc9")),
            ("0a7bc9", None),
            ("#0a7b", None),
            ("#ééé", None),
            ("#+12", None),
            ("red", None),
            ("", None),
        ] {
            let read = Colour::parse(text).map(|colour| colour.to_string());
            assert_eq!(read.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn a_readable_colour_stays_as_it_is() {
        let white = Colour::new(255, 255, 255);
        let blue = Colour::new(5, 80, 174);
        assert_eq!(blue.readable_on(white), blue);
        assert_ne!(
            Colour::new(255, 230, 0).readable_on(white).to_string(),
            "#000000"
        );
    }

    proptest! {
        #![proptest_config(crate::cases::cases(256))]
        #[test]
        fn any_colour_becomes_readable(a in any::<[u8; 3]>(), ground in any::<[u8; 3]>()) {
            let ground = Colour(ground);
            prop_assert!(Colour(a).readable_on(ground).contrast(ground) >= CONTRAST_MIN);
        }
    }
}
