//! Files that are wrong in places, or altogether.

use proptest::prelude::*;

use super::*;

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

#[test]
fn malformed_lines_are_told_with_their_place_and_the_rest_is_kept() {
    let text = format!(
        "{HEADER}1,10,20\nyesterday,1,1\n2,-5,1\n3,NaN,1\n4,1,99999999999\n5,1\n\n6,1,1.5\n-7,1,1\n8,30,40\n9,1,1\n10,1,1\n11,1,1\n12,1,1\n13,1,1\n"
    );
    let read = from_text(&text, Format::Azure);
    assert_eq!(
        places(&read),
        [
            (3, 1, "`yesterday` is neither a date nor a number"),
            (4, 3, "`-5` is negative"),
            (5, 3, "`NaN` is not a number"),
            (6, 5, "`99999999999` is above 4294967295"),
            (7, 5, "field 3 is missing"),
            (9, 5, "`1.5` is no whole number"),
            (10, 1, "`-7` is negative"),
        ]
    );
    assert_eq!((read.lines, read.malformed_count), (14, 7));
    assert_eq!(read.trace.requests.len(), 7);
    assert_eq!(
        read.malformed[0].to_string(),
        "file:3:1: `yesterday` is neither a date nor a number"
    );
}

#[test]
fn malformed_json_is_told_with_its_place() {
    let good = "{\"timestamp\":1,\"input_length\":1,\"output_length\":1}\n";
    let text = format!(
        "{good}{good}{good}{{\"timestamp\":1,\n{{\"timestamp\":-1,\"input_length\":1,\"output_length\":1}}\n{{\"timestamp\":1,\"input_length\":4294967296,\"output_length\":1}}\n"
    );
    let read = from_text(&text, Format::Mooncake);
    let places = places(&read);
    assert_eq!((places[0].0, places[1].0, places[2].0), (4, 5, 6));
    assert_eq!(places[1], (5, 2, "`timestamp` is negative"));
    assert!(
        places[2].1 > 25 && places[2].2.contains("expected u32"),
        "{places:?}"
    );
}

#[test]
fn only_twenty_malformed_lines_are_kept() {
    let text = format!("{HEADER}{}{}", "1,1,1\n".repeat(50), "x,1,1\n".repeat(50));
    let read = from_text(&text, Format::Azure);
    assert_eq!((read.malformed.len(), read.malformed_count), (20, 50));
}

#[test]
fn more_than_half_malformed_is_refused_with_the_first_quoted() {
    let text = format!("{HEADER}1,1,1\nx,1,1\n2,y,1\n");
    let error = from_source("a.csv", text.as_bytes(), Format::Azure).unwrap_err();
    let words = error.to_string();
    assert!(words.contains("2 of 3 lines are malformed"), "{words}");
    assert!(words.contains("a.csv:3:1: `x`"), "{words}");
    assert!(words.contains("a.csv:4:3: `y`"), "{words}");
}

