//! What is wrong with a configuration: all of it, each thing with its place, what to write instead, and no secret.
//!
//! A [`Problems`] value holds only the masked text of its file, so nothing that is made of it (a message, `Debug`,
//! JSON) can show a key.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::Serialize;

use super::mask;

/// How many problems are printed. Who has more than these has made one mistake many times.
const SHOWN: usize = 50;

/// How many problems are kept at all, whatever the file holds.
const KEPT: usize = 1000;

/// How a problem relates to the file's syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The text is no TOML.
    Syntax,
    /// Something that is there is wrong.
    Presence,
    /// Something is not there, which says nothing where a syntax error may have swallowed it.
    Absence,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    span: Range<usize>,
    kind: Kind,
    /// For an absence: where a syntax error may have swallowed what is missing.
    scope: Range<usize>,
    message: String,
    label: Option<String>,
    help: Option<String>,
    other: Option<(Range<usize>, String)>,
    line: usize,
    column: usize,
}

impl Problem {
    /// Something that is there is wrong.
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            span,
            kind: Kind::Presence,
            scope: 0..usize::MAX,
            message: message.into(),
            label: None,
            help: None,
            other: None,
            line: 0,
            column: 0,
        }
    }

    /// Something is not there.
    pub(super) fn absence(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { kind: Kind::Absence, ..Self::new(span, message) }
    }

    /// Only within these bytes can what is missing be.
    pub(super) fn scope(mut self, scope: Range<usize>) -> Self {
        self.scope = scope;
        self
    }

    /// The text is no TOML.
    pub(super) fn syntax(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { kind: Kind::Syntax, ..Self::new(span, message) }
    }

    /// What stands beside the caret.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What to write instead.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A second place that belongs to the problem.
    pub(super) fn other(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.other = Some((span, label.into()));
        self
    }

    /// The bytes of the file that are meant.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    fn scrub(&mut self) {
        mask::scrub(&mut self.message);
        for text in [&mut self.label, &mut self.help].into_iter().flatten() {
            mask::scrub(text);
        }
        if let Some((_, label)) = &mut self.other {
            mask::scrub(label);
        }
    }
}

/// One problem as `check --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProblemView<'a> {
    /// The file as it was named.
    pub file: &'a str,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: &'a str,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<&'a str>,
}

/// All that is wrong with one file, in its order.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    file: String,
    /// The file's text with every secret masked; as long as the text itself, so that spans hold.
    source: String,
    kept: Vec<Problem>,
    /// How many more there were than are kept.
    dropped: usize,
}

impl std::error::Error for Problems {}

impl fmt::Debug for Problems {
    /// Without the text, of which no more should be seen than the problems need.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems").field("file", &self.file).field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl Problems {
    /// Sorts what was found, drops what only follows from something else, and masks the secrets.
    pub(super) fn new(file: String, text: &str, marks: &mask::Marks, mut found: Vec<Problem>) -> Self {
        let lines = Lines::new(text);
        found.sort_by_key(|problem| (problem.span.start, problem.span.end, problem.kind));
        let damaged = found.iter().any(|problem| problem.kind == Kind::Syntax);
        let mut problems = drop_consequences(found, &lines);
        let mut seen = HashSet::new();
        problems.retain(|problem| seen.insert((problem.span.clone(), problem.message.clone())));
        let dropped = problems.len().saturating_sub(KEPT);
        problems.truncate(KEPT);
        for problem in &mut problems {
            (problem.line, problem.column) = lines.position(problem.span.start);
            problem.scrub();
        }
        Self { file, source: marks.mask(text, damaged), kept: problems, dropped }
    }

    /// The problems, by their place in the file; at most the first 1000.
    pub fn as_slice(&self) -> &[Problem] {
        &self.kept
    }

    /// How many there are in all, which is never zero.
    pub fn count(&self) -> usize {
        self.kept.len() + self.dropped
    }

