//! What do requests, answers and streams look like that use all of their dialect?
//!
//! # Invariants
//! - Each is what an honest client or provider sends.

/// OpenAI's chat completions.
pub(crate) const CHAT: &str = r#"{"model":"gpt-5","messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Look."},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}},{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}},{"id":"call_2","type":"function","function":{"name":"read","arguments":""}}],"reasoning_content":"hm"},{"role":"tool","tool_call_id":"call_1","content":"text"},{"role":"tool","tool_call_id":"call_2","content":[{"type":"text","text":"b"}]},{"role":"user","name":"ann","content":"And?"}],"tools":[{"type":"function","function":{"name":"read","description":"Reads","strict":true,"parameters":{"type":"object","properties":{"path":{"type":"string"},"n":{"anyOf":[{"type":"integer","minimum":0},{"type":"null"}]}},"required":["path"],"additionalProperties":false}}}],"tool_choice":{"type":"function","function":{"name":"read"}},"parallel_tool_calls":false,"max_completion_tokens":100,"temperature":0.2,"top_p":0.9,"frequency_penalty":0.1,"presence_penalty":-0.1,"seed":7,"n":1,"logprobs":true,"top_logprobs":2,"stop":["END","STOP"],"response_format":{"type":"json_schema","json_schema":{"name":"out","strict":true,"schema":{"type":"object","properties":{}}}},"reasoning_effort":"low","user":"u","prompt_cache_key":"k","service_tier":"flex","store":false,"metadata":{"a":"b"},"stream":true,"stream_options":{"include_usage":true}}"#;

/// OpenAI's completions.
pub(crate) const COMPLETIONS: &str = r#"{"model":"m","prompt":["Once"],"max_tokens":5,"temperature":1,"stop":"\n","stream":false,"suffix":null,"echo":false,"logprobs":1,"best_of":1}"#;

/// OpenAI's responses.
pub(crate) const RESPONSES: &str = r#"{"model":"gpt-5","instructions":"Be brief.","input":[{"role":"user","content":"hi"},{"type":"message","role":"user","content":[{"type":"input_text","text":"Look."},{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo=","detail":"high"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}]},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAAA"},{"type":"function_call","call_id":"call_1","name":"read","arguments":"{\"path\":\"a\"}"},{"type":"function_call_output","call_id":"call_1","output":"text"},{"type":"custom_tool_call","call_id":"call_2","name":"apply_patch","input":"*** Begin"},{"type":"custom_tool_call_output","call_id":"call_2","output":"ok"},{"type":"local_shell_call","call_id":"call_3","action":{"type":"exec","command":["ls"]}},{"type":"local_shell_call_output","call_id":"call_3","output":"a"},{"type":"item_reference","id":"msg_1"},{"id":"msg_2","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello","annotations":[]}]}],"tools":[{"type":"function","name":"read","description":"Reads","strict":true,"parameters":{"type":"object","properties":{"path":{"type":"string"}}}},{"type":"custom","name":"apply_patch","description":"Patches","format":{"type":"grammar","syntax":"lark","definition":"start: x"}},{"type":"local_shell"},{"type":"namespace","name":"mcp","tools":[{"type":"function","name":"find","parameters":{"type":"object"}}]}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"read"}]},"parallel_tool_calls":true,"max_output_tokens":100,"temperature":1,"top_p":1,"reasoning":{"effort":"medium","summary":"auto"},"text":{"format":{"type":"json_schema","name":"out","schema":{"type":"object"},"strict":true},"verbosity":"low"},"include":["reasoning.encrypted_content"],"store":false,"stream":true,"prompt_cache_key":"k","service_tier":"auto","user":"u","truncation":"disabled","background":false,"metadata":{}}"#;

/// Anthropic's messages.
pub(crate) const MESSAGES: &str = r#"{"model":"claude-opus-5","max_tokens":1000,"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Look."},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"document","title":"a","source":{"type":"text","media_type":"text/plain","data":"words"}},{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"cmVk"},{"type":"text","text":"I read."},{"type":"tool_use","id":"toolu_1","name":"read","input":{"path":"a"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}],"cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"And?"}]}],"tools":[{"name":"read","description":"Reads","input_schema":{"type":"object","properties":{"path":{"type":"string"}}},"cache_control":{"type":"ephemeral"}}],"tool_choice":{"type":"tool","name":"read","disable_parallel_tool_use":true},"temperature":0.5,"top_p":0.9,"top_k":5,"stop_sequences":["END"],"thinking":{"type":"enabled","budget_tokens":512},"metadata":{"user_id":"u"},"service_tier":"auto","stream":true,"output_config":{"effort":"low"}}"#;

