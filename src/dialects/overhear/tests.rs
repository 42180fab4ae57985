//! Answers of every dialect, whole, in pieces and broken off.

use super::super::seen::Service;
use super::*;

const SSE: &str = "text/event-stream; charset=utf-8";
const JSON: &str = "application/json";
const NONE: Usage = Usage {
    input: None,
    cached: None,
    cache_write: None,
    cache_write_1h: None,
    audio_input: None,
    image_input: None,
    output: None,
    reasoning: None,
    audio_output: None,
    image_output: None,
    images: None,
    millis: None,
    characters: None,
    queries: None,
    service: None,
};

/// Hears an answer in pieces of so many bytes.
fn hear(path: &str, kind: &str, answer: &[u8], piece: usize) -> Overhearer {
    let mut ear = Overhearer::new(path, kind).unwrap_or_else(|| panic!("{path} as {kind}"));
    for piece in answer.chunks(piece) {
        ear.hear(&Bytes::copy_from_slice(piece));
    }
    ear
}

const CHAT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"w\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: {\"choices\":[],\"service_tier\":\"flex\",\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"prompt_tokens_details\":{\"cached_tokens\":2}}}\n\ndata: [DONE]\n\n";
const MESSAGES: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":4,\"output_tokens\":1}}}\n\n\
    event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const GENERATE: &str = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"w\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":2}}\r\n\r\n";
const RESPONSES: &str = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"usage\":{\"input_tokens\":9,\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":3}}}}\n\n";
const COHERE: &str = "data: {\"type\":\"content-delta\",\"delta\":{\"message\":{\"content\":{\"text\":\"w\"}}}}\n\n\
    data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":8,\"output_tokens\":2}}}}\n\n";
const PICTURE: &str = "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"AA==\",\"usage\":{\"input_tokens\":4,\"output_tokens\":9}}\n\n";

fn of(input: u32, output: u32) -> Usage {
    Usage {
        input: Some(input),
        output: Some(output),
        ..NONE
    }
}

#[test]
fn streams_are_heard_wherever_they_are_cut() {
    let cases = [
        (
            "/v1/chat/completions",
            CHAT,
            Usage {
                cached: Some(2),
                service: Some(Service::Flex),
                ..of(3, 1)
            },
        ),
        (
            "/v1/messages",
            MESSAGES,
            Usage {
                cache_write: Some(4),
                ..of(7, 5)
            },
        ),
        (
            "/v1beta/models/g:streamGenerateContent?alt=sse",
            GENERATE,
            of(4, 2),
        ),
        (
            "/openai/responses",
            RESPONSES,
            Usage {
                reasoning: Some(3),
                ..of(9, 5)
            },
        ),
        (
            "/v2/chat",
            COHERE,
            Usage {
                cached: Some(0),
                ..of(8, 2)
            },
        ),
        (
            "/v1/images/generations",
            PICTURE,
            Usage {
                images: Some(1),
                image_output: Some(9),
                ..of(4, 9)
            },
        ),
    ];
    for (path, stream, expected) in cases {
        for piece in [1, 7, 64, stream.len()] {
            let mut ear = hear(path, SSE, stream.as_bytes(), piece);
            ear.end();
            assert_eq!(ear.usage(), expected, "{path} by {piece}");
            assert!(ear.is_complete() && !ear.is_lost(), "{path} by {piece}");
        }
        // The last event lacks its blank line.
        let mut ear = hear(path, SSE, stream.trim_end().as_bytes(), 5);
        ear.end();
        assert_eq!(ear.usage(), expected, "{path}");
    }
}

#[test]
fn a_stream_that_breaks_off_tells_what_it_told() {
    let start = MESSAGES.find("event: message_delta").unwrap();
    let ear = hear("/v1/messages", SSE, &MESSAGES.as_bytes()[..start], 9);
    assert!(!ear.is_complete() && !ear.is_lost());
    assert_eq!(ear.usage().input, Some(7));
    let word = CHAT.find("data: {\"choices\":[{\"delta\":{},").unwrap();
    let ear = hear("/v1/chat/completions", SSE, &CHAT.as_bytes()[..word], 9);
    assert_eq!((ear.usage(), ear.output_tokens()), (NONE, 1));
    assert!(!ear.is_complete());
}

