//! Each format by a few lines of its own.

use scoring::{Class, Outcome};

use super::*;
use crate::trace::Seen;

#[test]
fn azure() {
    let read = from_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n\
         2023-11-16 18:15:46.6805900,374,44\n\
         2023-11-16 18:15:50.9951690,396,109\n",
        Format::Azure,
    );
    assert_eq!(times(&read), [0, 4_314]);
    assert_eq!(read.trace.requests[1].at.as_micros(), 4_314_579);
    assert_eq!(lengths(&read), [(374, 44), (396, 109)]);
    assert_eq!((read.lines, read.malformed_count), (2, 0));
    assert!(read.trace.seen.is_empty() && read.notes.is_empty());
    // As of 2024: offsets, and seconds without a fraction.
    let read = from_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n\
         2024-05-12 00:00:00.001163+00:00,2162,5\n\
         2024-05-12 00:00:01+00:00,2399,6\n",
        Format::Azure,
    );
    assert_eq!(times(&read), [0, 998]);
}

#[test]
fn azure_multimodal() {
    let read = from_text(
        "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n\
         2024-10-15 00:00:00.000000,0,100,7\n\
         2024-10-15 00:00:00.500000,2,100,7\n\
         2024-10-15 00:00:00.600000,4294967295,100,7\n",
        Format::AzureMultimodal,
    );
    assert_eq!(lengths(&read), [(100, 7), (100 + 2 * 765, 7)]);
    assert_eq!(read.notes, [Note::Images(2)]);
    assert_eq!(read.malformed_count, 1);
}

#[test]
fn mooncake_spreads_its_batches() {
    let line = |ms: u32, input: u32, ids: &str| {
        format!(
            "{{\"timestamp\": {ms}, \"input_length\": {input}, \"output_length\": 9, \"hash_ids\": [{ids}]}}\n"
        )
    };
    let text = [
        line(0, 1, "0, 1"),
        line(0, 2, "0"),
        line(0, 3, ""),
        line(3_000, 4, "0, 1, 2"),
        line(9_000, 5, "7"),
        line(9_000, 6, "8"),
    ]
    .concat();
    let read = from_text(&text, Format::Mooncake);
    assert_eq!(times(&read), [0, 1_000, 2_000, 3_000, 9_000, 12_000]);
    let blocks: Vec<&[u64]> = read
        .trace
        .requests
        .iter()
        .map(|it| read.trace.blocks_of(it))
        .collect();
    assert_eq!(blocks[..4], [&[0, 1][..], &[0], &[], &[0, 1, 2]]);
    assert_eq!(read.notes, [Note::Spread(2)]);
}

