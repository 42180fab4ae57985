//! What is written by hand: groups of sentences, and frames with lists of words.
//!
//! A section opens with `## KIND`; groups in it are blank-line separated, and `#` alone opens a comment.
//! The lines of a group all mean the same (`paraphrase`, `order`, `spelling`, `foreign same`) or all differ (`differ KIND`, `foreign differ`).
//! In `frame KIND` a line `name = a | b` is a list, and `> text {name}` a wording of the frame.

/// A section's name and one group of its lines.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) section: String,
    pub(crate) lines: Vec<String>,
}

/// One text in several wordings, with the words that may stand in its slots.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: String,
    pub(crate) slots: Vec<(String, Vec<String>)>,
    pub(crate) wordings: Vec<String>,
}

/// The groups of one half, in the order of the file.
pub(crate) fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut section = String::new();
    let mut open = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            section = name.trim().to_owned();
            open = false;
        } else if line.trim().is_empty() {
            open = false;
        } else if !line.starts_with("# ") {
            if !open {
                groups.push(Group {
                    section: section.clone(),
                    lines: Vec::new(),
                });
                open = true;
            }
            if let Some(group) = groups.last_mut() {
                group.lines.push(line.trim().to_owned());
            }
        }
    }
    groups
}

impl Group {
    /// The group as a frame, if its section is one of frames.
    pub(crate) fn frame(&self) -> Option<Frame> {
        let kind = self.section.strip_prefix("frame ")?.to_owned();
        let mut slots = Vec::new();
        let mut wordings = Vec::new();
        for line in &self.lines {
            if let Some(wording) = line.strip_prefix("> ") {
                wordings.push(wording.to_owned());
            } else if let Some((name, words)) = line.split_once(" = ") {
                let words = words.split(" | ").map(|word| word.trim().to_owned());
                slots.push((name.trim().to_owned(), words.collect()));
            }
        }
        Some(Frame {
            kind,
            slots,
            wordings,
        })
    }
}

impl Frame {
    /// A wording with the chosen word in each slot.
    pub(crate) fn fill(&self, wording: usize, chosen: &[usize]) -> String {
        let mut text = self.wordings[wording].clone();
        for ((name, words), choice) in self.slots.iter().zip(chosen) {
            text = text.replace(&format!("{{{name}}}"), &words[*choice]);
        }
        text
    }
}
