//! Does the repository keep its own rules?
//!
//! The tables below are the rules that matter and that no lint can check: who imports whom, how long a file may be, what stands at the top, which words are confined to which file.
//! `docs/STYLE.md` gives their reasons.
//! A new edge or exception is its own change, made here.
//!
//! # Invariants
//! - Every checker is tested in `tests/tidy/` on a snippet that breaks it.
//! - No rule needs git, the network or a build.

#![allow(
    clippy::panic,
    reason = "a broken rule is reported by a panic, as in any test"
)]

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;

use imports::Edges;
use rules::Confined;

/// Who may import whom: rooms import downward only, and dialects meet only in `chat`.
///
/// `*` is everything: the composition root and the commands.
/// The members stand below the rooms; `bench` may use all.
const EDGES: &[Edges] = &[
    Edges {
        room: "clock",
        may_import: &["scoring"],
    },
    Edges {
        room: "chat",
        may_import: &[],
    },
    Edges {
        room: "store",
        may_import: &[],
    },
    Edges {
        room: "mock",
        may_import: &["clock", "scoring"],
    },
    Edges {
        room: "config",
        may_import: &["mock", "scoring"],
    },
    Edges {
        room: "stream",
        may_import: &["chat", "scoring"],
    },
    Edges {
        room: "dialects",
        may_import: &["chat", "stream", "config", "scoring"],
    },
    Edges {
        room: "upstream",
        may_import: &["config", "clock", "scoring"],
    },
    Edges {
        room: "routing",
        may_import: &["config", "clock", "scoring"],
    },
    Edges {
        room: "observe",
        may_import: &["routing", "upstream", "store", "config", "clock", "scoring"],
    },
    Edges {
        room: "governance",
        may_import: &["config", "store", "chat", "clock", "scoring"],
    },
    Edges {
        room: "cache",
        may_import: &["config", "store", "chat", "clock", "scoring"],
    },
    Edges {
        room: "images",
        may_import: &["upstream", "dialects", "chat", "clock", "scoring"],
    },
    Edges {
        room: "proxy",
        may_import: BELOW_PROXY,
    },
    Edges {
        room: "admin",
        may_import: BELOW_SERVER,
    },
    Edges {
        room: "server",
        may_import: BELOW_SERVER,
    },
    Edges {
        room: "app",
        may_import: &["*"],
    },
    Edges {
        room: "demo",
        may_import: &["*"],
    },
    Edges {
        room: "doctor",
        may_import: &["*"],
    },
    Edges {
        room: "console",
        may_import: &["doctor", "upstream", "config", "clock"],
    },
    Edges {
        room: "import",
        may_import: &["*"],
    },
    Edges {
        room: "prices",
        may_import: &["*"],
    },
    Edges {
        room: "study",
        may_import: &["cache", "config", "clock"],
    },
    Edges {
        room: "main",
        may_import: &["*"],
    },
    Edges {
        room: "lib",
        may_import: &[],
    },
    Edges {
        room: "scoring",
        may_import: &[],
    },
    Edges {
        room: "sim",
        may_import: &["scoring"],
    },
    Edges {
        room: "bench",
        may_import: &["*"],
    },
];

/// What one request's life may draw on.
const BELOW_PROXY: &[&str] = &[
    "chat",
    "clock",
    "config",
    "store",
    "stream",
    "dialects",
    "upstream",
    "routing",
    "observe",
    "governance",
    "cache",
    "images",
    "scoring",
];

/// What the listeners and the admin plane may draw on: the proxy and everything below it.
const BELOW_SERVER: &[&str] = &[
    "proxy",
    "chat",
    "clock",
    "config",
    "store",
    "stream",
    "dialects",
    "upstream",
    "routing",
    "observe",
    "governance",
    "cache",
    "images",
    "scoring",
];

/// Everything that may stand at the top.
const TOP_LEVEL: &[&str] = &[
    ".ci/",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "bench/",
    "clippy.toml",
    "config.toml",
    "deny.toml",
    "docs/",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "scoring/",
    "sim/",
    "src/",
    "tests/",
];

/// Files of `src/` that are no room: the crate's root.
const NOT_ROOMS: &[&str] = &["lib"];

/// Lines a file may have without its tests; more is two files.
const FILE_LINES: usize = 600;

