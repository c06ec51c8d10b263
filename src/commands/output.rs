//! Writing to stdout and stderr: lines, objects, tables. A reader that has gone away is no error.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context as _;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// Writes a text to stdout as it stands.
pub(super) fn text(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("writing to stdout"),
        _ => Ok(()),
    }
}

/// Writes one object on a line of its own.
pub(super) fn object(value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(value).context("writing JSON")?;
    line.push('\n');
    text(&line)
}

/// Writes a table.
pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    text(&format!("{}\n", lines.join("\n")))
}

/// Writes a complaint to stderr. There is nowhere to complain if that fails.
pub(super) fn complain(text: &str) {
    match io::stderr().lock().write_all(text.as_bytes()) {
        Ok(()) | Err(_) => {}
    }
}

/// Whether colours are welcome on stderr.
pub(super) fn stderr_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