/// Gemini's content.
pub(crate) const GENERATE: &str = r#"{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"Look."},{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}},{"fileData":{"mimeType":"application/pdf","fileUri":"https://example.com/a.pdf"}}]},{"role":"model","parts":[{"text":"hm","thought":true},{"functionCall":{"id":"c1","name":"read","args":{"path":"a"}},"thoughtSignature":"c2ln"}]},{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"read","response":{"output":"text"}}}]}],"tools":[{"functionDeclarations":[{"name":"read","description":"Reads","parameters":{"type":"OBJECT","properties":{"path":{"type":"STRING","nullable":true}},"required":["path"]}}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["read"]}},"generationConfig":{"temperature":0.5,"topP":0.9,"topK":5,"maxOutputTokens":100,"candidateCount":1,"stopSequences":["END"],"seed":7,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"},"thinkingConfig":{"thinkingBudget":512,"includeThoughts":true},"responseLogprobs":true,"logprobs":2,"presencePenalty":0.1},"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],"cachedContent":"cachedContents/1"}"#;

/// OpenAI's embeddings.
pub(crate) const EMBEDDINGS: &[&str] = &[
    r#"{"model":"e","input":["a","b"],"encoding_format":"base64","dimensions":8,"user":"u"}"#,
    r#"{"model":"e","input":[[1,2],[3]]}"#,
    r#"{"model":"e","input":"a"}"#,
];

/// Reranking.
pub(crate) const RERANK: &str = r#"{"model":"r","query":"q","documents":["a",{"text":"b"},{"title":"c","text":"d"}],"top_n":2,"return_documents":true,"max_tokens_per_doc":10,"rank_fields":["text"]}"#;

/// A whole answer of each dialect: chat, responses, messages, content, Bedrock, Cohere.
pub(crate) const ANSWERS: &[&str] = &[
    r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello","refusal":null,"reasoning_content":"hm","tool_calls":[{"id":"call_1","type":"function","function":{"name":"read","arguments":"{\"a\":1}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}},"service_tier":"default"}"#,
    r#"{"id":"resp_1","object":"response","created_at":1700000000,"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"model":"m","output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAAA"},{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello","annotations":[]},{"type":"refusal","refusal":"no"}]},{"type":"function_call","id":"fc_1","call_id":"call_1","name":"read","arguments":"{\"a\":1}","status":"completed"},{"type":"custom_tool_call","call_id":"call_2","name":"apply_patch","input":"x"}],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15},"service_tier":"default","error":null}"#,
    r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"cmVk"},{"type":"text","text":"Hello"},{"type":"tool_use","id":"toolu_1","name":"read","input":{"a":1}}],"stop_reason":"stop_sequence","stop_sequence":"END","usage":{"input_tokens":6,"cache_creation_input_tokens":3,"cache_read_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":1,"ephemeral_1h_input_tokens":2},"output_tokens":5,"service_tier":"standard"}}"#,
    r#"{"responseId":"r1","modelVersion":"gemini-x","candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"Hello","thoughtSignature":"c2ln"},{"functionCall":{"id":"c1","name":"read","args":{"a":1}}}]},"finishReason":"STOP","safetyRatings":[]}],"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":15}}"#,
    r#"{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}},{"text":"Hello"},{"toolUse":{"toolUseId":"t1","name":"read","input":{"a":1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15,"cacheReadInputTokens":4,"cacheWriteInputTokens":1},"metrics":{"latencyMs":5}}"#,
    r#"{"id":"c1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"hm","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Hello"}],"tool_calls":[{"id":"t1","type":"function","function":{"name":"read","arguments":"{\"a\":1}"}}],"citations":[]},"usage":{"billed_units":{"input_tokens":5,"output_tokens":4},"tokens":{"input_tokens":10,"output_tokens":5}}}"#,
];

