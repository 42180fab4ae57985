//! What people do to a sentence without asking anything else: a greeting, a contraction, a slip of the finger, no capitals.

/// A small generator whose numbers never change with a library's version (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % sides.max(1) as u64).unwrap()
    }

    /// Puts the items in a random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// First words that lose their capital after a greeting.
const OPENERS: &[&str] = &[
    "Can", "Compare", "Could", "Did", "Do", "Does", "Explain", "For", "How", "In", "Is", "Name",
    "On", "Should", "Show", "What", "When", "Where", "Which", "Who", "Why", "Will",
];

/// Long forms and the short ones that people write.
const CONTRACTIONS: &[(&str, &str)] = &[
    ("What is", "What's"),
    ("Where is", "Where's"),
    ("Who is", "Who's"),
    ("When is", "When's"),
    ("I would", "I'd"),
    ("I am", "I'm"),
    ("do not", "don't"),
    ("does not", "doesn't"),
    ("did not", "didn't"),
    ("cannot", "can't"),
    ("haven't", "have not"),
    ("isn't", "is not"),
    ("won't", "will not"),
    ("doesn't", "does not"),
    ("don't", "do not"),
    ("I'd like", "I would like"),
];

/// Neighbours on the keyboard, for the letters that are hit by mistake most.
const NEIGHBOURS: &[(char, char)] = &[
    ('a', 's'),
    ('s', 'a'),
    ('e', 'r'),
    ('r', 't'),
    ('i', 'o'),
    ('o', 'i'),
    ('n', 'm'),
    ('m', 'n'),
    ('t', 'y'),
    ('u', 'i'),
    ('c', 'v'),
    ('l', 'k'),
];

/// The text inside a greeting or a thank-you.
pub(crate) fn polite(wrapper: &str, text: &str) -> String {
    let first = text.split(' ').next().unwrap_or("");
    let lower = !wrapper.starts_with("{q}") && OPENERS.contains(&first);
    let mut inner = text.to_owned();
    if lower && let Some(head) = inner.get_mut(..1) {
        head.make_ascii_lowercase();
    }
    wrapper.replace("{q}", &inner)
}

/// The text with its first long form made short, or the other way round.
pub(crate) fn contracted(text: &str) -> Option<String> {
    CONTRACTIONS
        .iter()
        .find(|(long, _)| text.contains(long))
        .map(|(long, short)| text.replacen(long, short, 1))
}

/// The text without capitals and without its last mark.
pub(crate) fn plain(text: &str) -> String {
    text.trim_end_matches(['?', '.']).to_lowercase()
}

/// The text with one slip in a word of five letters or more that carries no name.
pub(crate) fn mistyped(text: &str, dice: &mut Dice) -> Option<String> {
    let words: Vec<&str> = text.split(' ').collect();
    let mut spots: Vec<usize> = (1..words.len())
        .filter(|&at| {
            let word = words[at];
            word.len() >= 5 && word.chars().all(|letter| letter.is_ascii_lowercase())
        })
        .collect();
    dice.shuffle(&mut spots);
    let spot = *spots.first()?;
    let slipped = slip(words[spot], dice);
    let mut changed: Vec<&str> = words.clone();
    changed[spot] = &slipped;
    Some(changed.join(" "))
}

/// One slip: two letters swapped, one left out, one doubled, or a neighbour hit.
fn slip(word: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let at = 1 + dice.below(letters.len() - 3);
    match dice.below(4) {
        0 if letters[at] != letters[at + 1] => letters.swap(at, at + 1),
        1 => {
            letters.remove(at);
        }
        2 => letters.insert(at, letters[at]),
        _ => {
            let near = NEIGHBOURS.iter().find(|(letter, _)| *letter == letters[at]);
            match near {
                Some((_, hit)) => letters[at] = *hit,
                None => {
                    letters.remove(at);
                }
            }
        }
    }
    letters.into_iter().collect()
}