/// A frame of Amazon's stream.
fn frame(name: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (key, value) in [(":message-type", "event"), (":event-type", name)] {
        headers.push(u8::try_from(key.len()).unwrap());
        headers.extend_from_slice(key.as_bytes());
        headers.extend_from_slice(&[7, 0, u8::try_from(value.len()).unwrap()]);
        headers.extend_from_slice(value.as_bytes());
    }
    let size = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
    let total = 16 + headers.len() + payload.len();
    let mut out = [size(total), size(headers.len())].concat();
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

#[test]
fn amazons_frames_are_heard() {
    let stream = [
        frame("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"w"}}"#),
        frame("messageStop", r#"{"stopReason":"end_turn"}"#),
        frame(
            "metadata",
            r#"{"usage":{"inputTokens":1,"outputTokens":2,"cacheReadInputTokens":5,"cacheWriteInputTokens":3},"serviceTier":{"type":"priority"}}"#,
        ),
    ]
    .concat();
    let (path, kind) = (
        "/model/m/converse-stream",
        "application/vnd.amazon.eventstream",
    );
    let mut ear = hear(path, kind, &stream, 11);
    ear.end();
    let expected = Usage {
        cached: Some(5),
        cache_write: Some(3),
        service: Some(Service::Priority),
        ..of(9, 2)
    };
    assert_eq!(ear.usage(), expected);
    assert!(ear.is_complete());
    let mut cut = hear(path, kind, &stream[..stream.len() - 3], 11);
    cut.end();
    assert!(cut.is_lost() && !cut.is_complete());
    let mut broken = hear(path, kind, &[b'x'; 64], 64);
    broken.end();
    assert!(broken.is_lost());
}

/// Hears each of these whole answers, in pieces of several sizes.
fn hear_all(cases: &[(&str, &str, Usage)]) {
    for &(path, answer, expected) in cases {
        for piece in [1, 10, answer.len()] {
            let mut ear = hear(path, JSON, answer.as_bytes(), piece);
            assert!(!ear.is_complete(), "{path}");
            ear.end();
            assert_eq!(ear.usage(), expected, "{path} by {piece}");
            assert!(ear.is_complete() && !ear.is_lost(), "{path} by {piece}");
        }
    }
}

#[test]
fn whole_answers_in_words_are_heard_at_their_end() {
    hear_all(&[
        (
            "/v1/chat/completions",
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#,
            of(3, 1),
        ),
        (
            "/v1/embeddings",
            r#"{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#,
            Usage {
                input: Some(3),
                ..NONE
            },
        ),
        (
            "/model/us.anthropic.claude-x/invoke",
            r#"{"type":"message","usage":{"input_tokens":3,"output_tokens":1}}"#,
            of(3, 1),
        ),
        (
            "/v1beta/models/g:generateContent",
            r#"{"candidates":[],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2}}"#,
            of(4, 2),
        ),
        (
            "/v1beta/models/g:streamGenerateContent",
            r#"[{"candidates":[],"usageMetadata":{"promptTokenCount":4}},{"candidates":[]},{"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2}}]"#,
            of(4, 2),
        ),
        (
            "/v1/responses",
            r#"{"id":"r","status":"completed","usage":{"input_tokens":9,"output_tokens":5}}"#,
            of(9, 5),
        ),
        (
            "/model/m/converse",
            r#"{"usage":{"inputTokens":1,"outputTokens":2},"stopReason":"new","serviceTier":{"type":"flex"}}"#,
            Usage {
                cached: Some(0),
                service: Some(Service::Flex),
                ..of(1, 2)
            },
        ),
    ]);
}

#[test]
fn other_whole_answers_are_heard_at_their_end() {
    hear_all(&[
        (
            "/v2/chat",
            r#"{"usage":{"billed_units":{"input_tokens":8,"output_tokens":2}}}"#,
            Usage {
                cached: Some(0),
                ..of(8, 2)
            },
        ),
        (
            "/v2/rerank",
            r#"{"results":[],"meta":{"billed_units":{"search_units":1}}}"#,
            Usage {
                queries: Some(1),
                ..NONE
            },
        ),
        (
            "/v1/images/generations",
            r#"{"data":[{"url":"https://x"}]}"#,
            Usage {
                images: Some(1),
                ..NONE
            },
        ),
    ]);
}

#[test]
fn what_cannot_be_heard_is_told() {
    for (path, kind) in [
        ("/v1/models", JSON),
        ("/v1/files/f/content", "application/octet-stream"),
        ("/v1/messages/count_tokens", JSON),
        ("/v1/audio/speech", "audio/mpeg"),
        ("/v1/audio/transcriptions", "text/plain"),
        ("/v1/embeddings", SSE),
        ("/v1/chat/completions", ""),
    ] {
        assert!(Overhearer::new(path, kind).is_none(), "{path} as {kind}");
    }
    for answer in ["", "<html>", "[]", r#"{"usage":"#, "\u{1f}\u{8b}"] {
        let mut ear = hear("/v1/chat/completions", JSON, answer.as_bytes(), 3);
        ear.end();
        assert!(ear.is_lost() && !ear.is_complete(), "{answer}");
        assert_eq!(ear.usage(), NONE);
    }
    let error = br#"{"error":{"message":"no"}}"#;
    let mut ear = hear("/v1/chat/completions", JSON, error, 99);
    ear.end();
    assert!(!ear.is_complete() && !ear.is_lost());
}

#[test]
fn no_more_is_kept_than_the_bound() {
    let piece = Bytes::from(vec![b' '; 1 << 20]);
    let mut ear = Overhearer::new("/v1/images/generations", JSON).unwrap();
    for _ in 0..MOST_KEPT >> 20 {
        ear.hear(&piece);
        assert!(!ear.is_lost());
    }
    ear.hear(&Bytes::from_static(b"{"));
    assert!(ear.is_lost());
    ear.hear(&piece);
    ear.end();
    assert!(matches!(ear.ear, Ear::Deaf) && !ear.is_complete());
}

#[test]
fn one_piece_is_not_copied() {
    let answer = Bytes::from_static(br#"{"usage":{"prompt_tokens":3,"completion_tokens":1}}"#);
    let mut ear = Overhearer::new("/v1/chat/completions", JSON).unwrap();
    ear.hear(&answer);
    assert!(matches!(&ear.ear, Ear::Json(_, text) if text.whole().as_ptr() == answer.as_ptr()));
}

#[test]
fn requests_tell_endpoint_and_model() {
    let json = br#"{"model":"m\u0031","stream_options":7}"#;
    let form = b"--XX\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nbytes\r\n--XX--\r\n";
    type Case = (
        &'static str,
        &'static [u8],
        Option<(Endpoint, &'static str)>,
    );
    let cases: [Case; 9] = [
        ("/v1/chat/completions", json, Some((Endpoint::Chat, "m1"))),
        ("/v1/messages", json, Some((Endpoint::Messages, "m1"))),
        (
            "/v1/audio/transcriptions",
            form,
            Some((Endpoint::Transcriptions, "whisper-1")),
        ),
        (
            "/v1beta/models/g%2Fh:generateContent",
            b"{}",
            Some((Endpoint::Generate, "g/h")),
        ),
        (
            "/openai/deployments/d/embeddings",
            json,
            Some((Endpoint::Embeddings, "d")),
        ),
        (
            "/v1/images/generations",
            b"{}",
            Some((Endpoint::ImageGenerations, "")),
        ),
        ("/v1/images/edits", b"--", Some((Endpoint::ImageEdits, ""))),
        ("/v1/chat/completions", b"{", Some((Endpoint::Chat, ""))),
        ("/v1/files", json, None),
    ];
    for (path, body, expected) in cases {
        let found = asked(path, body);
        let found = found
            .as_ref()
            .map(|(endpoint, model)| (*endpoint, &**model));
        assert_eq!(found, expected, "{path}");
    }
}
