//! The progress of a command, on standard error, if that is a terminal. Every line fits into 38 columns: longer ones would wrap, and each
//! update would start a new line.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::visible::Visible;

const SPINNER: &str = "{spinner} {wide_msg}";
const DOWNLOAD: &str = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}";
const REPLAY: &str = "{wide_bar} {percent:>3} % {per_sec}, {eta}";
const READING: &str = "{spinner} {bytes} read, {bytes_per_sec}";
const TIMED: &str = "{spinner} {msg}, {elapsed}";
const SEEDING: &str = "{spinner} {wide_bar} {human_pos}/{human_len} seeded";

/// A spinner, which appears once it has a message.
pub fn spinner() -> ProgressBar {
    ProgressBar::new_spinner().with_style(style(SPINNER))
}

/// Advances a spinner, and shows a message next to it.
pub fn spin(bar: &ProgressBar, message: &str) {
    bar.set_message(Visible(message).to_string());
    bar.enable_steady_tick(Duration::from_millis(100));
}

/// Shows in a spinner, or a bar if the total is known, how much of a body was received.
pub fn downloaded(bar: &ProgressBar, received: u64, total: Option<u64>) {
    if let Some(total) = total.filter(|_| bar.length().is_none()) {
        bar.set_length(total);
        bar.set_style(style(DOWNLOAD));
    }
    bar.set_position(received);
    if total.is_none() {
        bar.set_message(format!("{received} bytes"));
    }
}

/// A bar for a replay of this many requests.
pub fn replay(requests: u64) -> ProgressBar {
    ProgressBar::new(requests).with_style(style(REPLAY))
}

/// A bar for entries, whose number is set once it is known.
pub fn entries() -> ProgressBar {
    ProgressBar::new(0).with_style(style(REPLAY))
}

/// A bar for bytes that are read, or a spinner if their number is unknown.
pub fn bytes(total: Option<u64>) -> ProgressBar {
    match total {
        Some(total) => ProgressBar::new(total).with_style(style(DOWNLOAD)),
        None => ProgressBar::new_spinner().with_style(style(READING)),
    }
}

/// A spinner that shows how long something has been taking.
pub fn timed(message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_style(style(TIMED)).with_message(message);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Turns a spinner into a bar that shows how many of a policy's entries have been seeded.
pub fn seeded(bar: &ProgressBar, seeded: u64, entries: u64) {
    bar.set_style(style(SEEDING));
    bar.set_length(entries);
    bar.set_position(seeded);
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;

    /// A terminal with this many columns that records what is drawn.
    #[derive(Clone, Debug)]
    struct Terminal(u16, Arc<Mutex<Vec<String>>>);

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            self.0
        }

        fn move_cursor_up(&self, _lines: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _lines: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _columns: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _columns: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.1.lock().unwrap().push(text.into());
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a bar draws on a terminal with this many columns.
    fn drawn(columns: u16, bar: &ProgressBar, draw: impl FnOnce(&ProgressBar)) -> Vec<String> {
        let terminal = Terminal(columns, Arc::default());
        bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        draw(bar);
        bar.tick();
        bar.disable_steady_tick();
        let lines = terminal.1.lock().unwrap().iter().filter(|line| !line.trim().is_empty()).cloned().collect();
        bar.set_draw_target(ProgressDrawTarget::hidden());
        lines
    }

    #[test]
    fn progress_line_fits_a_terminal_of_38_columns() {
        let long = "loading /a/very/long/path/to/the/directory/of/a/cache/on/some/mounted/disk";
        let lines = [
            drawn(38, &spinner(), |bar| spin(bar, long)),
            drawn(38, &spinner(), |bar| downloaded(bar, 1 << 40, None)),
            drawn(38, &spinner(), |bar| downloaded(bar, 1023 << 20, Some((1 << 30) - 1))),
            drawn(38, &replay(1 << 40), |bar| bar.set_position(123_456_789)),
            drawn(38, &entries(), |bar| {
                bar.set_length(1_000_000);
                bar.set_position(999_999);
            }),
            drawn(38, &bytes(Some(1 << 50)), |bar| bar.set_position(1 << 49)),
            drawn(38, &bytes(None), |bar| bar.set_position(1 << 49)),
            drawn(38, &timed("compiling"), |_| {}),
            drawn(38, &timed("compiling"), |bar| seeded(bar, 999_999, 1_000_000)),
        ];
        for lines in &lines {
            assert!(!lines.is_empty() && lines.iter().all(|line| line.trim_end().chars().count() <= 38), "{lines:?}");
        }
        assert!(lines[0][0].contains("loading /a/very") && lines[7].last().unwrap().contains("compiling, "), "{lines:?}");
        assert!(lines[8].last().unwrap().contains("999,999/1,000,000 seeded"), "{lines:?}");
    }

    #[test]
    fn progress_line_is_drawn_at_any_terminal_width() {
        for columns in 0..40 {
            drawn(columns, &replay(10), |bar| bar.inc(1));
            drawn(columns, &spinner(), |bar| spin(bar, "loading ä\u{202e} 字"));
        }
    }
}
