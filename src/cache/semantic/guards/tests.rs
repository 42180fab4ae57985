//! The guards as a whole: what they let through, what they stop and why, and what holds for any text.

use proptest::prelude::*;

use super::compare::veto_counting;
use super::features::Features;
use super::{MOST_BYTES, MOST_REORDERED, Veto, veto};

fn between(a: &str, b: &str) -> Option<Veto> {
    veto(&Features::of(a), &Features::of(b))
}

#[test]
fn manners_and_spelling_do_not_matter() {
    for (a, b) in [
        ("How do I reset my password?", "how do i reset my password"),
        (
            "How do I reset my password?",
            "Hi there! Could you please tell me how to reset my password? Thank you very much.",
        ),
        (
            "How do I reset my email password?",
            "Please tell me how to reset my email password",
        ),
        (
            "What's the colour of the theatre?",
            "What is the color of the theater",
        ),
        (
            "Summarise the text that I translated.",
            "Summarize the text that I translate.",
        ),
        ("Where is the invoice?", "Where are the invoices?"),
        (
            "How do I cancel my subscription?",
            "How do I cancel my subscritpion?",
        ),
        (
            "I can't open the file, why?",
            "Why can I not open the file?",
        ),
        (
            "Is 5km more than three miles?",
            "Is 5 kilometres more than 3 miles?",
        ),
        ("What is 20% of $50?", "What is 20 percent of 50 dollars?"),
        ("What is the mass of the sun?", "What is the sun's mass?"),
        (
            "In Python, how do I sort a list?",
            "How do I sort a list in Python?",
        ),
        (
            "When I open the app, why does it crash?",
            "Why does it crash when I open the app?",
        ),
        ("Compare iron and copper.", "Compare copper and iron."),
        ("How can Docker be installed?", "How do I install Docker?"),
        (
            "What does \"ephemeral\" mean?",
            "What is the meaning of ephemeral?",
        ),
        (
            "Wie kündige ich meinen Vertrag?",
            "wie kündige ich meinen vertrag",
        ),
        (
            "東京から大阪まで何時間かかりますか",
            "東京から大阪まで何時間かかりますか？",
        ),
    ] {
        assert_eq!(between(a, b), None, "{a} | {b}");
    }
}

/// Two texts and why one's answer does not answer the other.
const REASONS: &[(&str, &str, Veto)] = &[
    ("", "How are you?", Veto::Empty),
    (
        "How many days are in 3 weeks?",
        "How many days are in 4 weeks?",
        Veto::Numbers,
    ),
    (
        "Is version 1.2.3 the newest?",
        "Is version 1.2.4 the newest?",
        Veto::Numbers,
    ),
    (
        "Is the meeting at 9:30?",
        "Is the meeting at 9:45?",
        Veto::Numbers,
    ),
    (
        "Put 2 apples in the 3 boxes",
        "Put 3 apples in the 2 boxes",
        Veto::Numbers,
    ),
    (
        "What does `git stash` do?",
        "What does `git reset` do?",
        Veto::Quoted,
    ),
    (
        "Why did the war begin?",
        "When did the war begin?",
        Veto::Question,
    ),
    (
        "Is the medicine safe?",
        "How is the medicine safe?",
        Veto::Question,
    ),
    (
        "Which countries use the euro?",
        "Which countries do not use the euro?",
        Veto::Negation,
    ),
    (
        "Who may enter the room?",
        "Who must enter the room?",
        Veto::Mode,
    ),
    (
        "Who was the director of it?",
        "Who will be the director of it?",
        Veto::Mode,
    ),
    ("What can you do?", "What can I do?", Veto::Question),
    ("What is my name?", "What is your name?", Veto::Person),
    (
        "Where did he grow up?",
        "Where did she grow up?",
        Veto::Person,
    ),
    (
        "What does get_user do?",
        "What does set_user do?",
        Veto::Identifiers,
    ),
    ("Is a < b true?", "Is a > b true?", Veto::Identifiers),
    (
        "How do I enable the alarm?",
        "How do I disable the alarm?",
        Veto::Antonyms,
    ),
    (
        "Is the shop open on Monday?",
        "Is the shop open on Friday?",
        Veto::Dates,
    ),
    (
        "How many grams are in the bag?",
        "How many ounces are in the bag?",
        Veto::Units,
    ),
    (
        "Translate the menu into French.",
        "Translate the menu into Polish.",
        Veto::Language,
    ),
    (
        "Wie kündige ich den Vertrag?",
        "Wie ändere ich den Vertrag?",
        Veto::Language,
    ),
    (
        "Write a caption for a red mug.",
        "Write a caption for a blue mug.",
        Veto::Colours,
    ),
    (
        "How far is it to Boston?",
        "How far is it to Denver?",
        Veto::Names,
    ),
    (
        "How do I cook the rice?",
        "How do I cook the lentils?",
        Veto::Words,
    ),
    (
        "Did Alice lend Bob the money?",
        "Did Bob lend Alice the money?",
        Veto::Order,
    ),
    (
        "How do I fly from Paris to Rome?",
        "How do I fly from Rome to Paris?",
        Veto::Order,
    ),
    ("Can a tenant be called?", "Can a tenant call?", Veto::Order),
];