#[test]
fn a_file_of_nothing_is_refused() {
    for (text, format) in [
        ("", Format::Azure),
        (HEADER, Format::Azure),
        ("\n\n\r\n", Format::Mooncake),
        ("", Format::BurstGpt),
        ("", Format::ServeGen),
    ] {
        let error = from_source("f", text.as_bytes(), format).unwrap_err();
        assert!(
            matches!(error, TraceError::Empty { .. }),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn a_missing_column_is_named() {
    let text = "TIMESTAMP,ContextTokens\n1,2\n";
    let error = from_source("f", text.as_bytes(), Format::Azure).unwrap_err();
    assert!(error.to_string().contains("`GeneratedTokens`"), "{error}");
}

#[test]
fn line_ends_marks_blanks_and_quotes_change_nothing() {
    let plain = from_text(&format!("{HEADER}1,2,3\n4,5,6\n"), Format::Azure);
    for text in [
        "\u{FEFF}TIMESTAMP,ContextTokens,GeneratedTokens\r\n1,2,3\r\n4,5,6\r\n\r\n\r\n",
        "timestamp , contexttokens,\"GENERATEDTOKENS\"\n\"1\", 2 ,\"3\"\n\n  \n4,5,6",
        "GeneratedTokens,x,ContextTokens,TIMESTAMP\n3,,2,1\n6,,5,4\n",
    ] {
        assert_eq!(from_text(text, Format::Azure), plain, "{text:?}");
    }
}

#[test]
fn a_stray_quote_takes_no_other_line_with_it() {
    let read = from_text(&format!("{HEADER}1,2,3\n\"4,5,6\n7,8,9\n"), Format::Azure);
    assert_eq!(lengths(&read), [(2, 3), (8, 9)]);
    assert_eq!(places(&read)[0].0, 3);
}

#[test]
fn no_tokens_become_one_and_are_counted() {
    let read = from_text(&format!("{HEADER}1,0,3\n2,5,0\n3,1,1\n"), Format::Azure);
    assert_eq!(lengths(&read), [(1, 3), (5, 1), (1, 1)]);
    assert_eq!(read.notes, [Note::NoTokens(2)]);
}

#[test]
fn lines_out_of_order_are_sorted_stably_and_counted() {
    let read = from_text(
        &format!("{HEADER}5,1,1\n3,2,2\n5,3,3\n3,4,4\n9,5,5\n"),
        Format::Azure,
    );
    let inputs: Vec<u32> = read.trace.requests.iter().map(|it| it.input).collect();
    assert_eq!(inputs, [2, 4, 1, 3, 5]);
    assert_eq!(times(&read), [0, 0, 2_000, 2_000, 6_000]);
    assert_eq!(read.notes, [Note::OutOfOrder(2)]);
}

#[test]
fn bytes_that_are_no_text_are_malformed() {
    let bytes = [
        HEADER.as_bytes(),
        b"1,1,1\n2,\xFF\xFE,1\n3,1,1\n\0,\0,\0\n4,1,1\n",
    ]
    .concat();
    let read = from_source("f", &bytes[..], Format::Azure).unwrap();
    assert_eq!(read.trace.requests.len(), 3);
    assert_eq!(places(&read)[0], (3, 3, "is not UTF-8"));
    assert_eq!(places(&read)[1].0, 5);
}

#[test]
fn names_are_bounded_in_length_and_number() {
    let line = |name: &str| format!("{{\"t_us\":1,\"in\":1,\"out\":1,\"model\":\"{name}\"}}\n");
    let mut text: String = (0..65_536).map(|it| line(&it.to_string())).collect();
    text += &line("one too many");
    text += &line(&"x".repeat(257));
    let read = from_text(&text, Format::Recording);
    assert_eq!(read.trace.models.len(), 65_536);
    let lines: Vec<u64> = read.malformed.iter().map(|it| it.line).collect();
    assert_eq!(lines, [65_537, 65_538]);
}

#[test]
fn files_that_cannot_be_read_are_told_apart() {
    let folder = std::env::temp_dir().join(format!("sim-odd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let at = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).unwrap();
        read(&folder.join(name), None).unwrap_err().to_string()
    };
    let cases = [
        (at("zip", b"\x1F\x8B\x08\x00rest"), "compressed"),
        (at("text", b"what is this\n"), "no format"),
        (at("empty", b" \n"), "no request"),
        (
            read(&folder.join("none"), None).unwrap_err().to_string(),
            "none: ",
        ),
        (read(&folder, None).unwrap_err().to_string(), "no request"),
        (
            read(&folder, Some(Format::Azure)).unwrap_err().to_string(),
            ": ",
        ),
    ];
    std::fs::remove_dir_all(&folder).unwrap();
    for (message, words) in cases {
        assert!(message.contains(words), "{message} / {words}");
    }
}

/// Whatever is read holds what every trace must.
fn hold(read: &Read) {
    let trace = &read.trace;
    assert!(trace.requests.is_sorted_by_key(|it| it.at));
    assert_eq!(trace.requests[0].at, Span::ZERO);
    assert!(trace.seen.is_empty() || trace.seen.len() == trace.requests.len());
    assert!(read.malformed_count * 2 <= read.lines);
    for request in &trace.requests {
        assert!(request.input > 0 && request.output > 0);
        assert_eq!(trace.blocks_of(request).len(), usize::from(request.blocks));
    }
}

fn all_readers(bytes: &[u8]) {
    let formats = [
        Format::Azure,
        Format::AzureMultimodal,
        Format::Mooncake,
        Format::BurstGpt,
        Format::ServeGen,
        Format::AccessLog,
        Format::Recording,
    ];
    for format in formats.into_iter().chain(Format::sniff(bytes)) {
        if let Ok(read) = from_source("soup", bytes, format) {
            hold(&read);
            assert!(!format!("{read:?}").is_empty());
        }
    }
    // As ServeGen's histograms, and as its windows beside good ones.
    let good = br#"{"0": {"input_tokens": "{9: 1}", "output_tokens": "{9: 1}"}}"#;
    let part = Part {
        until: Some(Span::from_millis(5)),
        ..Part::default()
    };
    for (windows, dataset) in [(&b"0,9,1,Gamma,1,1\n"[..], bytes), (bytes, &good[..])] {
        let mut gather = Gather::new("soup");
        if servegen::read_client((windows, dataset), &mut gather, &part).is_ok()
            && let Ok(read) = gather.finish(Format::ServeGen)
        {
            assert!(!read.trace.requests.is_empty());
        }
    }
}

/// Words that the readers look for, and numbers at the edges.
fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        ",",
        ",",
        "\n",
        "\n",
        "\r\n",
        " ",
        "\\",
        "timestamp",
        "\"timestamp\":",
        "\"t_us\":",
        "\"in\":",
        "\"out\":",
        "\"input_length\":",
        "\"output_length\":",
        "\"hash_ids\":[",
        "\"usage\":{",
        "\"prompt_tokens\":",
        "\"completion_tokens\":",
        "\"latency\":",
        "\"status\":",
        "\"class\":\"chat\"",
        "\"outcome\":\"success\"",
        "\"p_select\":",
        "TIMESTAMP",
        "ContextTokens",
        "GeneratedTokens",
        "NumImages",
        "Request tokens",
        "Response tokens",
        "Model",
        "Gamma",
        "Weibull",
        "2023-11-16 18:15:46.6805900",
        "9999-12-31T23:59:60Z",
        "+00:00",
        "0",
        "1",
        "-1",
        "4294967295",
        "4294967296",
        "18446744073709551615",
        "1e308",
        "1e-320",
        "NaN",
        "inf",
        "-0.0",
        "0.5",
        "null",
        "true",
        "é",
        "\u{FEFF}",
        "\0",
    ])
}

/// Lines that are nearly right: each value of a good one may be any word.
fn nearly() -> impl Strategy<Value = String> {
    let line = prop::collection::vec(word(), 6).prop_map(|words| {
        let [a, b, c, d, e, f] = words[..] else {
            return String::new();
        };
        format!(
            "{{\"timestamp\":{a},\"input_length\":{b},\"output_length\":{c},\"t_us\":{a},\"in\":{b},\"out\":{c},\"usage\":{{\"prompt_tokens\":{b}}},\"status\":{d},\"latency\":{e},\"hash_ids\":[{f}]}}\n{a},{b},{c},{d},{e},{f}\n"
        )
    });
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        all_readers(&bytes);
    }

    #[test]
    fn no_words_make_a_reader_panic(words in prop::collection::vec(word(), 0..80)) {
        all_readers(words.concat().as_bytes());
    }

    #[test]
    fn no_near_miss_makes_a_reader_panic(text in nearly()) {
        all_readers(text.as_bytes());
    }
}
