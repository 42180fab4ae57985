//! How is JSON changed so that it still reads as JSON, but not as what its reader expects?
//!
//! # Invariants
//! - A tree keeps fields of one name side by side, which no map would.

use rand::RngExt;
use rand::rngs::SmallRng;
use serde_json::Value;

/// JSON that may repeat itself.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    /// Anything, as text.
    Leaf(String),
    /// An array.
    List(Vec<Tree>),
    /// An object; names are JSON text.
    Object(Vec<(String, Tree)>),
}

/// What is put in the place of any value.
const ODD: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1",
    "3.5",
    "-0.0",
    "1e308",
    "1e999",
    "-1e999",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999999999999999",
    "1e-999",
    "\"\"",
    "\" \"",
    "\"0\"",
    "\"-1\"",
    "\"\\u0000\"",
    "\"\\ud83d\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ufeff\"",
    "\"é\u{2028}\u{10ffff}\"",
    "\"\\\"\\\\\\n\\r\\t\"",
    "\"data: x\\n\\ndata: y\"",
    "\"[DONE]\"",
    "\"auto\"",
    "\"none\"",
    "\"text\"",
    "\"data:image/png;base64,iVBORw0KGgo=\"",
    "\"data:,\"",
    "\"data:;base64\"",
    "\"https://example.com/a.png\"",
    "\"{\"",
    "\"{\\\"a\\\":1}\"",
    "\"trimtab:openai:rs_1:x\"",
    "\"trimtab::\"",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "{\"\":null}",
    "[{\"type\":\"text\",\"text\":\"a\"}]",
    "{\"a\":1,\"a\":2}",
    "{\"error\":{\"message\":\"m\"}}",
];

