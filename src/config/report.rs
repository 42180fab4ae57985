//! What is wrong with the file, and where?
//!
//! Every problem found, each with its place, the path of its key, what is expected and the fix; rendered for people (an excerpt with a caret) or for programs (JSON).
//!
//! # Invariants
//! - Problems are in the order of the file; those without a place come last.
//! - The source is masked before anything is cut from it: a secret written in the file is never shown, and neither is a value from the environment, since messages quote the source only.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::json;

use super::source::{floor_boundary, on_boundaries};

/// Columns of a rendered report: wide enough that help is not folded, and fixed so that reports compare.
const WIDTH: usize = 160;

/// Longest line of which the whole is shown in an excerpt, bytes; a longer one is cut around its mark.
const LONGEST_LINE: usize = 240;

/// Whether a report is rendered with colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Text alone.
    Plain,
    /// With ANSI colours, for terminals.
    Coloured,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `models.gpt-4o.routes[0].weight`; empty for the whole file.
    pub path: String,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What stands under the caret: what is expected there.
    pub expected: String,
    /// How to put it right; empty if that is plain.
    pub help: String,
    /// Bytes of the file that are marked; none for a problem of the whole file.
    pub span: Option<Range<usize>>,
}

/// Everything that is wrong with a configuration file; at least one problem.
#[derive(Clone, Debug)]
pub struct Report {
    file: PathBuf,
    source: String,
    problems: Vec<Problem>,
}

/// A place in the file, both counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Problem {
    /// Makes a problem of the key at `path`, marked at these bytes.
    pub(super) fn new(
        path: impl Into<String>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            expected: String::new(),
            help: String::new(),
            span: Some(span),
        }
    }

    /// Makes a problem of the whole file.
    pub(super) fn of_file(message: impl Into<String>) -> Self {
        let problem = Self::new("", 0..0, message);
        Self {
            span: None,
            ..problem
        }
    }

    /// Says what is expected at the marked bytes.
    #[must_use]
    pub(super) fn expected(self, expected: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            ..self
        }
    }

    /// Says how to put it right.
    #[must_use]
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: help.into(),
            ..self
        }
    }
}

impl Report {
    /// Makes a report on `file`; `source` is its text with secrets masked, byte for byte as long as the original.
    pub(super) fn new(file: &Path, source: String, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
        problems.dedup();
        Self {
            file: file.to_owned(),
            source,
            problems,
        }
    }

    /// Makes a report of a file that cannot be read at all.
    pub(super) fn of_file(file: &Path, problem: Problem) -> Self {
        Self::new(file, String::new(), vec![problem])
    }

    /// The problems, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Where a problem is; `None` if it has no place in the text.
    #[must_use]
    pub fn place(&self, problem: &Problem) -> Option<Place> {
        let (start, _) = self.bounds(problem)?;
        let before = &self.source[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some(Place {
            line: memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1,
            column: before[line_start..].chars().count() + 1,
        })
    }

    /// Renders every problem with an excerpt and a caret, and how many there are; for people.
    #[must_use]
    pub fn render(&self, paint: Paint) -> String {
        let renderer = match paint {
            Paint::Plain => Renderer::plain(),
            Paint::Coloured => Renderer::styled(),
        };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH);
        let mut text = String::new();
        for problem in &self.problems {
            text.push_str(&self.render_one(problem, &renderer));
            text.push_str("\n\n");
        }
        let count = self.problems.len();
        let noun = if count == 1 { "error" } else { "errors" };
        text.push_str(&format!("{}: {count} {noun}\n", self.file.display()));
        text
    }

    /// Renders the problems as one JSON object, for programs: `file` and `problems`, each with `line`, `column`, `path`, `message`, `expected`, `help` and `excerpt`.
    #[must_use]
    pub fn json(&self) -> String {
        let problems: Vec<_> = self
            .problems
            .iter()
            .map(|problem| {
                let place = self.place(problem);
                json!({
                    "line": place.map(|place| place.line),
                    "column": place.map(|place| place.column),
                    "path": problem.path,
                    "message": problem.message,
                    "expected": problem.expected,
                    "help": problem.help,
                    "excerpt": self.excerpt(problem).map(|(line, _)| line),
                })
            })
            .collect();
        json!({ "file": self.file.display().to_string(), "problems": problems }).to_string()
    }

    fn headline(&self, problem: &Problem) -> String {
        let file = self.file.display();
        match self.place(problem) {
            Some(Place { line, column }) => {
                format!("{file}:{line}:{column} {}", problem.message)
            }
            None => format!("{file} {}", problem.message),
        }
    }

    fn render_one(&self, problem: &Problem, renderer: &Renderer) -> String {
        let title = Level::ERROR.no_name().primary_title(self.headline(problem));
        let group = match (self.excerpt(problem), self.place(problem)) {
            (Some((line, mark)), Some(place)) => {
                let annotation = AnnotationKind::Primary
                    .span(mark)
                    .label(problem.expected.as_str());
                let snippet = Snippet::source(line)
                    .line_start(place.line)
                    .annotation(annotation);
                title.element(snippet)
            }
            _ => title.elements(None::<annotate_snippets::Message<'_>>),
        };
        let group = if problem.help.is_empty() {
            group
        } else {
            group.element(Level::HELP.message(problem.help.as_str()))
        };
        renderer.render(&[group])
    }

    /// The bytes that are marked, brought inside the text and onto character boundaries.
    fn bounds(&self, problem: &Problem) -> Option<(usize, usize)> {
        let span = problem.span.as_ref()?;
        Some(on_boundaries(&self.source, span))
    }

    /// The line that a problem begins on and the bytes of it that are marked.
    fn excerpt(&self, problem: &Problem) -> Option<(&str, Range<usize>)> {
        let (start, end) = self.bounds(problem)?;
        let line_start = self.source[..start].rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.source[line_start..];
        let line = rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mark = (start - line_start).min(line.len())..(end - line_start).min(line.len());
        if line.len() <= LONGEST_LINE {
            return Some((line, mark));
        }
        let from = floor_boundary(line, mark.start.saturating_sub(LONGEST_LINE / 4));
        let to = floor_boundary(line, from + LONGEST_LINE);
        let mark = (mark.start - from)..(mark.end.clamp(mark.start, to) - from);
        Some((&line[from..to], mark))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Paint::Plain))
    }
}

impl std::error::Error for Report {}
