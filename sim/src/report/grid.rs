//! Columns of text without lines between them.
//!
//! # Invariants
//! - Every row of a grid is as long as its widest, trailing blanks not counted.
//! - A heading is broken only where its words end.

/// Blanks between two columns.
const GAP: &str = "  ";

/// A heading of up to so many characters is not broken: breaking it saves little and reads badly.
const UNBROKEN: usize = 8;

/// A heading and what stands below it.
#[derive(Clone, Debug)]
pub(super) struct Column {
    heading: Vec<String>,
    cells: Vec<String>,
    left: bool,
}

impl Column {
    /// A column of words, flush left.
    pub(super) fn words(heading: &str, cells: Vec<String>) -> Self {
        Self {
            heading: vec![heading.to_owned()],
            cells,
            left: true,
        }
    }

    /// A column of numbers, flush right; its heading is broken to be as narrow as they are.
    pub(super) fn numbers(heading: &str, cells: Vec<String>) -> Self {
        let width = cells.iter().map(|cell| length(cell)).max().unwrap_or(0);
        Self {
            heading: broken(heading, width.max(UNBROKEN)),
            cells,
            left: false,
        }
    }

    /// Its width, in characters.
    pub(super) fn width(&self) -> usize {
        let lines = self.heading.iter().chain(&self.cells);
        lines.map(|line| length(line)).max().unwrap_or(0)
    }

    /// A line of it, filled up to its width.
    fn filled(&self, text: &str) -> String {
        let blanks = " ".repeat(self.width() - length(text));
        if self.left {
            format!("{text}{blanks}")
        } else {
            format!("{blanks}{text}")
        }
    }
}

/// The width of columns side by side.
pub(super) fn width<'a>(columns: impl IntoIterator<Item = &'a Column>) -> usize {
    let (count, sum) = columns
        .into_iter()
        .fold((0, 0), |(count, sum), it| (count + 1, sum + it.width()));
    sum + GAP.len() * usize::saturating_sub(count, 1)
}

/// The columns side by side, headings at the bottom of theirs.
pub(super) fn side_by_side(columns: &[&Column]) -> String {
    let tallest = columns.iter().map(|it| it.heading.len()).max().unwrap_or(0);
    let rows = columns.iter().map(|it| it.cells.len()).max().unwrap_or(0);
    let heading = |line: usize| {
        line_of(columns, |it| {
            let skipped = tallest - it.heading.len();
            line.checked_sub(skipped).and_then(|at| it.heading.get(at))
        })
    };
    let row = |row: usize| line_of(columns, |it| it.cells.get(row));
    (0..tallest)
        .map(heading)
        .chain((0..rows).map(row))
        .collect()
}

/// As [`side_by_side`], in as many blocks as `most` characters need; the `kept` first columns open every block.
pub(super) fn in_blocks(columns: &[Column], kept: usize, most: usize) -> String {
    let (kept, rest) = columns.split_at(kept.min(columns.len()));
    let mut blocks: Vec<Vec<&Column>> = vec![kept.iter().collect()];
    for column in rest {
        let last = blocks.len() - 1;
        let block = &mut blocks[last];
        let wider = width(block.iter().copied().chain([column]));
        if wider > most && block.len() > kept.len() {
            blocks.push(kept.iter().chain([column]).collect());
        } else {
            block.push(column);
        }
    }
    let texts: Vec<String> = blocks.iter().map(|block| side_by_side(block)).collect();
    texts.join("\n")
}

fn line_of<'a>(columns: &[&'a Column], text: impl Fn(&'a Column) -> Option<&'a String>) -> String {
    let cells: Vec<String> = columns
        .iter()
        .map(|it| it.filled(text(it).map_or("", String::as_str)))
        .collect();
    format!("{}\n", cells.join(GAP).trim_end())
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// `heading` in lines of at most `width` characters, as far as its words allow; a word ends with `_`, `-` or a blank.
fn broken(heading: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in heading.split_inclusive(['_', '-', ' ']) {
        match lines.last_mut() {
            Some(line) if length(line) + length(word.trim_end()) <= width => line.push_str(word),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|&it| it.to_owned()).collect()
    }

    #[test]
    fn numbers_stand_right_and_headings_break() {
        let names = Column::words("policy", texts(&["ours", "another"]));
        let cost = Column::numbers("first_attempt_incident", texts(&["0.9973 ±0.0001*", "1 "]));
        let expected = concat!(
            "          first_attempt_\n",
            "policy          incident\n",
            "ours     0.9973 ±0.0001*\n",
            "another               1\n",
        );
        assert_eq!(side_by_side(&[&names, &cost]), expected);
        assert_eq!(width([&names, &cost]), 24);
    }

    #[test]
    fn what_does_not_fit_goes_below() {
        let columns = [
            Column::words("at", texts(&["s1"])),
            Column::numbers("a", texts(&["1.0"])),
            Column::numbers("b", texts(&["2.0"])),
            Column::numbers("c", texts(&["3.0"])),
        ];
        let expected = "at    a    b\ns1  1.0  2.0\n\nat    c\ns1  3.0\n";
        assert_eq!(in_blocks(&columns, 1, 13), expected);
        assert_eq!(in_blocks(&columns, 1, 12), expected);
        assert_eq!(in_blocks(&columns, 1, 11).matches("at").count(), 3);
    }
}