#[test]
fn mooncake_out_of_order_is_sorted_before_it_is_spread() {
    let text = "{\"timestamp\":3000,\"input_length\":2,\"output_length\":1}\n\
                {\"timestamp\":0,\"input_length\":1,\"output_length\":1}\n\
                {\"timestamp\":3000,\"input_length\":3,\"output_length\":1}\n";
    let read = from_text(text, Format::Mooncake);
    assert_eq!(lengths(&read), [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(times(&read), [0, 3_000, 4_500]);
    assert_eq!(read.notes, [Note::OutOfOrder(1), Note::Spread(1)]);
}

#[test]
fn burstgpt() {
    let read = from_text(
        "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
         5.0,a,2.5,ChatGPT,472,18,490,Conversation log\n\
         45,,1,GPT-4,1087,0,1087,API log\n\
         118.5,b,,ChatGPT,417,276,693,Conversation log\n",
        Format::BurstGpt,
    );
    assert_eq!(times(&read), [0, 40_000, 113_500]);
    assert_eq!(lengths(&read), [(472, 18), (1_087, 1), (417, 276)]);
    assert_eq!(read.trace.routes, ["ChatGPT", "GPT-4"]);
    assert_eq!(read.trace.models, ["ChatGPT", "GPT-4"]);
    let seen = |route, status, outcome, total: Option<u64>| Seen {
        route: Some(route),
        status,
        outcome: Some(outcome),
        total: total.map(Span::from_millis),
        ..Seen::default()
    };
    let expected = [
        seen(0, 200, Outcome::Success, Some(2_500)),
        seen(1, 500, Outcome::ServerError, Some(1_000)),
        seen(0, 200, Outcome::Success, None),
    ];
    assert_eq!(read.trace.seen, expected);
    assert_eq!(read.notes, [Note::Failures(1)]);
    let earlier = from_text(
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
         5,ChatGPT,472,18,490,Conversation log\n",
        Format::BurstGpt,
    );
    assert_eq!(lengths(&earlier), [(472, 18)]);
}

#[test]
fn a_file_without_a_header_is_read_where_the_format_is_told() {
    let read = from_text("2023-11-16 18:15:46,374,44\n", Format::Azure);
    assert_eq!((lengths(&read), read.lines), (vec![(374, 44)], 1));
    for row in [
        "5,s,2,GPT-4,472,18,490,API log\n",
        "5,GPT-4,472,18,490,API log\n",
    ] {
        let read = from_text(row, Format::BurstGpt);
        assert_eq!(lengths(&read), [(472, 18)], "{row}");
        assert_eq!(read.trace.models, ["GPT-4"], "{row}");
    }
}

#[test]
fn an_access_log() {
    let text = r#"{"created":1700000000,"model":"m","usage":{"prompt_tokens":10,"completion_tokens":20},"status":200,"latency":1.5,"stream":true,"ttft_ms":250,"user":"u"}
{"timestamp":"2023-11-14T22:13:21Z","model":"m","status":429,"latency_ms":12,"provider":"p"}
{"timestamp":1700000002500,"request":{"model":"n","max_tokens":64},"response":{"usage":{"input_tokens":7,"output_tokens":3}},"duration":900}
{"ts":"1700000003","path":"/v1/embeddings","prompt_tokens":"55","status":"success","duration":"1.2s"}
{"ts":1700000004,"prompt_tokens":5,"completion_tokens":0,"status":200}
"#;
    let read = from_text(text, Format::AccessLog);
    assert_eq!(times(&read), [0, 1_000, 2_500, 3_000, 4_000]);
    assert_eq!(lengths(&read), [(10, 20), (1, 1), (7, 3), (55, 1), (5, 1)]);
    let classes: Vec<Class> = read.trace.requests.iter().map(|it| it.class).collect();
    assert_eq!(
        classes,
        [
            Class::ChatStream,
            Class::Chat,
            Class::Chat,
            Class::Embedding,
            Class::Chat
        ]
    );
    assert_eq!(read.trace.models, ["m", "n"]);
    assert_eq!(read.trace.routes, ["p"]);
    assert_eq!(read.trace.tenants, ["u"]);
    assert_eq!(read.trace.requests[2].max_tokens, Some(64));
    let seen = &read.trace.seen;
    let totals: Vec<_> = seen
        .iter()
        .map(|it| it.total.map(Span::as_micros))
        .collect();
    assert_eq!(
        totals,
        [
            Some(1_500_000),
            Some(12_000),
            Some(900_000),
            Some(1_200_000),
            None
        ]
    );
    assert_eq!(seen[0].ttft, Some(Span::from_millis(250)));
    assert_eq!(seen[1].outcome, Some(Outcome::RateLimited));
    assert_eq!((seen[1].route, seen[1].status), (Some(0), 429));
    assert_eq!((seen[2].outcome, seen[2].status), (None, 0));
    // The refused request lacks tokens with reason; the last one has none.
    assert_eq!(read.notes, [Note::NoTokens(1)]);
}

#[test]
fn a_recording() {
    let text = r#"{"t_us":1700000000000500,"class":"chat_stream","model":"m","tenant":null,"in":12,"out":34,"max_tokens":100,"stream":true,"deadline_ms":600000,"prefix":77,"route":"a","status":200,"ttft_us":250000,"total_us":900000,"p_select":0.25,"attempts":2,"outcome":"success","first":"b","first_us":40000,"first_outcome":"overloaded"}
{"t_us":1700000000000000,"class":"embedding","model":"e","tenant":"t","in":5,"out":0,"max_tokens":null,"stream":false,"deadline_ms":1000,"prefix":null,"route":null,"status":0,"ttft_us":null,"total_us":10,"p_select":null,"attempts":0,"outcome":null}
"#;
    let read = from_text(text, Format::Recording);
    let [embedding, chat] = read.trace.requests[..] else {
        panic!("{read:?}")
    };
    assert_eq!(
        (embedding.at, chat.at),
        (Span::ZERO, Span::from_micros(500))
    );
    assert_eq!(
        (embedding.class, chat.class),
        (Class::Embedding, Class::ChatStream)
    );
    assert_eq!((embedding.model, chat.model), (1, 0));
    assert_eq!(chat.max_tokens, Some(100));
    assert_eq!(chat.deadline, Some(Span::from_secs(600)));
    assert_eq!(read.trace.blocks_of(&chat), [77]);
    let expected = Seen {
        route: Some(0),
        status: 200,
        outcome: Some(Outcome::Success),
        ttft: Some(Span::from_millis(250)),
        total: Some(Span::from_millis(900)),
        p_select: Some(0.25),
        attempts: 2,
        first: Some(1),
        first_took: Some(Span::from_millis(40)),
        first_outcome: Some(Outcome::Overloaded),
    };
    assert_eq!(read.trace.seen[1], expected);
    assert_eq!(read.notes, [Note::OutOfOrder(1), Note::NoTokens(1)]);
}

#[test]
fn what_is_written_reads_back_the_same() {
    let seen = Outcome::ALL.map(|outcome| Seen {
        route: Some(outcome.index() as u16 % 2),
        status: 200 + outcome.index() as u16,
        outcome: Some(outcome),
        ttft: Some(Span::from_micros(outcome.index() as u64)),
        total: None,
        p_select: Some(1.0 / 3.0),
        attempts: outcome.index() as u32,
        first: (outcome.index() > 3).then_some(outcome.index() as u16 / 2 % 2),
        first_took: Some(Span::from_micros(3)),
        first_outcome: (outcome != Outcome::Success).then_some(outcome),
    });
    let requests = (0..Outcome::COUNT as u16).map(|index| crate::trace::Request {
        class: Class::ALL[usize::from(index) % Class::COUNT],
        max_tokens: (index % 2 == 0).then_some(7),
        deadline: (index % 3 == 0).then_some(Span::from_secs(9)),
        block: u32::from(index),
        blocks: 1,
        model: index % 2,
        ..crate::trace::Request::chat(Span::from_micros(u64::from(index) * 3), 5, 6)
    });
    let trace = Trace {
        requests: requests.collect(),
        blocks: (1 << 60..).take(Outcome::COUNT).collect(),
        sessions: true,
        seen: seen.to_vec(),
        routes: vec!["a\"\n".to_owned(), "b".to_owned()],
        models: vec!["m".to_owned(), "n".to_owned()],
        tenants: vec!["t".to_owned()],
    };
    let mut text = Vec::new();
    write(&mut text, &trace).unwrap();
    let read = from_source("file", &text[..], Format::Recording).unwrap();
    assert_eq!(read.trace, trace);
    assert_eq!(Format::sniff(&text), Some(Format::Recording));
}

/// Two clients in a folder: one steady and one in windows, of which one is silent.
#[test]
fn servegen() {
    let folder = std::env::temp_dir().join(format!("sim-servegen-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    put(
        "chunk-2-trace.csv",
        "0,10,1,Gamma,1.0,0.1\n600,0,0,,0,0\n1200,20,3,Weibull,0.4,0.015\n",
    );
    put(
        "chunk-2-dataset.json",
        r#"{"0": {"input_tokens": "{100: 0.5, 300: 0.5}", "output_tokens": "{7: 1.0}"}}"#,
    );
    put(
        "chunk-10-trace.csv",
        "0,1,1,Gamma,1,1\n600,1,1,Gamma,1,1\nx,1,1,Gamma,1,1\n1200,1,1,Pareto,1,1\n",
    );
    put("chunk-10-dataset.json", "{}");
    put("README.md", "no client");
    let whole = read(&folder, None).unwrap();
    let part = Part {
        from: Span::from_secs(1_200),
        until: Some(Span::from_secs(1_500)),
        seed: 0,
    };
    let late = read_part(&folder, None, &part).unwrap();
    let alone = read(&folder.join("chunk-2-trace.csv"), None).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(whole.format, Format::ServeGen);
    assert_eq!(whole.trace.tenants, ["chunk-2"]);
    // 6 000 in the first window and 12 000 in the last, of cv 1 and 3.1.
    let count = |from: u64, until: u64| {
        let within = |at: u64| (from * 1_000..until * 1_000).contains(&at);
        times(&whole).into_iter().filter(|&at| within(at)).count() as f64
    };
    assert!((count(0, 600) - 6_000.0).abs() < 320.0, "{}", count(0, 600));
    assert!(count(600, 1_199) < 1.0);
    assert!(
        (count(1_199, 1_800) - 12_000.0).abs() < 1_400.0,
        "{}",
        count(1_199, 1_800)
    );
    let mean = whole
        .trace
        .requests
        .iter()
        .map(|it| f64::from(it.input))
        .sum::<f64>()
        / whole.trace.requests.len() as f64;
    assert!((mean - 200.0).abs() < 4.0, "{mean}");
    assert!(whole.trace.requests.iter().all(|it| it.output == 7));
    // The second client: a line without a time, one with a pattern that is none, and no lengths.
    let reasons = places(&whole);
    assert_eq!((whole.malformed_count, whole.lines), (3, 8), "{reasons:?}");
    assert_eq!((reasons[0].0, reasons[0].1), (3, 1));
    assert_eq!((reasons[1].0, reasons[1].1), (4, 10));
    assert!(reasons[2].2.contains("no lengths"), "{reasons:?}");
    assert_eq!(whole.notes, [Note::Drawn(0)]);
    // A part is the same draws, cut.
    let expected = count(1_199, 1_500);
    assert!(
        (late.trace.requests.len() as f64 - expected).abs() < 40.0,
        "{}",
        late.trace.requests.len()
    );
    assert_eq!(alone.trace.requests, whole.trace.requests);
}

#[test]
fn a_servegen_of_billions_is_refused_before_it_is_drawn() {
    let windows: String = (0..200)
        .map(|it| format!("{},1000,1,Gamma,1,1\n", it * 600))
        .collect();
    let dataset = br#"{"0": {"input_tokens": [0, 1], "output_tokens": [0, 1]}}"#;
    let mut gather = Gather::new("file");
    let mut read =
        |part: &Part| servegen::read_client((windows.as_bytes(), dataset), &mut gather, part);
    assert!(matches!(
        read(&Part::default()),
        Err(TraceError::TooMany { .. })
    ));
    let part = Part {
        until: Some(Span::from_secs(1)),
        ..Part::default()
    };
    assert!(read(&part).is_ok());
}