/// Files above the limit; the list may only shrink.
const LONG_FILES: &[&str] = &[];

/// Lines of code a function may have, its signature included; `clippy.toml` holds the body to as many.
const FUNCTION_LINES: usize = 76;

/// Names that say nothing about what is inside.
const VAGUE: &[&str] = &[
    "utils", "util", "helpers", "helper", "common", "types", "misc", "manager",
];

/// What cannot reach main; split so that this file does not hold the marks itself.
const UNFINISHED: &[&str] = &[
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X"),
    concat!("#[ig", "nore"),
];

/// Words that stand in a few files only.
const CONFINED: &[Confined] = &[
    Confined {
        words: "Instant :: now",
        within: DECIDING,
        only_in: CLOCK,
        instead: ASK_CLOCK,
    },
    Confined {
        words: "SystemTime :: now",
        within: DECIDING,
        only_in: CLOCK,
        instead: ASK_CLOCK,
    },
    Confined {
        words: "SysRng",
        within: DECIDING,
        only_in: CLOCK,
        instead: ASK_RNG,
    },
    Confined {
        words: "OsRng",
        within: DECIDING,
        only_in: CLOCK,
        instead: ASK_RNG,
    },
    Confined {
        words: "getrandom",
        within: DECIDING,
        only_in: CLOCK,
        instead: ASK_RNG,
    },
    Confined {
        words: "make_rng",
        within: DECIDING,
        only_in: CLOCK,
        instead: ASK_RNG,
    },
    Confined {
        words: "thread_rng",
        within: DECIDING,
        only_in: CLOCK,
        instead: ASK_RNG,
    },
    Confined {
        words: "rand :: rng",
        within: DECIDING,
        only_in: CLOCK,
        instead: ASK_RNG,
    },
    Confined {
        words: "rand :: random",
        within: DECIDING,
        only_in: CLOCK,
        instead: ASK_RNG,
    },
    Confined {
        words: "thread :: sleep",
        within: &["src/", "scoring/", "sim/", "tests/"],
        only_in: &[],
        instead: "use the runtime's timer",
    },
    Confined {
        words: "anyhow",
        within: &["src/", "scoring/", "sim/"],
        only_in: &["src/main.rs", "sim/src/main.rs"],
        instead: "give the room one error enum",
    },
    Confined {
        words: "sync :: atomic",
        within: &["scoring/src/"],
        only_in: &["scoring/src/atomics.rs"],
        instead: "import from `crate::atomics`, so that loom sees it",
    },
    Confined {
        words: "compare_exchange",
        within: &["scoring/src/"],
        only_in: &["scoring/src/cell.rs"],
        instead: "use the one loop in `cell.rs`",
    },
    Confined {
        words: "compare_exchange_weak",
        within: &["scoring/src/"],
        only_in: &["scoring/src/cell.rs"],
        instead: "use the one loop in `cell.rs`",
    },
    Confined {
        words: "Ordering :: Relaxed",
        within: &["scoring/src/"],
        only_in: ORDERINGS,
        instead: "keep atomics in the cells and the plain counters",
    },
    Confined {
        words: "Ordering :: SeqCst",
        within: &["scoring/src/"],
        only_in: &[],
        instead: "loom does not model it; acquire and release with a named partner",
    },
    Confined {
        words: "TcpStream :: connect",
        within: &["src/"],
        only_in: &["src/upstream/", "src/main.rs"],
        instead: "only `upstream` opens a socket to a provider",
    },
];

/// Where time and entropy are arguments.
const DECIDING: &[&str] = &["src/", "scoring/src/", "sim/src/"];

/// The one reader of time and entropy.
const CLOCK: &[&str] = &["src/clock.rs"];

const ASK_CLOCK: &str = "take `now` as an argument or call `clock::now`";
const ASK_RNG: &str = "take the generator as an argument or call `clock::rng`";

/// The files of `scoring` that may name a memory ordering: the cells and plain counters.
const ORDERINGS: &[&str] = &[
    "scoring/src/atomics.rs",
    "scoring/src/cell.rs",
    "scoring/src/route/",
    "scoring/src/select/pool.rs",
];

