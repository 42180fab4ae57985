//! Requests as clients write them.

use crate::dialects::format::Endpoint;

/// Requests that `chat` carries whole.
pub(super) const CARRIED: &[(Endpoint, &str)] = &[
    (
        Endpoint::Chat,
        r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"developer","content":[{"type":"text","text":"In German."}]},
            {"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}]},
            {"role":"assistant","content":"Ein Bild."},{"role":"user","content":"Und das?"}],
            "temperature":0.5,"top_p":0.9,"top_k":40,"max_completion_tokens":100,"frequency_penalty":0.25,"presence_penalty":-0.5,"seed":7,
            "stop":["END","STOP"],"n":1,"parallel_tool_calls":true,"reasoning_effort":"low","modalities":["text"]}"#,
    ),
    (
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","content":"Weather in Rome and Oslo?"},
            {"role":"assistant","content":null,"reasoning_content":"Two calls.","tool_calls":[
              {"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Rome\",\"days\":2}"}},
              {"id":"call_2","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}]},
            {"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"rain"}]},
            {"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0=","filename":"a.pdf"}},
              {"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}},{"type":"file","file":{"file_id":"file-1"}}]}],
            "tools":[{"type":"function","function":{"name":"weather","description":"Tells it.","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1}},"required":["city"]},"strict":true}},
              {"type":"function","function":{"name":"time"}}],
            "tool_choice":{"type":"function","function":{"name":"weather"}},"max_tokens":50}"#,
    ),
    (
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","refusal":"No."},{"role":"user","content":"b"}],
            "tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],
            "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}}]}},
            "response_format":{"type":"json_schema","json_schema":{"name":"answer","description":"It.","schema":{"type":"object","properties":{"x":{"enum":[1,2.5,"a",null,true]}}},"strict":true}}}"#,
    ),
    (
        Endpoint::Messages,
        r#"{"max_tokens":1024,"system":[{"type":"text","text":"Be brief."},{"type":"text","text":"In German."}],
            "messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},
              {"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"words"}},{"type":"image","source":{"type":"url","url":"https://h/a.png"}},
              {"type":"document","source":{"type":"file","file_id":"file_1"}}]},
            {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"ZGF0YQ=="},{"type":"text","text":"Look:"},
              {"type":"tool_use","id":"toolu_1","name":"zoom","input":{"x":1,"y":[2.0,"a"]}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"bigger"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}],"is_error":true}]},
            {"role":"assistant","content":"Done."},{"role":"user","content":"And now?"}],
            "temperature":1,"top_p":0.5,"top_k":5,"stop_sequences":["END","STOP"],
            "tools":[{"name":"zoom","description":"Zooms.","input_schema":{"type":"object","properties":{"x":{"type":"integer"}}},"strict":true},{"type":"custom","name":"wait","input_schema":{"type":"object"}}],
            "tool_choice":{"type":"tool","name":"zoom","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":2048}}"#,
    ),
    (
        Endpoint::Messages,
        r#"{"max_tokens":64,"messages":[{"role":"user","content":"a"}],"thinking":{"type":"adaptive","display":"omitted"},
            "output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object","properties":{"x":{"type":"string"}}}}},"tool_choice":{"type":"any"}}"#,
    ),
    (
        Endpoint::Responses,
        r#"{"instructions":"Be brief.","input":[{"role":"developer","content":"In German."},
            {"type":"message","role":"user","content":[{"type":"input_text","text":"What is this?"},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo=","detail":"high"},
              {"type":"input_file","file_data":"data:application/pdf;base64,JVBERi0=","filename":"a.pdf"},{"type":"input_image","file_id":"file-1"},{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"mp3"}}]},
            {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"enc"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Look:","annotations":[]},{"type":"refusal","refusal":"No."}]},
            {"type":"function_call","call_id":"call_1","name":"zoom","arguments":"{\"x\":1}"},
            {"type":"function_call","call_id":"call_2","name":"zoom","arguments":"{\"x\":2}"},
            {"type":"function_call_output","call_id":"call_1","output":"bigger"},{"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"huge"}]},
            {"role":"user","content":"And now?"}],
            "tools":[{"type":"function","name":"zoom","description":"Zooms.","parameters":{"type":"object","properties":{"x":{"type":"integer"}}},"strict":false},{"type":"function","name":"wait"}],
            "tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"zoom"}]},"parallel_tool_calls":false,"max_output_tokens":100,"temperature":0.2,"top_p":0.8,
            "text":{"format":{"type":"json_schema","name":"n","description":"d","schema":{"type":"object"},"strict":true},"verbosity":"medium"},"reasoning":{"effort":"medium","summary":"auto"},"truncation":"disabled"}"#,
    ),
    (
        Endpoint::Generate,
        r#"{"systemInstruction":{"parts":[{"text":"Be brief."}]},
            "contents":[{"role":"user","parts":[{"text":"What is this?"},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo=","displayName":"a"}},{"fileData":{"mimeType":"application/pdf","fileUri":"https://h/a.pdf","displayName":"b"}}]},
            {"role":"model","parts":[{"text":"hm","thought":true},{"text":"Look:"},{"functionCall":{"name":"zoom","args":{"x":1}},"thoughtSignature":"c2ln"},{"functionCall":{"id":"c2","name":"wait"}}]},
            {"role":"user","parts":[{"functionResponse":{"name":"zoom","response":{"result":"bigger"}}},{"functionResponse":{"id":"c2","name":"wait","response":{"seconds":2,"ok":true}}}]},
            {"role":"model","parts":[{"text":"Done."}]},{"role":"user","parts":[{"text":"And now?"}]}],
            "tools":[{"functionDeclarations":[{"name":"zoom","description":"Zooms.","parameters":{"type":"OBJECT","properties":{"x":{"type":"INTEGER","nullable":true},"y":{"type":"ARRAY","minItems":"2","items":{"type":"STRING"}}},"required":["x"]}},{"name":"wait","parametersJsonSchema":{"type":"object"}}]}],
            "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["zoom","wait"]}},
            "generationConfig":{"temperature":0.5,"topP":0.25,"topK":3,"maxOutputTokens":77,"presencePenalty":0.5,"frequencyPenalty":0.75,"seed":-4,"candidateCount":1,"responseLogprobs":false,"responseModalities":["TEXT"],"stopSequences":["END","STOP"],
              "responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"x":{"type":"STRING","enum":["a","b"],"description":"d"}}},"thinkingConfig":{"thinkingBudget":100,"includeThoughts":true}}}"#,
    ),
    (
        Endpoint::StreamGenerate,
        r#"{"system_instruction":{"parts":{"text":"s"}},"contents":{"parts":{"text":"a"}},
            "generation_config":{"top_p":0.25,"max_output_tokens":77,"stop_sequences":["x"],"response_mime_type":"application/json","response_json_schema":{"type":"object"},"thinking_config":{"thinking_level":"LOW"}},
            "tool_config":{"function_calling_config":{"mode":"auto"}},"tools":{"function_declarations":{"name":"f","parameters_json_schema":{"type":"object"}}}}"#,
    ),
];

/// Requests whose words count as they are written.
pub(super) const WRITTEN: &[(Endpoint, &str)] = &[
    (
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","name":"Ann","content":"a"}],"n":3,"logprobs":true,"top_logprobs":2,"logit_bias":{"50256":-100},"audio":{"voice":"alloy"}}"#,
    ),
    (
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","content":"a"}],"web_search_options":{},"verbosity":"low","prediction":{"type":"content","content":"p"}}"#,
    ),
    (
        Endpoint::Messages,
        r#"{"max_tokens":9,"messages":[{"role":"user","content":[{"type":"document","citations":{"enabled":true},"source":{"type":"text","media_type":"text/plain","data":"d"}},{"type":"text","text":"a"}]}],
            "tools":[{"type":"web_search_20250305","name":"web_search","max_uses":5}],"mcp_servers":[{"url":"u"}]}"#,
    ),
    (
        Endpoint::Responses,
        r#"{"input":"a","tools":[{"type":"web_search"},{"type":"custom","name":"p"}],"include":["reasoning.encrypted_content"],"metadata":{"k":"v"},"reasoning":{"summary":"detailed"}}"#,
    ),
    (
        Endpoint::Generate,
        r#"{"contents":[{"parts":[{"text":"a","videoMetadata":{"fps":1}}]}],"tools":[{"googleSearch":{}}],"safetySettings":[{"category":"c","threshold":"t"}],"generationConfig":{"responseModalities":["IMAGE"],"topK":1.5}}"#,
    ),
    (
        Endpoint::Completions,
        r#"{"prompt":"a","suffix":"b","max_tokens":5,"stop":["x"],"echo":true}"#,
    ),
    (
        Endpoint::Embeddings,
        r#"{"input":["a","b"],"dimensions":256,"encoding_format":"base64"}"#,
    ),
    (
        Endpoint::Rerank,
        r#"{"query":"q","documents":["a",{"text":"b"}],"top_n":1}"#,
    ),
    (
        Endpoint::Moderations,
        r#"{"input":[{"type":"text","text":"a"}]}"#,
    ),
    (
        Endpoint::Speech,
        r#"{"input":"a","voice":"alloy","speed":1.5}"#,
    ),
    (
        Endpoint::ImageGenerations,
        r#"{"prompt":"a","seed":7,"size":"1024x1024","n":1}"#,
    ),
    (
        Endpoint::GeminiEmbed,
        r#"{"content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY"}"#,
    ),
];