#[test]
fn each_difference_has_its_reason() {
    for &(a, b, why) in REASONS {
        assert_eq!(between(a, b), Some(why), "{a} | {b}");
        assert_eq!(between(b, a), Some(why), "{b} | {a}");
    }
}

#[test]
fn a_long_frame_with_another_word_in_its_slot_is_a_template() {
    let text = |what: &str| {
        format!(
            "Write a friendly caption for the {what} in our shop, mention quality, fast delivery and the return policy, and keep it modern."
        )
    };
    assert_eq!(between(&text("lamp"), &text("chair")), Some(Veto::Template));
    assert_eq!(between(&text("lamp"), &text("lamp")), None);
}

#[test]
fn words_that_are_one_slip_apart_are_two_words() {
    for (a, b) in [
        ("How do I prepare a desert?", "How do I prepare a dessert?"),
        (
            "What does the angel look like?",
            "What does the angle look like?",
        ),
        (
            "What is the employer's share?",
            "What is the employee's share?",
        ),
        (
            "Is the minister of Austria here?",
            "Is the minister of Australia here?",
        ),
    ] {
        assert!(between(a, b).is_some(), "{a} | {b}");
    }
}

#[test]
fn a_text_beyond_the_limit_is_not_read() {
    let fits = "word ".repeat(MOST_BYTES / 5);
    let long = format!("{fits}{fits}");
    assert_eq!(between(&fits, &fits), None);
    assert_eq!(between(&long, &long), Some(Veto::TooLong));
    assert_eq!(between(&long, &fits), Some(Veto::TooLong));
    assert!(Features::of(&"x".repeat(100_000)).words.is_empty());
}

#[test]
fn work_is_bounded() {
    // As many different words as fit, in opposite orders: the worst for pairing and for the order.
    let words: Vec<String> = (0..MOST_BYTES / 8).map(|n| format!("w{n:04}")).collect();
    let forward = format!("the {}", words.join(" "));
    let reversed: Vec<&str> = words.iter().rev().map(String::as_str).collect();
    let backward = format!("the {}", reversed.join(" "));
    let (a, b) = (Features::of(&forward), Features::of(&backward));
    let mut steps = 0;
    assert_eq!(veto_counting(&a, &b, &mut steps), Some(Veto::Order));
    assert!(steps <= a.words.len() + b.words.len() + MOST_REORDERED * MOST_REORDERED);
    let few: Vec<&str> = words[..MOST_REORDERED].iter().map(String::as_str).collect();
    let turned: Vec<&str> = few.iter().rev().copied().collect();
    let (a, b) = (
        Features::of(&format!("the {}", few.join(" "))),
        Features::of(&format!("the {}", turned.join(" "))),
    );
    let mut steps = 0;
    assert!(veto_counting(&a, &b, &mut steps).is_some());
    assert!(steps <= a.words.len() + b.words.len() + MOST_REORDERED * MOST_REORDERED);
}

/// Texts of words that the tables know, in any order.
fn sentence() -> impl Strategy<Value = String> {
    let words = [
        "how",
        "do",
        "i",
        "the",
        "not",
        "can't",
        "from",
        "to",
        "red",
        "blue",
        "3",
        "twenty",
        "five",
        "Paris",
        "Rome",
        "open",
        "close",
        "my",
        "your",
        "file.txt",
        "get_user",
        "\"x y\"",
        "`ls`",
        "please",
        "thanks",
        "what",
        "is",
        "it",
        ",",
        "why?",
        "made",
        "by",
        "John's",
        "$5",
        "10%",
        "5km",
        "was",
        "will",
        "one",
        "difference",
        "日本",
    ];
    proptest::collection::vec(proptest::sample::select(words.to_vec()), 1..20)
        .prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_read_and_answers_itself(text in any::<String>()) {
        let features = Features::of(&text);
        let verdict = veto(&features, &features);
        prop_assert!(matches!(verdict, None | Some(Veto::Empty)));
        prop_assert_eq!(&features, &Features::of(&text));
    }

    #[test]
    fn any_two_texts_agree_both_ways(a in any::<String>(), b in any::<String>()) {
        prop_assert_eq!(between(&a, &b), between(&b, &a));
    }

    #[test]
    fn any_two_sentences_agree_both_ways(a in sentence(), b in sentence()) {
        prop_assert_eq!(between(&a, &b), between(&b, &a), "{} | {}", a, b);
        let answers_itself = matches!(between(&a, &a), None | Some(Veto::Empty));
        prop_assert!(answers_itself);
    }

    #[test]
    fn the_words_in_another_order_agree_both_ways(a in sentence(), seed in any::<u64>()) {
        let mut words: Vec<&str> = a.split(' ').collect();
        let len = words.len();
        words.rotate_left(usize::try_from(seed % 20).unwrap() % len);
        let b = words.join(" ");
        prop_assert_eq!(between(&a, &b), between(&b, &a), "{} | {}", a, b);
    }

    #[test]
    fn another_number_is_never_the_same(a in 0_u32..10_000, b in 0_u32..10_000) {
        let text = |n: u32| format!("What is the square root of {n}?");
        prop_assert_eq!(between(&text(a), &text(b)).is_none(), a == b);
    }
}
