//! Do requests that mean the same come out the same, whatever dialect they are in?

use serde_json::Value;

use super::super::Sameness;
use super::canonical;
use super::corpus::CARRIED;
use crate::dialects::format::Endpoint::{
    self, Chat, Generate, Messages, Responses, StreamGenerate,
};

/// Requests that ask for the same, each group for something else.
const GROUPS: &[&[(Endpoint, &str)]] = &[
    &[
        (
            Chat,
            r#"{"model":"a","messages":[{"role":"user","content":"Hi"}]}"#,
        ),
        (
            Chat,
            r#"{"model":"b","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"stream":true,"stream_options":{"include_usage":true},"user":"u","n":1,"logprobs":false,"stop":null,"tools":[],
            "prompt_cache_key":"k","prompt_cache_retention":"24h","service_tier":"flex","safety_identifier":"s","store":true,"metadata":{"trace":"1"},"response_format":{"type":"text"}}"#,
        ),
        (
            Chat,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}],"cache_control":{"type":"ephemeral","ttl":"1h"}}]}"#,
        ),
        (
            Messages,
            r#"{"model":"c","messages":[{"role":"user","content":"Hi"}],"stream":true,"metadata":{"user_id":"u"},"service_tier":"auto"}"#,
        ),
        (
            Messages,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral","ttl":"1h"}}]}],"cache_control":{"type":"ephemeral"}}"#,
        ),
        (Responses, r#"{"model":"d","input":"Hi","store":false}"#),
        (
            Responses,
            r#"{"input":[{"role":"user","content":"Hi"}],"metadata":{},"truncation":"disabled","include":[],"text":{"verbosity":"medium","format":{"type":"text"}}}"#,
        ),
        (
            Responses,
            r#"{"input":[{"type":"message","id":"msg_1","status":"completed","role":"user","content":[{"type":"input_text","text":"Hi"}]}]}"#,
        ),
        (
            Generate,
            r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#,
        ),
        (
            StreamGenerate,
            r#"{"contents":{"parts":{"text":"Hi"}},"safetySettings":[],"labels":{"a":"b"},"generationConfig":{"candidateCount":1,"responseMimeType":"text/plain"}}"#,
        ),
    ],
    &[
        (
            Chat,
            r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."},{"role":"user","content":"Go on."}],"max_tokens":100,"temperature":0.5,"top_p":0.9}"#,
        ),
        (
            Chat,
            r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello.","refusal":null,"annotations":[],"audio":null,"function_call":null,"tool_calls":null},{"role":"user","content":"Go on."}],"max_completion_tokens":100,"temperature":5e-1,"top_p":0.90}"#,
        ),
        (
            Messages,
            r#"{"system":"Be brief.","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"Hello."}]},{"role":"user","content":"Go on."}],"max_tokens":100,"temperature":0.5,"top_p":0.9}"#,
        ),
        (
            Responses,
            r#"{"instructions":"Be brief.","input":[{"role":"user","content":"Hi"},{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello.","annotations":[],"logprobs":[]}]},{"role":"user","content":"Go on."}],"max_output_tokens":100,"temperature":0.5,"top_p":0.9}"#,
        ),
        (
            Generate,
            r#"{"systemInstruction":{"role":"system","parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Hel"}]},{"role":"model","parts":[{"text":"lo."}]},{"role":"user","parts":[{"text":"Go on."}]}],"generationConfig":{"maxOutputTokens":100,"temperature":0.5,"topP":0.9}}"#,
        ),
    ],
    &[
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"Weather in Rome and Oslo?"},{"role":"assistant","content":"Let me see.","tool_calls":[
                {"id":"call_a","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Rome\", \"days\": 2}"}},{"id":"call_b","type":"function","function":{"name":"now","arguments":""}}]},
              {"role":"tool","tool_call_id":"call_a","content":"sunny"},{"role":"tool","tool_call_id":"call_b","content":"noon"},{"role":"user","content":"And?"}],
            "tools":[{"type":"function","function":{"name":"weather","description":"Tells it.","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":["integer","null"]}},"required":["city"]}}}],
            "tool_choice":"required"}"#,
        ),
        (
            Messages,
            r#"{"messages":[{"role":"user","content":"Weather in Rome and Oslo?"},{"role":"assistant","content":[{"type":"text","text":"Let me see."},
                {"type":"tool_use","id":"toolu_1","name":"weather","input":{"days":2,"city":"Rome"}},{"type":"tool_use","id":"toolu_2","name":"now","input":{}}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"},{"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"noon"}],"is_error":false},{"type":"text","text":"And?"}]}],
            "tools":[{"name":"weather","description":"Tells it.","input_schema":{"required":["city"],"type":"object","properties":{"city":{"type":"string"},"days":{"type":["integer","null"]}}},"cache_control":{"type":"ephemeral"}}],
            "tool_choice":{"type":"any"}}"#,
        ),
        (
            Responses,
            r#"{"input":[{"role":"user","content":"Weather in Rome and Oslo?"},{"role":"assistant","content":"Let me see."},
              {"type":"function_call","id":"fc_1","status":"completed","call_id":"c1","name":"weather","arguments":"{\"city\":\"Rome\",\"days\":2}"},{"type":"function_call","call_id":"c2","name":"now","arguments":"{}"},
              {"type":"function_call_output","call_id":"c1","output":"sunny"},{"type":"function_call_output","call_id":"c2","output":"noon"},{"role":"user","content":"And?"}],
            "tools":[{"type":"function","name":"weather","description":"Tells it.","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":["integer","null"]}},"required":["city"]}}],
            "tool_choice":"required"}"#,
        ),
        (
            Generate,
            r#"{"contents":[{"role":"user","parts":[{"text":"Weather in Rome and Oslo?"}]},{"role":"model","parts":[{"text":"Let me see."},{"functionCall":{"name":"weather","args":{"city":"Rome","days":2}}},{"functionCall":{"name":"now"}}]},
              {"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"result":"sunny"}}},{"functionResponse":{"name":"now","response":{"output":"noon"}}}]},{"role":"user","parts":[{"text":"And?"}]}],
            "tools":[{"functionDeclarations":[{"name":"weather","description":"Tells it.","parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"},"days":{"type":"INTEGER","nullable":true}},"required":["city"]}}]}],
            "toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}"#,
        ),
    ],
    &[
        (
            Chat,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}],"tool_choice":{"type":"function","function":{"name":"f"}},
            "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"parallel_tool_calls":false,"stop":"END"}"#,
        ),
        (
            Chat,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":"data:image/png;base64,iVBORw0KGgo="}]}],"tool_choice":{"type":"function","function":{"name":"f"}},
            "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"parallel_tool_calls":false,"stop":["END"]}"#,
        ),
        (
            Messages,
            r#"{"messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}],
            "tools":[{"type":"custom","name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},"stop_sequences":["END"]}"#,
        ),
    ],
    &[
        (
            Chat,
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}},{"type":"text","text":"x"}]}],"response_format":{"type":"json_object"}}"#,
        ),
        (
            Responses,
            r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="},{"type":"input_text","text":"x"}]}],"text":{"format":{"type":"json_object"}}}"#,
        ),
        (
            Generate,
            r#"{"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"iVBORw0KGgo="}},{"text":"x"}]}],"generation_config":{"response_mime_type":"application/json"}}"#,
        ),
    ],
    &[
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"},"strict":true}}}"#,
        ),
        (
            Messages,
            r#"{"messages":[{"role":"user","content":"x"}],"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}"#,
        ),
        (
            Messages,
            r#"{"messages":[{"role":"user","content":"x"}],"output_format":{"type":"json_schema","schema":{"type":"object"}}}"#,
        ),
        (
            Responses,
            r#"{"input":"x","text":{"format":{"type":"json_schema","name":"answer","schema":{"type":"object"},"strict":true}}}"#,
        ),
    ],
    &[
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"x"}],"reasoning_effort":"low","tool_choice":"auto"}"#,
        ),
        (
            Responses,
            r#"{"input":"x","reasoning":{"effort":"low"},"tool_choice":"auto"}"#,
        ),
        (
            Generate,
            r#"{"contents":{"parts":{"text":"x"}},"generationConfig":{"thinkingConfig":{"thinkingLevel":"low"}},"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}"#,
        ),
    ],
    &[
        (
            Messages,
            r#"{"messages":[{"role":"user","content":"x"}],"thinking":{"type":"enabled","budget_tokens":2048}}"#,
        ),
        (
            Generate,
            r#"{"contents":{"parts":{"text":"x"}},"generationConfig":{"thinkingConfig":{"thinkingBudget":2048,"includeThoughts":true}}}"#,
        ),
    ],
    &[
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","reasoning_content":"hm","content":"y"},{"role":"user","content":"z"}],"seed":5}"#,
        ),
        (
            Generate,
            r#"{"contents":[{"parts":{"text":"x"}},{"role":"model","parts":[{"text":"hm","thought":true},{"text":"y"}]},{"parts":{"text":"z"}}],"generationConfig":{"seed":5}}"#,
        ),
    ],
    // What SDKs send with a call's result: the turn as they gathered it from a stream, or got it whole.
    &[
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"q\":\"é\"}"}}]},
              {"role":"tool","tool_call_id":"c1","content":"clear"}],"max_completion_tokens":9}"#,
        ),
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"x"},{"content":"","refusal":null,"role":"assistant","annotations":null,"audio":null,"function_call":null,"parsed":null,
              "tool_calls":[{"id":"c1","function":{"arguments":"{\"q\": \"é\"}","name":"f","parsed_arguments":{"q":"é"}},"type":"function","index":0}]},
              {"role":"tool","tool_call_id":"c1","content":"clear"}],"max_completion_tokens":9,"stream":true}"#,
        ),
        (
            Messages,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"id":"c1","input":{"q":"é"},"name":"f","type":"tool_use"}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"clear"}]}],"max_tokens":9}"#,
        ),
        (
            Generate,
            r#"{"contents":[{"parts":[{"text":"x"}],"role":"user"},{"parts":[{"functionCall":{"id":"c1","name":"f","args":{"q":"é"}},"thoughtSignature":"c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="}],"role":"model"},
              {"parts":[{"functionResponse":{"id":"c1","name":"f","response":{"result":"clear"}}}],"role":"user"}],"generationConfig":{"maxOutputTokens":9}}"#,
        ),
        (
            StreamGenerate,
            r#"{"contents":[{"parts":[{"text":"x"}],"role":"user"},{"parts":[{"text":""},{"functionCall":{"id":"c1","name":"f","args":{"q":"é"}},"thoughtSignature":"skip_thought_signature_validator"}],"role":"model"},{"parts":[{"text":""}],"role":"model"},
              {"parts":[{"functionResponse":{"id":"c1","name":"f","response":{"result":"clear"}}}],"role":"user"}],"generationConfig":{"maxOutputTokens":9}}"#,
        ),
    ],
    // The same, signed by one of Google's models.
    &[
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f"},"extra_content":{"google":{"thought_signature":"c2ln"}}}]},
              {"role":"tool","tool_call_id":"c1","content":"clear"}]}"#,
        ),
        (
            Generate,
            r#"{"contents":[{"parts":[{"text":"x"}]},{"parts":[{"functionCall":{"name":"f"},"thoughtSignature":"c2ln"}],"role":"model"},
              {"parts":[{"functionResponse":{"name":"f","response":{"result":"clear"}}}]}]}"#,
        ),
    ],
    // Thoughts that Anthropic's models have signed or withheld.
    &[
        (
            Messages,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"thinking","thinking":"hé","signature":"c2ln"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}"#,
        ),
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","reasoning_content":"hé","content":"y","extra_content":{"trimtab":{"signature":"trimtab:anthropic::c2ln"}}},{"role":"user","content":"z"}]}"#,
        ),
        // As it is gathered from a stream.
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","reasoning_content":"hé","content":"y","extra_content":{"trimtab":{"signature":"3 signed trimtab:anthropic::c2ln\n"}}},{"role":"user","content":"z"}]}"#,
        ),
    ],
    &[
        (
            Messages,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"redacted_thinking","data":"c2ln"},{"type":"text","text":"y"}]},{"role":"user","content":"z"}]}"#,
        ),
        (
            Chat,
            r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y","extra_content":{"trimtab":{"signature":"0 redacted trimtab:anthropic::c2ln\n"}}},{"role":"user","content":"z"}]}"#,
        ),
    ],
];

