//! Does a stream say what the whole answer says, wherever it is cut?

use bytes::Bytes;
use trimtab::chat::{Answer, Event, fold};
use trimtab::dialects::bedrock::frames::Frames;
use trimtab::dialects::convert;
use trimtab::stream::sse::{self, Splitter};

use crate::case::{Case, format, frame};

/// What a client is told of a provider's stream that comes in these pieces.
pub(crate) fn told(case: &Case, client: &str, provider: &str, pieces: &[Bytes]) -> String {
    let formats = (format(provider), format(client));
    let mut bridge = convert::bridge(formats, &frame(), "req_1", case.ask(client).as_bytes());
    let mut out = Vec::new();
    let mut broken = false;
    for piece in pieces {
        let passed = bridge.pass(piece.clone()).unwrap();
        assert!(
            !broken || passed.bytes.is_empty(),
            "an error is the last that is told"
        );
        out.extend_from_slice(&passed.bytes);
        broken |= passed.error.is_some();
        if broken {
            break;
        }
    }
    if !broken {
        out.extend_from_slice(&bridge.rest().unwrap().bytes);
        assert!(bridge.progress.finished, "{}: {provider}", case.name);
        out.extend_from_slice(&bridge.close());
    }
    assert_eq!(bridge.progress.bad_events, 0, "{}: {provider}", case.name);
    String::from_utf8(out).unwrap()
}

/// What a provider's stream says.
pub(crate) fn events(provider: &str, stream: &Bytes) -> Vec<Event> {
    let (_, mut reader) = convert::source(format(provider));
    let mut events = Vec::new();
    if provider == "converse" {
        for frame in Frames::default().push(stream.clone()).unwrap() {
            let name = Some(frame.event.as_bytes());
            reader.read(name, &frame.payload, &mut events).unwrap();
        }
        return events;
    }
    let run = Splitter::default().push(stream.clone()).unwrap();
    for event in sse::events(&run) {
        let data = event.data.unwrap();
        reader.read(event.name(), data, &mut events).unwrap();
    }
    events
}

#[test]
fn a_stream_adds_up_to_the_whole_answer() {
    for case in Case::all() {
        for (provider, stream) in &case.streams {
            let Some(whole) = case.answers.get(provider) else {
                continue;
            };
            let whole = convert::read_answer(format(provider), whole.as_bytes()).unwrap();
            let folded = fold(&events(provider, stream));
            let comparable = |answer: Answer| Answer {
                created: 0,
                service_tier: None,
                ..answer
            };
            let at = format!("{}: {provider}", case.name);
            assert_eq!(comparable(folded), comparable(whole), "{at}");
        }
    }
}

#[test]
fn a_stream_may_be_cut_anywhere() {
    for case in Case::all() {
        for (provider, stream) in &case.streams {
            for client in case.clients() {
                let at_once = told(&case, client, provider, std::slice::from_ref(stream));
                let bytes: Vec<_> = (0..stream.len()).map(|at| stream.slice(at..=at)).collect();
                let by_bytes = told(&case, client, provider, &bytes);
                assert_eq!(by_bytes, at_once, "{}: {provider} to {client}", case.name);
            }
        }
    }
    let case = Case::named("tools");
    for (provider, stream) in &case.streams {
        let at_once = told(&case, "messages", provider, std::slice::from_ref(stream));
        for at in 0..stream.len() {
            let halves = [stream.slice(..at), stream.slice(at..)];
            let told = told(&case, "messages", provider, &halves);
            assert_eq!(told, at_once, "{provider} cut at {at}");
        }
    }
}