/// Whole answers of other kinds: embeddings of three dialects, rankings.
pub(crate) const VECTORS: &[&str] = &[
    r#"{"object":"list","model":"e","data":[{"object":"embedding","index":1,"embedding":[0.5,-1e-3]},{"object":"embedding","index":0,"embedding":"AACAPwAAAEA="}],"usage":{"prompt_tokens":3,"total_tokens":3}}"#,
    r#"{"embeddings":[{"values":[0.5,1]},{"values":[2,3]}]}"#,
    r#"{"id":"e1","embeddings":{"float":[[0.5,1],[2,3]]},"texts":["a","b"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":3}}}"#,
    r#"{"id":"k1","results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":0.1}],"meta":{"billed_units":{"search_units":1}}}"#,
];

/// A stream of chat completions.
pub(crate) const CHAT_STREAM: &str = r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"lo é"},"finish_reason":null}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"refusal":"no"},"finish_reason":null}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"read","arguments":""}}]},"finish_reason":null}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":"}}]},"finish_reason":null}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]},"finish_reason":null}]}

data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}

data: [DONE]

"#;

/// A stream of messages.
pub(crate) const MESSAGES_STREAM: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":6,"cache_read_input_tokens":4,"cache_creation_input_tokens":3,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"cmVk"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: ping
data: {"type":"ping"}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Hello"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"read","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":5}}

event: message_stop
data: {"type":"message_stop"}

"#;

/// A stream of Gemini's content.
pub(crate) const GENERATE_STREAM: &str = r#"data: {"responseId":"r1","modelVersion":"g","candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"hm","thought":true}]}}]}

data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"Hel"},{"text":"lo"}]}}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":1}}

data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"functionCall":{"name":"read","args":{"a":1}},"thoughtSignature":"c2ln"}]}}]}

data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":3,"thoughtsTokenCount":2,"totalTokenCount":15}}

"#;

/// A stream of responses.
pub(crate) const RESPONSES_STREAM: &str = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":2,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"hm"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":3,"output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAAA"}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":4,"output_index":1,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress","content":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_1","output_index":1,"content_index":0,"delta":"Hello"}

event: response.refusal.delta
data: {"type":"response.refusal.delta","sequence_number":6,"item_id":"msg_1","output_index":1,"content_index":1,"delta":"no"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":7,"output_index":1,"item":{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hello","annotations":[]}]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":8,"output_index":2,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"read","arguments":"","status":"in_progress"}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":9,"item_id":"fc_1","output_index":2,"delta":"{\"a\":1}"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":10,"output_index":2,"item":{"type":"function_call","id":"fc_1","call_id":"call_1","name":"read","arguments":"{\"a\":1}","status":"completed"}}

event: response.completed
data: {"type":"response.completed","sequence_number":11,"response":{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","output":[],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},"total_tokens":15}}}

"#;

/// A stream of Bedrock's, as events.
pub(crate) const CONVERSE_STREAM: &str = r#"event: messageStart
data: {"role":"assistant"}

event: contentBlockDelta
data: {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}

event: contentBlockDelta
data: {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2ln"}}}

event: contentBlockStop
data: {"contentBlockIndex":0}

event: contentBlockDelta
data: {"contentBlockIndex":1,"delta":{"text":"Hello"}}

event: contentBlockStart
data: {"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t1","name":"read"}}}

event: contentBlockDelta
data: {"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\":1}"}}}

event: contentBlockStop
data: {"contentBlockIndex":2}

event: messageStop
data: {"stopReason":"tool_use"}

event: metadata
data: {"usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15,"cacheReadInputTokens":4},"metrics":{"latencyMs":5}}

"#;

/// A stream of Cohere's.
pub(crate) const COHERE_STREAM: &str = r#"event: message-start
data: {"type":"message-start","id":"c1","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}

event: tool-plan-delta
data: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"hm"}}}

event: content-start
data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}

event: content-delta
data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hello"}}}}

event: content-end
data: {"type":"content-end","index":0}

event: tool-call-start
data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"t1","type":"function","function":{"name":"read","arguments":""}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":1}"}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":0}

event: message-end
data: {"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":5,"output_tokens":4},"tokens":{"input_tokens":10,"output_tokens":5}}}}

"#;

/// Streams of pictures, speech and transcripts.
pub(crate) const MEDIA_STREAM: &str = r#"event: image_generation.partial_image
data: {"type":"image_generation.partial_image","b64_json":"iVBORw0KGgo=","partial_image_index":0}

