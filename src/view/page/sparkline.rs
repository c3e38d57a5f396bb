//! A day's latency as one small line.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::words;
use crate::domain::check::Micros;

const WIDTH: usize = 120;
const HEIGHT: u64 = 24;

/// The hourly medians, the oldest first; a gap where nothing was measured.
pub fn sparkline(hours: &[Option<Micros>]) -> Markup {
    let known = || hours.iter().flatten().copied();
    let (Some(least), Some(most)) = (known().min(), known().max()) else {
        return html! { small { "no latency yet" } };
    };
    let step = WIDTH / hours.len().saturating_sub(1).max(1);
    let mut path = String::new();
    let mut drawing = false;
    for (index, hour) in hours.iter().enumerate() {
        let Some(time) = hour else {
            drawing = false;
            continue;
        };
        let y = HEIGHT - u64::from(time.get()) * (HEIGHT - 2) / u64::from(most.get().max(1)) - 1;
        let x = index * step;
        if drawing {
            let _ = write!(path, "L{x} {y}");
        } else {
            // A lone hour shows as a dot, since caps are round.
            let _ = write!(path, "M{x} {y}h0");
        }
        drawing = true;
    }
    let mut sorted: Vec<Micros> = known().collect();
    sorted.sort_unstable();
    let middle = sorted[sorted.len() / 2];
    let label = format!(
        "Latency in the last 24 hours: {} to {}",
        words::millis(least),
        words::millis(most)
    );
    html! {
        svg role="img" aria-label=(label) viewBox={ "-2 0 " (WIDTH + 4) " " (HEIGHT) }
            preserveAspectRatio="none" { path d=(path) {} }
        span { (words::millis(middle)) small { "max " (words::millis(most)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_nothing_was_measured() {
        let hours = [Some(Micros::new(100_000)), None, Some(Micros::new(200_000))];
        let drawn = sparkline(&hours).into_string();
        assert!(drawn.contains("d=\"M0 12h0M120 1h0\""), "{drawn}");
        assert!(
            sparkline(&[None; 24])
                .into_string()
                .contains("no latency yet")
        );
        let _ = sparkline(&[Some(Micros::MAX), Some(Micros::new(0))]);
    }
}