#[test]
fn the_same_is_the_same_in_every_dialect() {
    let mut seen: Vec<(usize, Vec<u8>, Option<String>)> = Vec::new();
    for (number, group) in GROUPS.iter().enumerate() {
        for (endpoint, json) in *group {
            let read = canonical(*endpoint, json);
            assert_eq!(read.sameness, Sameness::Meaning, "{endpoint:?} {json}");
            for (other, frame, text) in &seen {
                let same = *frame == read.frame && *text == read.text;
                assert_eq!(same, *other == number, "{other}: {endpoint:?} {json}");
            }
            seen.push((number, read.frame, read.text));
        }
    }
}

/// Pairs that look alike and are not.
const ALIKE: &[(Endpoint, &str, &str)] = &[
    (
        Chat,
        r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#,
    ),
    (
        Chat,
        r#"{"messages":[{"role":"user","content":"a"}],"max_tokens":4096}"#,
        r#"{"messages":[{"role":"user","content":"a"}]}"#,
    ),
    (
        Chat,
        r#"{"messages":[{"role":"user","content":"a"}],"seed":0}"#,
        r#"{"messages":[{"role":"user","content":"a"}]}"#,
    ),
    (
        Chat,
        r#"{"messages":[{"role":"system","content":"a"},{"role":"user","content":"b"}]}"#,
        r#"{"messages":[{"role":"developer","content":"a"},{"role":"user","content":"b"}]}"#,
    ),
    (
        Chat,
        r#"{"messages":[{"role":"user","content":"b"},{"role":"assistant","content":""}]}"#,
        r#"{"messages":[{"role":"user","content":"b"}]}"#,
    ),
    // One of two fields that say the same would be forgotten.
    (
        Chat,
        r#"{"messages":[{"role":"user","content":"a"}],"max_tokens":1,"max_completion_tokens":2}"#,
        r#"{"messages":[{"role":"user","content":"a"}],"max_completion_tokens":2}"#,
    ),
    (
        Chat,
        r#"{"messages":[{"role":"user","content":"a"}],"thinking":"x"}"#,
        r#"{"messages":[{"role":"user","content":"a"}]}"#,
    ),
    (
        Chat,
        r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;x=1;base64,AA=="}}]}]}"#,
        r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]}"#,
    ),
    // Which call was answered counts, what it is called does not.
    (
        Chat,
        r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"x"}]}"#,
        r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"b","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"b","content":"x"}]}"#,
    ),
    (
        Messages,
        r#"{"messages":[{"role":"user","content":"a"}],"thinking":{"type":"adaptive"}}"#,
        r#"{"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled"}}"#,
    ),
    (
        Messages,
        r#"{"messages":[{"role":"user","content":"a"}],"output_config":{"effort":"low"}}"#,
        r#"{"messages":[{"role":"user","content":"a"}]}"#,
    ),
    (
        Generate,
        r#"{"contents":{"parts":{"text":"x"}},"generationConfig":{"topK":1}}"#,
        r#"{"contents":{"parts":{"text":"x"}},"generationConfig":{"topK":1.9}}"#,
    ),
    (
        Generate,
        r#"{"contents":{"parts":{"text":"x"}},"generationConfig":{"seed":9007199254740993}}"#,
        r#"{"contents":{"parts":{"text":"x"}},"generationConfig":{"seed":9007199254740992}}"#,
    ),
    (
        Generate,
        r#"{"contents":{"parts":{"text":"x"}},"generationConfig":{"maxOutputTokens":0}}"#,
        r#"{"contents":{"parts":{"text":"x"}}}"#,
    ),
    (
        Generate,
        r#"{"contents":{"parts":{"text":"x","thought":true,"functionCall":{"name":"f"}}}}"#,
        r#"{"contents":{"parts":{"text":"x","thought":true}}}"#,
    ),
    (
        Generate,
        r#"{"contents":{"parts":{"text":"x"}},"tools":{"functionDeclarations":{"name":"f","parameters":{"type":"OBJECT","propertyOrdering":["a"]}}}}"#,
        r#"{"contents":{"parts":{"text":"x"}},"tools":{"functionDeclarations":{"name":"f","parameters":{"type":"OBJECT"}}}}"#,
    ),
    (
        Generate,
        r#"{"contents":{"parts":{"text":"x"}},"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}}}"#,
        r#"{"contents":{"parts":{"text":"x"}},"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}"#,
    ),
    // Signatures that do not fit the thoughts are dropped where they are read.
    (
        Chat,
        r#"{"messages":[{"role":"assistant","reasoning_content":"h","content":"y","extra_content":{"trimtab":{"signature":"9 signed trimtab:anthropic::c2ln\n"}}}]}"#,
        r#"{"messages":[{"role":"assistant","reasoning_content":"h","content":"y"}]}"#,
    ),
    // A turn that says nothing is a turn, and so is a signature without words.
    (
        Generate,
        r#"{"contents":[{"parts":{"text":"x"}},{"role":"model","parts":{"text":""}},{"parts":{"text":"y"}}]}"#,
        r#"{"contents":[{"parts":{"text":"x"}},{"parts":{"text":"y"}}]}"#,
    ),
    (
        Generate,
        r#"{"contents":[{"parts":[{"text":"x"},{"text":""}]}]}"#,
        r#"{"contents":[{"parts":[{"text":"x"}]}]}"#,
    ),
    (
        Generate,
        r#"{"systemInstruction":{"parts":{"text":""}},"contents":{"parts":{"text":"x"}}}"#,
        r#"{"contents":{"parts":{"text":"x"}}}"#,
    ),
    (
        Generate,
        r#"{"contents":[{"role":"model","parts":[{"text":"x"},{"text":"","thoughtSignature":"c2ln"}]}]}"#,
        r#"{"contents":[{"role":"model","parts":[{"text":"x"}]}]}"#,
    ),
    (
        Chat,
        r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f"},"extra_content":{"google":{"thought_signature":"c2ln"}}}]}]}"#,
        r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f"}}]}]}"#,
    ),
    (
        Responses,
        r#"{"input":"x","include":["reasoning.encrypted_content"]}"#,
        r#"{"input":"x"}"#,
    ),
    (
        Responses,
        r#"{"input":"x","reasoning":{"summary":"detailed"}}"#,
        r#"{"input":"x","reasoning":{"summary":"auto"}}"#,
    ),
    (
        Responses,
        r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"u","file_id":"f"}]}]}"#,
        r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"u"}]}]}"#,
    ),
    (
        Responses,
        r#"{"input":[{"type":"reasoning","id":"rs_1","summary":[]},{"role":"user","content":"x"}]}"#,
        r#"{"input":[{"role":"user","content":"x"}]}"#,
    ),
];