event: image_generation.completed
data: {"type":"image_generation.completed","b64_json":"iVBORw0KGgo=","usage":{"input_tokens":5,"output_tokens":9,"total_tokens":14}}

data: {"type":"transcript.text.delta","delta":"a"}

data: {"type":"speech.audio.done","usage":{"input_tokens":5,"output_tokens":9}}

data: [DONE]

"#;

/// Errors in streams, as every dialect tells them.
pub(crate) const ERRORS: &str = r#"data: {"error":{"message":"boom","type":"server_error","code":"overloaded","param":null}}

event: error
data: {"type":"error","error":{"type":"overloaded_error","message":"boom"},"request_id":"r"}

event: response.failed
data: {"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"server_error","message":"boom"}}}

event: throttlingException
data: {"message":"slow down"}

data: {"error":{"code":429,"message":"boom","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"3.5s"},{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaValue":"15"}]}]}}

data: {"message":"no api key supplied"}

"#;

/// Refusals whose words tell limits and waits.
pub(crate) const REFUSALS: &[&str] = &[
    r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 1.5s. Visit https://example.com","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
    r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 40,000 input tokens per minute."}}"#,
    r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current pricing tier. Please retry after 26 seconds."}}"#,
    r#"{"error":{"code":"insufficient_quota","message":"You exceeded your current quota","type":"insufficient_quota"}}"#,
    r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID"}]}}]"#,
    r#"{"__type":"com.amazon.coral.service#ThrottlingException","message":"Too many tokens"}"#,
    r#"{"error":"model not found","detail":[{"msg":"m"}]}"#,
    r#"{"message":"context length exceeded: at most 8192 tokens"}"#,
];

/// Headers of limits and waits.
pub(crate) const HEADERS: &[&str] = &[
    "x-ratelimit-limit-requests: 60\nx-ratelimit-remaining-requests: 59\nx-ratelimit-reset-requests: 1s\nx-ratelimit-limit-tokens: 150000\nx-ratelimit-remaining-tokens: 149984\nx-ratelimit-reset-tokens: 6m0s\nretry-after-ms: 1500\nretry-after: 2",
    "anthropic-ratelimit-requests-limit: 50\nanthropic-ratelimit-requests-remaining: 49\nanthropic-ratelimit-requests-reset: 2026-01-01T00:00:30Z\nanthropic-ratelimit-input-tokens-limit: 40000\nanthropic-ratelimit-input-tokens-remaining: 39000\nanthropic-ratelimit-input-tokens-reset: 2026-01-01T00:00:30.5+01:00\nanthropic-ratelimit-output-tokens-limit: 8000\nanthropic-ratelimit-output-tokens-remaining: 0\nretry-after: Wed, 21 Oct 2026 07:28:00 GMT",
    "x-ratelimit-limit-requests: -1\nx-ratelimit-remaining-tokens: 0\nx-ms-retry-after-ms: 26000\nx-ratelimit-reset-tokens: 7.66s",
];

/// Requests over HTTP/1.1.
pub(crate) const MESSAGES_OVER_HTTP: &[&str] = &[
    "POST /v1/chat/completions HTTP/1.1\r\nHost: a.example:80\r\nContent-Length: 11\r\nX-A: b\r\n\r\nhello worldGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n1f \r\n0123456789012345678901234567890\r\n0\r\nX-Sum: 1\r\n\r\nGET /d HTTP/1.0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET http://a/b?c=d HTTP/1.1\r\nhost: A\r\n\r\n",
];

/// Forms; the first line is the content type.
pub(crate) const FORMS: &[&str] = &[
    "multipart/form-data; boundary=x\n--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--y\r\n--x\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n--x--\r\n",
    "multipart/form-data; boundary=\"--b 1\"\n----b 1\r\nContent-Disposition: form-data; name=model\r\n\r\ngpt-image-1\r\n----b 1\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na hat\r\n----b 1\r\nContent-Disposition: form-data; name=\"image[]\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x7fPNG\r\n----b 1\r\nContent-Disposition: form-data; name=\"size\"\r\n\r\n1024x1024\r\n----b 1--",
];

/// Requests for pictures.
pub(crate) const PICTURES: &str = r#"{"model":"p","prompt":"a cat","negative_prompt":"dogs","n":2,"size":"1024x1536","quality":"high","steps":20,"guidance":3.5,"seed":7,"strength":0.5,"output_format":"webp","output_compression":80,"background":"transparent","response_format":"b64_json","stream":true,"partial_images":2,"user":"u","style":"vivid","moderation":"low","aspect_ratio":"16:9","webhook":"https://example.com"}"#;