/// Places on one machine, and hosts of package registries; split so that this file does not hold them.
const MACHINE: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/tm", "p/"),
    concat!("/Us", "ers/"),
    concat!("registry.npm", "js.org"),
    concat!("pypi", ".org"),
    concat!("files.python", "hosted.org"),
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("deb.deb", "ian.org"),
];

/// The only place that `Cargo.lock` may take packages from.
const LOCK_SOURCE: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// Fails with the complaints, if any.
fn report(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<String> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn rooms_import_downward_only() {
    report(
        tree::sources()
            .iter()
            .flat_map(|source| imports::check(source, EDGES)),
    );
}

#[test]
fn every_room_has_its_row_of_edges() {
    let rooms = rules::rooms(&tree::files(), &[]);
    let rows: Vec<&str> = EDGES.iter().map(|row| row.room).collect();
    report(rules::unlisted(rooms.iter(), &rows, "needs a row in EDGES"));
}

#[test]
fn edges_make_no_circle() {
    report(imports::circles(EDGES));
}

#[test]
fn files_are_short() {
    let sources = tree::sources();
    let checked = sources
        .iter()
        .filter(|source| !LONG_FILES.contains(&source.path.as_str()));
    report(checked.flat_map(|source| rules::long_file(source, FILE_LINES)));
    let now_short = |path: &&&str| {
        let source = sources.iter().find(|source| source.path == **path);
        source.is_none_or(|source| rules::long_file(source, FILE_LINES).is_empty())
    };
    report(
        LONG_FILES
            .iter()
            .filter(now_short)
            .map(|path| format!("{path} can leave LONG_FILES")),
    );
}

#[test]
fn functions_are_short() {
    let sources = tree::sources();
    report(
        sources
            .iter()
            .flat_map(|source| rules::long_functions(source, FUNCTION_LINES)),
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    report(tree::sources().iter().flat_map(rules::no_module_doc));
}

#[test]
fn every_room_states_its_invariants() {
    let sources = tree::sources();
    let fronts = sources
        .iter()
        .filter(|source| rules::is_room_front(&source.path));
    report(fronts.flat_map(rules::no_invariants));
}

#[test]
fn names_say_what_is_inside() {
    report(
        tree::files()
            .iter()
            .flat_map(|path| rules::vague_name(path, VAGUE)),
    );
}

#[test]
fn nothing_is_left_unfinished() {
    let sources = tree::sources();
    let checked = sources
        .iter()
        .filter(|source| source.path != "tests/tidy/rules.rs");
    report(checked.flat_map(|source| rules::unfinished(source, UNFINISHED)));
}

#[test]
fn confined_words_stay_where_they_belong() {
    let sources = tree::sources();
    report(sources.iter().flat_map(|source| {
        CONFINED
            .iter()
            .flat_map(|rule| rules::confined(source, rule))
            .collect::<Vec<_>>()
    }));
}

#[test]
fn strong_orderings_name_their_partner() {
    report(tree::sources().iter().flat_map(rules::silent_orderings));
}

#[test]
fn the_top_level_holds_nothing_else() {
    report(rules::unlisted(
        tree::top_level().iter(),
        TOP_LEVEL,
        "has no place at the top",
    ));
}

#[test]
fn every_room_is_described() {
    let rooms = rules::rooms(&tree::files(), NOT_ROOMS);
    let described = rules::described_rooms(&tree::read("docs/ARCHITECTURE.md"));
    report(rules::differences(
        ("src/", &rooms),
        ("docs/ARCHITECTURE.md", &described),
    ));
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let complaints = tree::files().into_iter().map(|path| {
        let text = tree::read(&path);
        rules::machine_names(&path, &text, MACHINE)
    });
    report(complaints.flatten());
}

#[test]
fn the_lock_takes_from_one_registry() {
    report(rules::foreign_packages(
        &tree::read("Cargo.lock"),
        LOCK_SOURCE,
    ));
}

#[test]
fn the_readme_and_ci_run_the_same_tests() {
    let readme = rules::test_commands(&tree::read("README.md"));
    let script = rules::test_commands(&tree::read(".ci/run"));
    assert_eq!(
        readme.len(),
        1,
        "README.md gives one test command, not {readme:?}"
    );
    assert_eq!(
        readme, script,
        "README.md and .ci/run differ in the test command"
    );
}
