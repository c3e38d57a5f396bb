//! A day's latency as small columns.

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
    let step = WIDTH / hours.len().max(1);
    let mut path = format!("M{} {HEIGHT}", step / 2);
    let (mut ahead, mut below) = (0, 0);
    for hour in hours {
        if let Some(time) = hour {
            // The least is a column as well.
            let most = u64::from(most.get().max(1));
            let tall = 2 + u64::from(time.get()) * (HEIGHT - 2) / most;
            let _ = write!(path, "m{ahead} {below}v-{tall}");
            (ahead, below) = (0, tall);
        }
        ahead += step;
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
        svg role="img" aria-label=(label) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) }
            preserveAspectRatio="none" { path d=(path) {} }
        span { (words::millis(middle)) small { "max " (words::millis(most)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_where_nothing_was_measured() {
        let hours = [Some(Micros::new(100_000)), None, Some(Micros::new(200_000))];
        let drawn = sparkline(&hours).into_string();
        assert!(drawn.contains("d=\"M20 24m0 0v-13m80 13v-24\""), "{drawn}");
        assert!(
            sparkline(&[None; 24])
                .into_string()
                .contains("no latency yet")
        );
        let _ = sparkline(&[Some(Micros::MAX), Some(Micros::new(0))]);
    }
}