/// What vendors of pictures answer, one answer a line.
pub(crate) const PICTURE_ANSWERS: &[&str] = &[
    "{\"created\":1,\"data\":[{\"b64_json\":\"iVBORw0KGgo=\",\"revised_prompt\":\"a cat\"},{\"url\":\"https://oaidalleapiprodscus.blob.core.windows.net/a.png\"}],\"usage\":{\"total_tokens\":5}}",
    "{\"request_id\":\"r1\",\"status\":\"IN_QUEUE\",\"queue_position\":2,\"status_url\":\"http://mock:9000/a/m/requests/r1/status\",\"response_url\":\"http://mock:9000/a/m/requests/r1\",\"cancel_url\":\"http://mock:9000/a/m/requests/r1/cancel\"}\n{\"status\":\"IN_PROGRESS\",\"logs\":[]}\n{\"status\":\"COMPLETED\",\"response_url\":\"http://mock:9000/a/m/requests/r1\"}\n{\"images\":[{\"url\":\"https://v3.fal.media/a.png\",\"content_type\":\"image/png\",\"width\":1,\"height\":1}],\"seed\":7,\"timings\":{\"inference\":0.5}}",
    "{\"id\":\"p1\",\"status\":\"starting\",\"urls\":{\"get\":\"http://mock:9000/a/predictions/p1\",\"cancel\":\"http://mock:9000/a/predictions/p1/cancel\"}}\n{\"id\":\"p1\",\"status\":\"processing\",\"logs\":\" 50%|\"}\n{\"id\":\"p1\",\"status\":\"succeeded\",\"output\":[\"https://replicate.delivery/a.png\"],\"metrics\":{\"predict_time\":1.5}}",
    "{\"id\":\"b1\",\"polling_url\":\"https://api.eu1.bfl.ai/v1/get_result?id=b1\",\"cost\":4}\n{\"id\":\"b1\",\"status\":\"Pending\",\"progress\":0.5}\n{\"id\":\"b1\",\"status\":\"Ready\",\"result\":{\"sample\":\"https://delivery-eu1.bfl.ai/a.png\",\"seed\":7}}",
    "{\"image\":\"iVBORw0KGgo=\",\"finish_reason\":\"SUCCESS\",\"seed\":7}",
    "{\"request_id\":\"f1\"}\n{\"id\":\"f1\",\"status\":\"Ready\",\"result\":{\"sample\":\"https://example.com/a.png\"}}",
    "{\"error\":{\"message\":\"blocked by safety\",\"code\":\"moderation_blocked\",\"type\":\"image_generation_user_error\"}}",
];

/// Answers of Google to a request for a token, service accounts, keys of AWS.
pub(crate) const CREDENTIALS: &[&str] = &[
    r#"{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}"#,
    r#"{"error":"invalid_grant","error_description":"Invalid JWT"}"#,
    r#"{"type":"service_account","project_id":"p","private_key_id":"k","private_key":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n","client_email":"a@p.iam.gserviceaccount.com","token_uri":"https://oauth2.googleapis.com/token"}"#,
    r#"{"access_key_id":"AKIAEXAMPLE","secret_access_key":"x","session_token":"y"}"#,
    "AKIAEXAMPLE:secret:token",
];

