//! In which format is a file?
//!
//! Told from its first lines: the names in a CSV's header, or the keys of a JSON object.
//!
//! # Invariants
//! - Sniffing looks at no more than it is given and never fails: what it does not know is `None`.

use std::path::Path;

use clap::ValueEnum;
use serde_json::Value;

/// A format of recorded traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Format {
    /// Azure's LLM traces of 2023 and 2024, CSV.
    #[value(name = "azure")]
    Azure,
    /// Azure's multimodal trace of 2025, CSV.
    #[value(name = "azure-multimodal")]
    AzureMultimodal,
    /// Mooncake's traces, JSON lines.
    #[value(name = "mooncake")]
    Mooncake,
    /// BurstGPT's traces, CSV.
    #[value(name = "burstgpt")]
    BurstGpt,
    /// ServeGen's client windows: a folder, or one client's `chunk-N-trace.csv`.
    #[value(name = "servegen")]
    ServeGen,
    /// A proxy's access log in OpenAI's words, JSON lines.
    #[value(name = "access-log")]
    AccessLog,
    /// The gateway's own recording, JSON lines.
    #[value(name = "recording")]
    Recording,
}

/// Lines looked at before giving up: the first ones may be malformed.
const LINES_SNIFFED: usize = 20;

/// Keys of which an access log has at least one.
const ACCESS_KEYS: [&str; 6] = [
    "usage",
    "prompt_tokens",
    "input_tokens",
    "completion_tokens",
    "response",
    "model",
];

impl Format {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::AzureMultimodal => "azure-multimodal",
            Self::Mooncake => "mooncake",
            Self::BurstGpt => "burstgpt",
            Self::ServeGen => "servegen",
            Self::AccessLog => "access-log",
            Self::Recording => "recording",
        }
    }

    /// The format of a file that begins with `head`, which may end anywhere.
    #[must_use]
    pub fn sniff(head: &[u8]) -> Option<Self> {
        let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
        let lines = head.split(|&it| it == b'\n').map(<[u8]>::trim_ascii);
        let mut lines = lines.filter(|line| !line.is_empty()).take(LINES_SNIFFED);
        lines.find_map(|line| match line {
            [b'{', ..] => of_object(line),
            _ => of_row(&String::from_utf8_lossy(line)),
        })
    }

    /// The format that the path alone tells: a folder or file of ServeGen.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name().and_then(|it| it.to_str());
        let chunk = name.is_some_and(|it| it.starts_with("chunk-") && it.ends_with("-trace.csv"));
        (path.is_dir() || chunk).then_some(Self::ServeGen)
    }
}

fn of_object(line: &[u8]) -> Option<Format> {
    let Ok(Value::Object(keys)) = serde_json::from_slice(line) else {
        return None;
    };
    let has = |key: &str| keys.contains_key(key);
    if has("t_us") {
        Some(Format::Recording)
    } else if has("input_length") && has("output_length") {
        Some(Format::Mooncake)
    } else if ACCESS_KEYS.into_iter().any(has) {
        Some(Format::AccessLog)
    } else {
        None
    }
}

fn of_row(line: &str) -> Option<Format> {
    let line = line.to_ascii_lowercase();
    let fields: Vec<&str> = line
        .split(',')
        .map(|field| field.trim().trim_matches('"'))
        .collect();
    let has = |name: &str| fields.contains(&name);
    if has("contexttokens") && has("numimages") {
        Some(Format::AzureMultimodal)
    } else if has("contexttokens") {
        Some(Format::Azure)
    } else if has("request tokens") {
        Some(Format::BurstGpt)
    } else if fields.len() == 6 && ["gamma", "weibull"].contains(&fields[3]) {
        Some(Format::ServeGen)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_told_by_its_first_lines() {
        let cases: [(&[u8], Option<Format>); 14] = [
            (b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n", Some(Format::Azure)),
            (b"\xEF\xBB\xBFTIMESTAMP,ContextTokens", Some(Format::Azure)),
            (
                b"TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n",
                Some(Format::AzureMultimodal),
            ),
            (
                b"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n",
                Some(Format::BurstGpt),
            ),
            (
                b"{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 2, \"hash_ids\": []}\n",
                Some(Format::Mooncake),
            ),
            (b"{\"t_us\":1,\"class\":\"chat\"}\n", Some(Format::Recording)),
            (b"{\"created\":1,\"usage\":{}}\n", Some(Format::AccessLog)),
            (b"\n\n{broken\n{\"t_us\":1}\n", Some(Format::Recording)),
            (b"0,1.5,2.0,Gamma,0.25,2.7\n", Some(Format::ServeGen)),
            (b"0,0,0,,0,0\n600,1,1,Weibull,1,1\n", Some(Format::ServeGen)),
            (b"a,b,c\n", None),
            (b"{\"a\":1}", None),
            (b"\xFF\xFE\x00\x01", None),
            (b"", None),
        ];
        for (head, expected) in cases {
            let shown = String::from_utf8_lossy(head);
            assert_eq!(Format::sniff(head), expected, "{shown}");
        }
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for format in Format::value_variants() {
            let value = format.to_possible_value().unwrap();
            assert_eq!(value.get_name(), format.name());
        }
    }
}
