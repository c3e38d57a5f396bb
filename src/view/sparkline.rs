//! Numbers as little bars, and states as a strip: what one line can show of a day.

use super::terminal::{Screen, Tone};

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One bar a value, scaled between zero and the largest; a gap where there is no value.
pub fn bars(values: &[Option<f64>]) -> String {
    let largest = values.iter().flatten().copied().fold(0.0_f64, f64::max);
    values
        .iter()
        .map(|value| match value {
            None => ' ',
            Some(_) if largest <= 0.0 => BARS[0],
            Some(value) => {
                // Seven steps above the lowest: a value is never invisible.
                let step = (value / largest * 7.0).round().clamp(0.0, 7.0);
                BARS[step as usize]
            }
        })
        .collect()
}

/// One of the states of a strip, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// Nothing is known.
    Unknown,
    /// Good.
    Up,
    /// In maintenance.
    Maintenance,
    /// Good, with something to say.
    Degraded,
    /// Down.
    Down,
}

/// One character a slot; the character tells without colour.
pub fn strip(slots: &[Slot], screen: Screen) -> String {
    let mut out = String::new();
    for run in slots.chunk_by(|a, b| a == b) {
        let (sign, plain, tone) = match run[0] {
            Slot::Unknown => ('·', '.', Tone::Faint),
            Slot::Up => ('█', '=', Tone::Good),
            Slot::Maintenance => ('░', 'm', Tone::Accent),
            Slot::Degraded => ('▓', '~', Tone::Warning),
            Slot::Down => ('▁', '_', Tone::Bad),
        };
        let sign = if screen.unicode { sign } else { plain };
        let text: String = std::iter::repeat_n(sign, run.len()).collect();
        out.push_str(&screen.paint(tone, &text));
    }
    out
}

/// A bar that begins and ends at eighths of a column: `from` and `to` within 0 to 1 of `columns`.
pub fn span(from: f64, to: f64, columns: usize) -> String {
    const LEFT: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
    let eighths = |share: f64| (share.clamp(0.0, 1.0) * columns as f64 * 8.0).round() as usize;
    let begin = eighths(from) / 8;
    let end = eighths(to).max(begin * 8 + 1);
    let mut out = " ".repeat(begin);
    let length = end - begin * 8;
    out.extend(std::iter::repeat_n('█', length / 8));
    if !length.is_multiple_of(8) {
        out.push(LEFT[length % 8 - 1]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_scaled_and_gaps_stay() {
        assert_eq!(bars(&[Some(0.0), Some(50.0), None, Some(100.0)]), "▁▅ █");
        assert_eq!(bars(&[Some(0.0), Some(0.0)]), "▁▁");
        assert_eq!(bars(&[]), "");
    }

    #[test]
    fn a_strip_tells_without_colour() {
        let slots = [
            Slot::Unknown,
            Slot::Up,
            Slot::Up,
            Slot::Down,
            Slot::Degraded,
        ];
        assert_eq!(strip(&slots, Screen::PLAIN), "·██▁▓");
        let ascii = Screen {
            unicode: false,
            ..Screen::PLAIN
        };
        assert_eq!(strip(&slots, ascii), ".==_~");
    }

    #[test]
    fn spans_begin_where_the_one_before_ended() {
        assert_eq!(span(0.0, 0.5, 4), "██");
        assert_eq!(span(0.5, 1.0, 4), "  ██");
        assert_eq!(span(0.0, 0.0, 4), "▏");
        assert_eq!(span(1.0, 1.0, 4), "    ▏");
    }
}
