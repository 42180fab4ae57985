//! Files of questions, good and bad.

use std::path::PathBuf;

use super::trace::{self, TraceError};

/// A file of its own, removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("trimtab-study-{}-{name}", std::process::id()));
        std::fs::write(&folder, text).unwrap();
        Self(folder)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn questions_are_read_from_json_and_csv() {
    let json = File::new(
        "a.jsonl",
        "{\"text\":\"a\",\"label\":\"x\"}\n\n{\"question\":\"b\",\"answer\":\"y\"}\n{\"text\":\"c\",\"intent\":\"x\",\"more\":1}\n",
    );
    let csv = File::new("a.csv", "text,category\na,x\n\"b, c\",y\nd,x\n");
    for (file, texts) in [(&json, ["a", "b", "c"]), (&csv, ["a", "b, c", "d"])] {
        let asked = trace::read(&file.0).unwrap();
        let read: Vec<_> = asked.iter().map(|it| it.text.as_str()).collect();
        let answers: Vec<_> = asked.iter().map(|it| it.answer).collect();
        assert_eq!((read, answers), (texts.to_vec(), vec![0, 1, 0]));
    }
}

#[test]
fn what_is_not_understood_is_told_with_its_place() {
    for (name, text, line) in [
        ("b.jsonl", "{\"text\":\"a\",\"label\":\"x\"}\nrubbish\n", 2),
        ("c.jsonl", "{\"text\":\"a\"}\n", 1),
        ("d.jsonl", "{\"label\":\"a\"}\n", 1),
        ("e.csv", "text,label\na,x\nb\n", 3),
        ("f.csv", "words,label\na,x\n", 2),
    ] {
        let file = File::new(name, text);
        match trace::read(&file.0) {
            Err(TraceError::Line { line: told, .. }) => assert_eq!(told, line, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let empty = File::new("g.jsonl", "\n");
    assert!(matches!(trace::read(&empty.0), Err(TraceError::Empty(_))));
    let missing = trace::read(&empty.0.with_extension("none"));
    assert!(matches!(missing, Err(TraceError::Unreadable { .. })));
}