#[test]
fn what_only_looks_the_same_is_told_apart() {
    for (endpoint, one, other) in ALIKE {
        let (one, other) = (canonical(*endpoint, one), canonical(*endpoint, other));
        assert!(
            (&one.frame, &one.text) != (&other.frame, &other.text),
            "{one:?}"
        );
    }
}

/// Calls are named by whoever wrote them; where two have one name, nobody can tell which was answered.
#[test]
fn names_of_calls_are_only_names() {
    let of = |first: &str, second: &str| {
        let json = format!(
            r#"{{"messages":[{{"role":"assistant","tool_calls":[{{"id":"{first}","function":{{"name":"f","arguments":"{{}}"}}}},{{"id":"{second}","function":{{"name":"f","arguments":"{{}}"}}}}]}},
            {{"role":"tool","tool_call_id":"{second}","content":"x"}}]}}"#
        );
        canonical(Chat, &json)
    };
    assert_eq!(of("a", "b").frame, of("x", "y").frame);
    assert_eq!(of("a", "b").sameness, Sameness::Meaning);
    assert_eq!(of("a", "a").sameness, Sameness::Letter);
}

/// Google's names with underscores.
fn in_snake_case(value: &Value, own: bool) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|item| in_snake_case(item, own)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let snake = name.chars().fold(String::new(), |mut snake, letter| {
                    if letter.is_ascii_uppercase() {
                        snake.push('_');
                    }
                    snake.push(letter.to_ascii_lowercase());
                    snake
                });
                // What the client names itself.
                let theirs = ["args", "response", "parameters", "Schema"];
                let within = !theirs.iter().any(|end| name.ends_with(end));
                let name = if own { snake } else { name.clone() };
                (name, in_snake_case(value, own && within))
            });
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// What the table takes for another way to write a name the reader must take for it, too.
#[test]
fn google_is_understood_in_both_ways() {
    let mut changed = 0;
    for (endpoint, json) in CARRIED {
        if !matches!(endpoint, Generate | StreamGenerate) {
            continue;
        }
        let value: Value = serde_json::from_str(json).unwrap();
        let snake = in_snake_case(&value, true);
        changed += u32::from(snake != value);
        let (one, other) = (
            canonical(*endpoint, json),
            canonical(*endpoint, &snake.to_string()),
        );
        assert_eq!(one, other, "{snake}");
        assert_eq!(other.sameness, Sameness::Meaning);
    }
    assert!(changed > 0);
    let of = |name: &str| {
        let json = format!(
            r#"{{"contents":{{"parts":{{"text":"x"}}}},"generationConfig":{{"{name}":5}}}}"#
        );
        canonical(Generate, &json)
    };
    // Neither one nor the other is nothing that a reader knows.
    assert_eq!(of("max_outputTokens").sameness, Sameness::Letter);
    assert_eq!(of("max_output_tokens").sameness, Sameness::Meaning);
}