    /// The problems as `check --json` prints them.
    pub fn views(&self) -> impl Iterator<Item = ProblemView<'_>> {
        self.kept.iter().map(|problem| ProblemView {
            file: &self.file,
            line: problem.line,
            column: problem.column,
            message: &problem.message,
            help: problem.help.as_deref(),
        })
    }

    /// The problems for a person to read, each with its source line and a caret.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let lines = Lines::new(&self.source);
        let mut out = String::new();
        for problem in self.kept.iter().take(SHOWN) {
            out.push_str(&self.render_one(problem, &lines, &renderer));
            out.push_str("\n\n");
        }
        out + &self.summary()
    }

    fn summary(&self) -> String {
        match (self.count(), self.count().saturating_sub(SHOWN)) {
            (1, _) => format!("1 problem in {}", self.file),
            (count, 0) => format!("{count} problems in {}", self.file),
            (count, more) => format!("{count} problems in {}: the first {SHOWN}, and {more} more", self.file),
        }
    }

    fn render_one(&self, problem: &Problem, lines: &Lines<'_>, renderer: &Renderer) -> String {
        let primary = lines.clip(&problem.span);
        let other = problem.other.as_ref().map(|(span, label)| (lines.clip(span), label));
        let first = other.iter().fold(primary.start, |first, (span, _)| first.min(span.start));
        let last = other.iter().fold(primary.end, |last, (span, _)| last.max(span.end));
        let region = lines.around(first..last);
        let within = |span: &Range<usize>| span.start - region.start..span.end - region.start;
        let source = self.source.get(region.clone()).unwrap_or_default();
        let mark = AnnotationKind::Primary.span(within(&primary)).label(problem.label.as_deref());
        let mut snippet = Snippet::source(source)
            .line_start(lines.position(region.start).0)
            .path(self.file.as_str())
            .annotation(mark);
        if let Some((span, label)) = &other {
            snippet = snippet.annotation(AnnotationKind::Context.span(within(span)).label(label.as_str()));
        }
        let mut group = Level::ERROR.primary_title(problem.message.as_str()).element(snippet);
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// A syntax error makes the rest of its line mean little, and makes everything that is missing doubtful.
/// The problems are sorted.
fn drop_consequences(found: Vec<Problem>, lines: &Lines<'_>) -> Vec<Problem> {
    let errors =
        || found.iter().filter(|problem| problem.kind == Kind::Syntax).map(|problem| problem.span.start);
    let starts: Vec<usize> = errors().collect();
    let broken: Vec<usize> = errors().map(|start| lines.index(start)).collect();
    if broken.is_empty() {
        return found;
    }
    let mut last_syntax = None;
    found
        .into_iter()
        .filter(|problem| match problem.kind {
            // The parser's recovery reports one slip several times over: the first report of a line is the true one.
            Kind::Syntax => {
                last_syntax.replace(lines.index(problem.span.start)) != Some(lines.index(problem.span.start))
            }
            Kind::Presence => broken.binary_search(&lines.index(problem.span.start)).is_err(),
            Kind::Absence => {
                let next = starts.get(starts.partition_point(|&start| start < problem.scope.start));
                next.is_none_or(|&start| start > problem.scope.end)
            }
        })
        .collect()
}

/// Where the lines of a text begin.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// The line of a byte, counted from 0.
    fn index(&self, at: usize) -> usize {
        self.starts.partition_point(|&start| start <= at).saturating_sub(1)
    }

    /// The bytes of a line without its end.
    fn range(&self, index: usize) -> Range<usize> {
        let start = self.starts.get(index).copied().unwrap_or(self.text.len());
        let end = self.starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        let line = self.text.get(start..end).unwrap_or_default();
        start..start + line.trim_end_matches('\r').len()
    }

    /// Line and column of a byte, both counted from 1.
    fn position(&self, at: usize) -> (usize, usize) {
        let index = self.index(at);
        let before = self.text.get(self.range(index).start..at).unwrap_or_default();
        (index + 1, before.chars().count() + 1)
    }

    /// The part of a span that lies in its first line. A caret under several lines would help nobody.
    fn clip(&self, span: &Range<usize>) -> Range<usize> {
        let line = self.range(self.index(span.start));
        let start = span.start.min(line.end);
        start..span.end.clamp(start, line.end)
    }

    /// The whole lines that a span touches.
    fn around(&self, span: Range<usize>) -> Range<usize> {
        self.range(self.index(span.start)).start..self.range(self.index(span.end)).end
    }
}
