//! Which parts of a file may be printed.
//!
//! A key may stand in the file itself, and a mistake beside it, or in it, must not print it. What the reader
//! understood is marked: the values of known keys are visible, a literal key is hidden, and so are the texts of
//! keys that are not known. What nobody understood (comments, and whatever a syntax error left over) is visible
//! unless it follows something like `api_key`, looks like a key, or continues a line that may have been one.
//! Masking replaces bytes one for one, so that every span of the file still fits.

use std::collections::HashSet;
use std::ops::Range;

use super::known;

/// What the reader found out about the parts of a file.
#[derive(Debug, Default)]
pub(super) struct Marks {
    visible: Vec<Range<usize>>,
    hidden: Vec<Range<usize>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Unknown,
    Visible,
    Hidden,
}

impl Marks {
    /// These bytes are understood and no secret.
    pub(super) fn show(&mut self, span: Range<usize>) {
        self.visible.push(span);
    }

    /// These bytes are or may be a secret; that outranks `show`.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// The text with every secret masked. `damaged`: it is no TOML, so the marks do not cover all that matters.
    pub(super) fn mask(&self, text: &str, damaged: bool) -> String {
        let mut marks = vec![Mark::Unknown; text.len()];
        let passes = [(&self.visible, Mark::Visible), (&self.hidden, Mark::Hidden)];
        for (span, mark) in passes.into_iter().flat_map(|(spans, mark)| spans.iter().map(move |s| (s, mark)))
        {
            if let Some(part) = marks.get_mut(span.clone()) {
                part.fill(mark);
            }
        }
        for secret in self.secrets(text) {
            for (at, found) in text.match_indices(secret) {
                hide_all(&mut marks, at..at + found.len());
            }
        }
        hide_by_lines(text, damaged, &mut marks);
        let mut out = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            if marks.get(at) == Some(&Mark::Hidden) && !is_structure(c) {
                out.extend(std::iter::repeat_n('*', c.len_utf8()));
            } else {
                out.push(c);
            }
        }
        out
    }
}

impl Marks {
    /// Texts that are hidden somewhere, and may stand in a comment too. Each costs a walk through the file, and a
    /// file with many keys in it is a rare thing, so there is a limit.
    fn secrets<'t>(&self, text: &'t str) -> HashSet<&'t str> {
        const LEAST: usize = 8;
        const MOST: usize = 32;
        let written = self.hidden.iter().filter_map(|span| text.get(span.clone()));
        written
            .map(|written| written.trim_matches(['"', '\'']))
            .filter(|s| s.len() >= LEAST)
            .take(MOST)
            .collect()
    }
}

/// Masks whatever looks like a key or a password in a message.
pub(super) fn scrub(text: &mut String) {
    let spans = telling(text);
    if spans.is_empty() {
        return;
    }
    let hidden = |at: usize| spans.iter().any(|span| span.contains(&at));
    *text = text.char_indices().map(|(at, c)| if hidden(at) { '*' } else { c }).collect();
}

/// White space and the signs that TOML is built of: they stay, so that a masked line can still be read.
fn is_structure(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '=' | '{' | '}' | '[' | ']' | ',' | '#')
}

fn hide_by_lines(text: &str, damaged: bool, marks: &mut [Mark]) {
    let mut open: Option<&str> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some(quotes) = open {
            hide_unknown(marks, start..start + line.len());
            open = open.filter(|_| !line.contains(quotes));
        } else if let Some(after) = after_secret_word(line) {
            hide_unknown(marks, start + after..start + line.len());
            open = line.get(after..).filter(|_| damaged).and_then(left_open);
        } else if damaged && !is_statement(line) {
            hide_unknown(marks, start..start + line.len());
        }
        for span in telling(line) {
            hide_all(marks, start + span.start..start + span.end);
        }
        for span in opaque(line) {
            hide_unknown(marks, start + span.start..start + span.end);
        }
        start += line.len();
    }
}

fn hide_unknown(marks: &mut [Mark], span: Range<usize>) {
    for mark in marks.get_mut(span).unwrap_or_default() {
        if *mark == Mark::Unknown {
            *mark = Mark::Hidden;
        }
    }
}