/// Configurations of other gateways.
pub(crate) const FOREIGN: &[&str] = &[
    "model_list:\n  - model_name: gpt-4o\n    litellm_params:\n      model: openai/gpt-4o\n      api_key: os.environ/OPENAI_API_KEY\n      rpm: 500\n      weight: 3\n    model_info:\n      input_cost_per_token: 2.5e-06\n  - model_name: gpt-4o\n    litellm_params: &a\n      model: azure/dep\n      api_base: https://res.openai.azure.com/\n      api_key: sk-live\n  - model_name: b\n    litellm_params: *a\nrouter_settings:\n  routing_strategy: latency-based-routing\n  fallbacks: [{\"gpt-4o\": [\"b\"]}]\n  num_retries: 3\nlitellm_settings:\n  request_timeout: 30\ngeneral_settings:\n  master_key: sk-1234\n",
    "{\"providers\":{\"openai\":{\"keys\":[{\"name\":\"k\",\"value\":\"env.OPENAI_API_KEY\",\"models\":[\"gpt-4o\"],\"weight\":1.0}],\n\"network_config\":{\"default_request_timeout_in_seconds\":30,\"max_retries\":2,\"base_url\":\"https://api.openai.com\"}},\n\"anthropic\":{\"keys\":[{\"value\":\"sk-ant\",\"models\":[],\"weight\":0.5}]}},\n\"client\":{\"drop_excess_requests\":false},\"governance\":{\"virtual_keys\":[]}}",
    "{\"strategy\":{\"mode\":\"loadbalance\"},\n\"targets\":[{\"provider\":\"openai\",\"api_key\":\"sk\",\"weight\":0.7,\"override_params\":{\"model\":\"gpt-4o\"}},\n{\"strategy\":{\"mode\":\"fallback\",\"on_status_codes\":[429]},\"targets\":[{\"virtual_key\":\"vk\"},{\"provider\":\"azure-openai\",\"resource_name\":\"r\",\"deployment_id\":\"d\"}]}],\n\"retry\":{\"attempts\":3},\"cache\":{\"mode\":\"simple\"},\"request_timeout\":10000}",
];

/// What a rule may look at: a model, then a client's headers.
pub(crate) const ASKED: &[&str] = &[
    "gpt-5-mini\nx-tier: gold\nx-number: 1\nx-flag: true\naccept: application/json\nx-b: caf\u{e9}",
    "b\nx-tier: silver\nx-tier: gold\nx-number: 0.75\nuser-agent: a, b",
    "\u{e9}\nx-number: -9223372036854775808\nx-best: \"a\"",
];

/// Paths that clients ask for.
pub(crate) const PATHS: &[&str] = &[
    "/v1/responses/resp_1/input_items?limit=2",
    "/openai/v1/files/file-1/content",
    "/anthropic/v1/messages/batches/b%2F1/results",
    "/passthrough/openai/v1/a%20b/c;d=1?x=../y",
    "/genai/v1beta/models/org%2Fname:streamGenerateContent?alt=sse",
    "/v1/workflows/prompt_rewrite/v1/chat/completions",
    "/openai/deployments/gpt/chat/completions?api-version=1",
    "/v1/models/org/name",
    "/passthrough/p/./a/%2e%2E/..%5c../b",
];

/// A stream of chat completions that tells nothing but text.
pub(crate) const TEXT_STREAM: &str = r#"data: {"id":"c","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}

data: {"id":"c","choices":[{"index":0,"delta":{"content":"The quick brown"},"finish_reason":null}]}

data: {"id":"c","choices":[{"index":0,"delta":{"content":" fox jumps "},"finish_reason":null}]}

data: {"id":"c","choices":[{"index":0,"delta":{"content":"over é it."},"finish_reason":null}]}

data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: {"id":"c","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":9}}

data: [DONE]

"#;

/// Recorded traffic, a few lines of each format.
pub(crate) const TRACES: &[&str] = &[
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n",
    "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,1,374,44\n",
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,230,1317,API log\n",
    "{\"timestamp\": 0, \"input_length\": 6758, \"output_length\": 500, \"hash_ids\": [0, 1, 2]}\n{\"timestamp\": 30, \"input_length\": 7322, \"output_length\": 490, \"hash_ids\": [0, 14]}\n",
    "{\"created\":1700000000,\"model\":\"m\",\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20},\"status\":200,\"latency\":1.5,\"stream\":true,\"ttft_ms\":250,\"user\":\"u\"}\n{\"timestamp\":\"2023-11-14T22:13:21Z\",\"model\":\"m\",\"status\":429,\"latency_ms\":12,\"provider\":\"p\"}\n",
    "{\"t_us\":1700000000000500,\"class\":\"chat_stream\",\"model\":\"m\",\"tenant\":null,\"in\":12,\"out\":34,\"max_tokens\":100,\"stream\":true,\"deadline_ms\":600000,\"prefix\":77,\"route\":\"a\",\"status\":200,\"ttft_us\":250000,\"total_us\":900000,\"p_select\":0.25,\"attempts\":2,\"outcome\":\"success\",\"first\":\"b\",\"first_us\":40000,\"first_outcome\":\"overloaded\"}\n",
];
