//! The scenarios that the program carries: `sim/scenarios/`, one file each.
//!
//! # Invariants
//! - Every file of the folder is in the list, and every one passes its check; a test says so.

use super::Scenario;
use super::check::{Mistakes, read};

/// A scenario as it is carried.
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Lists the files of the pack.
macro_rules! packed {
    ($($name:literal),* $(,)?) => {
        &[$(Packed { name: $name, text: include_str!(concat!("../../scenarios/", $name, ".toml")) }),*]
    };
}

/// Every scenario of the pack, in the order in which it is run and shown.
#[must_use]
pub const fn pack() -> &'static [Packed] {
    PACK
}

const PACK: &[Packed] = packed![
    "s01-healthy",
    "s01b-false-alarms",
    "s02-brown-out",
    "s02b-brown-out-of-three",
    "s03-creep",
    "s03b-twice-as-slow",
    "s04-regional-outage",
    "s05-ceilings-headers",
    "s05-ceilings-rpm",
    "s05-ceilings-silent",
    "s05-ceilings-slices",
    "s05b-ceilings-headers",
    "s05b-ceilings-rpm",
    "s05b-ceilings-silent",
    "s05b-ceilings-slices",
    "s05c-ceilings-headers",
    "s05c-ceilings-rpm",
    "s05c-ceilings-silent",
    "s05c-ceilings-slices",
    "s06-flapping",
    "s07-quiet",
    "s07b-very-quiet",
    "s08-five-percent",
    "s08b-ten-percent",
    "s10-dead",
    "s11-black-hole",
    "s12-step-forty",
    "s12b-step-twenty",
    "s13-cold-start",
    "s13b-key-added",
    "s13c-limit-halved",
    "s13d-limit-doubled",
    "s14-retry-storm",
    "s15-mixed-classes",
    "s16-replicas",
    "s17-cuts",
    "s18-stale",
    "s19-incident",
];

impl Packed {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it; a test keeps the pack free of mistakes.
    pub fn read(&self) -> Result<Scenario, Mistakes> {
        read(self.name, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_folder_is_packed_and_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let files = std::fs::read_dir(folder).unwrap();
        let names: Vec<String> = files
            .map(|it| it.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|it| it.ends_with(".toml"))
            .collect();
        assert_eq!(names.len(), PACK.len(), "{names:?}");
        for packed in PACK {
            let scenario = packed
                .read()
                .unwrap_or_else(|mistakes| panic!("{mistakes}"));
            assert!(scenario.question.ends_with('?'), "{}", packed.name);
            assert!(
                !scenario.bars.is_empty() || packed.name.starts_with('x'),
                "{}",
                packed.name
            );
        }
    }
}