fn hide_all(marks: &mut [Mark], span: Range<usize>) {
    marks.get_mut(span).unwrap_or_default().fill(Mark::Hidden);
}

/// The quotes of a multi-line string that begins in `rest` and does not end there.
fn left_open(rest: &str) -> Option<&'static str> {
    ["\"\"\"", "'''"].into_iter().find(|quotes| rest.matches(quotes).count() % 2 == 1)
}

/// Where the text after a word like `api_key` begins.
fn after_secret_word(line: &str) -> Option<usize> {
    words(line, |c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        .find(|(at, word)| is_secret_word(word, line.get(at + word.len()..).unwrap_or_default()))
        .map(|(at, word)| at + word.len())
}

/// Whether a key names a secret.
pub(super) fn is_secret_key(key: &str) -> bool {
    is_secret_word(key, "=")
}

/// Whether a word names a secret. A bare `key` or `token` does only if a value follows.
fn is_secret_word(word: &str, rest: &str) -> bool {
    let plain = word.to_lowercase().replace(['_', '-'], "");
    if plain.contains("apikey") || plain.len() < 16 && strsim::damerau_levenshtein(&plain, "apikey") <= 2 {
        return true;
    }
    let assigned = rest.trim_start_matches([' ', '\t', '"', '\'']).starts_with(['=', ':']);
    assigned && ["key", "token", "secret", "password"].iter().any(|secret| plain.ends_with(secret))
}

/// Whether a line stands by itself: blank, a comment, a header, a bracket's end, a known key, or `key = value`. Another line
/// continues one before it, and in a damaged file that may have been a key's.
fn is_statement(line: &str) -> bool {
    let line = line.trim_start();
    if line.is_empty() || line.starts_with(['#', '[', ']', '}', ',']) {
        return true;
    }
    if known::sections().iter().any(|(_, keys)| keys.iter().any(|key| key.name == line.trim_end())) {
        return true;
    }
    let after = line
        .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '\t'));
    let value = after.strip_prefix('=').map(str::trim_start);
    after.len() < line.len()
        && value.is_some_and(|value| {
            value.starts_with(|c: char| {
                c.is_ascii_alphanumeric() || matches!(c, '"' | '\'' | '{' | '[' | '+' | '-')
            })
        })
}

/// What is a secret wherever it stands: a text like DocSpace's `sk-` keys, and whatever a URL has before its `@`.
fn telling(text: &str) -> Vec<Range<usize>> {
    let keys = words(text, is_token).filter_map(|(at, word)| {
        let from = word.find("sk-")?;
        (word.len() - from > 16).then_some(at + from..at + word.len())
    });
    let users =
        words(text, |c| !c.is_whitespace() && !matches!(c, '"' | '\'' | '`')).filter_map(|(at, word)| {
            let end = word.rfind('@')?;
            let begin = word.find("://")? + 3;
            (begin < end).then_some(at + begin..at + end)
        });
    keys.chain(users).collect()
}

/// Long words without sense: letters and digits that change all the time.
fn opaque(text: &str) -> Vec<Range<usize>> {
    words(text, is_token).filter(|(_, word)| is_opaque(word)).map(|(at, word)| at..at + word.len()).collect()
}

/// Whether a word looks like a key. Names and paths seldom go from letters to digits and back.
pub(super) fn is_opaque(word: &str) -> bool {
    let plain: Vec<char> = word.chars().filter(char::is_ascii_alphanumeric).collect();
    let changes =
        plain.iter().zip(plain.iter().skip(1)).filter(|(a, b)| a.is_ascii_digit() != b.is_ascii_digit());
    word.len() >= 20 && changes.count() >= 4
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=')
}

/// The longest runs of characters that satisfy `inside`, with their places.
fn words(text: &str, inside: impl Fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c| !inside(c));
        let after = rest.trim_start_matches(&inside);
        let word = rest.strip_suffix(after).filter(|word| !word.is_empty())?;
        let at = text.len() - rest.len();
        rest = after;
        Some((at, word))
    })
}
