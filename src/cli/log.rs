//! The log on standard error: one line for each event, whatever values its words hold.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::output::has_colours;
use super::serve::LogFormat;
use crate::model::visible_json;

/// Begins to write events of these levels.
pub fn to_standard_error(levels: &str, format: LogFormat) {
    let colours = has_colours(&io::stderr()) && format == LogFormat::Text;
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(levels))
        .with_writer(Lines { colours })
        .with_ansi(colours)
        .with_target(false);
    match format {
        LogFormat::Json => log.json().init(),
        LogFormat::Text => log.init(),
    }
}

/// Writes each event as one line in which nothing is hidden.
#[derive(Debug, Clone, Copy)]
struct Lines {
    /// Whether escape sequences come from the colours: those of values are escaped before.
    colours: bool,
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        *self
    }
}

impl Lines {
    fn line(self, event: &[u8]) -> String {
        let text = String::from_utf8_lossy(event);
        let words = text.trim_end_matches('\n').replace('\n', "\\n");
        let parts = words.split('\u{1b}').map(visible_json);
        let escape = if self.colours { "\u{1b}" } else { "\\u001b" };
        parts.collect::<Vec<_>>().join(escape) + "\n"
    }
}

impl Write for Lines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(self.line(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_its_values_hold() {
        let event = "ERROR failed: Key (a)=(x\n2025 INFO fake\u{1b}[2J\u{202e}\u{9b})\n";
        let plain = Lines { colours: false }.line(event.as_bytes());
        let shown = "ERROR failed: Key (a)=(x\\n2025 INFO fake\\u001b[2J\\u202e\\u009b)\n";
        assert_eq!(plain, shown);
        let coloured = Lines { colours: true }.line(b"\x1b[31mERROR\x1b[0m a\xe2\x80\xae\n");
        assert_eq!(coloured, "\u{1b}[31mERROR\u{1b}[0m a\\u202e\n");
    }
}