impl Tree {
    /// The tree of a value.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            Value::Object(fields) => {
                let fields = fields.iter();
                let pair = |(name, value): (&String, &Value)| {
                    (Value::from(name.as_str()).to_string(), Self::of(value))
                };
                Self::Object(fields.map(pair).collect())
            }
            plain => Self::Leaf(plain.to_string()),
        }
    }

    /// The tree of a text, if it is JSON.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text)
            .ok()
            .map(|value| Self::of(&value))
    }

    /// The text.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Leaf(text) => out.extend_from_slice(text.as_bytes()),
            Self::List(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(fields) => {
                out.push(b'{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(name.as_bytes());
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// How many values it has.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Leaf(_) => 1,
            Self::List(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Self::Object(fields) => {
                1 + fields.iter().map(|(_, value)| value.count()).sum::<usize>()
            }
        }
    }

    /// The value of this number, counted from the root.
    fn nth(&mut self, at: &mut usize) -> Option<&mut Self> {
        if *at == 0 {
            return Some(self);
        }
        *at -= 1;
        match self {
            Self::Leaf(_) => None,
            Self::List(items) => items.iter_mut().find_map(|item| item.nth(at)),
            Self::Object(fields) => fields.iter_mut().find_map(|(_, value)| value.nth(at)),
        }
    }

    /// Any of its values.
    fn any(&mut self, rng: &mut SmallRng) -> &mut Self {
        let mut at = rng.random_range(0..self.count());
        self.nth(&mut at)
            .expect("there is a value of every number below the count")
    }

    /// Adds its values and names to what other trees may be given.
    pub(crate) fn gather(&self, stock: &mut Stock) {
        if stock.values.len() < STOCK {
            stock.values.push(self.clone());
        }
        match self {
            Self::Leaf(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.gather(stock)),
            Self::Object(fields) => {
                for (name, value) in fields {
                    if !stock.names.contains(name) {
                        stock.names.push(name.clone());
                    }
                    value.gather(stock);
                }
            }
        }
    }

    /// Changes one thing.
    ///
    /// Trees that have grown large stay as they are.
    pub(crate) fn change(&mut self, stock: &Stock, rng: &mut SmallRng) {
        if self.count() > LARGE {
            return;
        }
        let place = self.any(rng);
        match rng.random_range(0..12) {
            0..=2 => *place = odd(rng),
            3 | 4 => *place = stock.value(rng),
            5 => nest(place, rng),
            6 => repeat(place, rng),
            7 => *place = long(rng),
            8 => {
                let other = place.clone();
                *self.any(rng) = other;
            }
            _ => place.change_inside(stock, rng),
        }
    }

    /// Changes which members a list or an object has.
    fn change_inside(&mut self, stock: &Stock, rng: &mut SmallRng) {
        match self {
            Self::Leaf(text) => {
                let at = rng.random_range(0..=text.len());
                let at = text.floor_char_boundary(at);
                match rng.random_range(0..3) {
                    0 => text.insert(at, char::from(rng.random_range(32..127_u8))),
                    1 => text.insert_str(at, "\\u00"),
                    _ => text.truncate(at),
                }
            }
            Self::List(items) if items.is_empty() => items.push(stock.value(rng)),
            Self::List(items) => {
                let (at, to) = (
                    rng.random_range(0..items.len()),
                    rng.random_range(0..items.len()),
                );
                match rng.random_range(0..3) {
                    0 => drop(items.remove(at)),
                    1 => items.swap(at, to),
                    _ => items.insert(to, stock.value(rng)),
                }
            }
            Self::Object(fields) if fields.is_empty() => {
                fields.push((stock.name(rng), stock.value(rng)));
            }
            Self::Object(fields) => {
                let at = rng.random_range(0..fields.len());
                let to = rng.random_range(0..fields.len());
                match rng.random_range(0..5) {
                    0 => drop(fields.remove(at)),
                    1 => fields.swap(at, to),
                    2 => fields[at].0 = stock.name(rng),
                    3 => {
                        let value = if rng.random() {
                            fields[to].1.clone()
                        } else {
                            odd(rng)
                        };
                        let twin = (fields[at].0.clone(), value);
                        fields.insert(to, twin);
                    }
                    _ => fields.push((stock.name(rng), stock.value(rng))),
                }
            }
        }
    }
}

/// Values of a tree that is changed no more.
const LARGE: usize = 4_000;

/// Values that a stock holds at most.
const STOCK: usize = 20_000;

/// Values and names of all seeds, for splices.
#[derive(Debug, Default)]
pub(crate) struct Stock {
    values: Vec<Tree>,
    names: Vec<String>,
}

impl Stock {
    /// Any value.
    pub(crate) fn value(&self, rng: &mut SmallRng) -> Tree {
        if self.values.is_empty() {
            return odd(rng);
        }
        self.values[rng.random_range(0..self.values.len())].clone()
    }

    fn name(&self, rng: &mut SmallRng) -> String {
        if self.names.is_empty() || rng.random_ratio(1, 20) {
            return "\"\\u0061\"".to_owned();
        }
        self.names[rng.random_range(0..self.names.len())].clone()
    }
}

/// A value that is rarely meant.
fn odd(rng: &mut SmallRng) -> Tree {
    Tree::Leaf(ODD[rng.random_range(0..ODD.len())].to_owned())
}

/// A value that is long.
fn long(rng: &mut SmallRng) -> Tree {
    let most = if rng.random_ratio(1, 8) { 8_000 } else { 200 };
    let times = rng.random_range(1..most);
    Tree::Leaf(match rng.random_range(0..4) {
        0 => format!("\"{}\"", "a".repeat(times)),
        1 => format!("\"{}\"", "\\u00e9".repeat(times)),
        2 => "9".repeat(times),
        _ => format!("[{}0]", "0,".repeat(times)),
    })
}

/// Puts a value deep inside others.
fn nest(place: &mut Tree, rng: &mut SmallRng) {
    let most = if rng.random_ratio(1, 4) { 4_000 } else { 130 };
    let depth = rng.random_range(1..most);
    let (open, close) = match rng.random_range(0..3) {
        0 => ("{\"a\":", "}"),
        1 => ("[0,", "]"),
        _ => ("[", "]"),
    };
    let inner = String::from_utf8(place.text()).unwrap_or_default();
    *place = Tree::Leaf(format!(
        "{}{inner}{}",
        open.repeat(depth),
        close.repeat(depth)
    ));
}

/// Repeats a member of a list or an object.
fn repeat(place: &mut Tree, rng: &mut SmallRng) {
    let most = if rng.random_ratio(1, 8) { 2_000 } else { 20 };
    let times = rng.random_range(1..most);
    match place {
        Tree::List(items) if !items.is_empty() => {
            let item = items[rng.random_range(0..items.len())].clone();
            items.extend(std::iter::repeat_n(item, times));
        }
        Tree::Object(fields) if !fields.is_empty() => {
            let (name, value) = fields[rng.random_range(0..fields.len())].clone();
            let bare = name.trim_matches('"').to_owned();
            fields.extend((0..times).map(|number| (format!("\"{bare}{number}\""), value.clone())));
        }
        _ => {
            let item = place.clone();
            *place = Tree::List(vec![item; times]);
        }
    }
}
