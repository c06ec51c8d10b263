//! The log filter: `info`, or directives such as `info,docsweep=debug`.

use toml::de::DeValue;
use tracing_subscriber::EnvFilter;

use super::known::nearest;
use super::value::{Fault, quote, text};

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Checks a filter. The filter's own parser takes a mistyped level for the name of a module, so levels are checked here.
pub(super) fn level(value: &DeValue<'_>) -> Result<String, Fault> {
    let filter = text(value, "a log filter such as \"info\"")?;
    for directive in filter.split(',') {
        let word = directive.trim();
        if word.is_empty() {
            return Err(
                Fault::value("the filter has an empty directive").help("write, for example, \"info\"")
            );
        }
        // A span's fields, in brackets, have `=` signs of their own.
        let target_end = word.rfind(']').unwrap_or(0);
        let written = match word.get(target_end..).and_then(|rest| rest.rsplit_once('=')) {
            Some((_, level)) => level.trim(),
            None if target_end > 0 => continue,
            None => word,
        };
        if !LEVELS.contains(&written.to_ascii_lowercase().as_str()) {
            return Err(not_a_level(written));
        }
    }
    match EnvFilter::builder().parse(filter) {
        Ok(_) => Ok(filter.to_owned()),
        Err(error) => Err(Fault::value(format!("{} is no log filter: {error}", quote(filter)))
            .help("write a level, or directives such as \"info,docsweep=debug\"")),
    }
}

fn not_a_level(written: &str) -> Fault {
    let fault = Fault::value(format!("{} is no log level", quote(written)));
    match nearest(written, LEVELS) {
        Some(near) => fault.help(format!("did you mean \"{near}\"?")),
        None => fault.help("write error, warn, info, debug, trace or off; `target=level` for one module"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_level_is_no_module() {
        let check = |text: &str| level(&DeValue::String(text.to_owned().into())).is_ok();
        for good in ["info", "WARN", "off", "info,docsweep=debug", "warn,a::b[span{x=1}]=trace"] {
            assert!(check(good), "{good}");
        }
        for bad in ["inof", "", "info,", "docsweep", "docsweep=verbose", "info,[{]=debug"] {
            assert!(!check(bad), "{bad}");
        }
    }
}
