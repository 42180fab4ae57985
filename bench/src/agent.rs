//! What does an agent ask in the middle of its work?
//!
//! A long system prompt, two dozen tools with their schemas, and a history of calls and what came of them: about 50 KB, in OpenAI's words.
//!
//! # Invariants
//! - It holds what agents send and nothing that a dialect could not carry.

use serde_json::{Value, json};

/// Tools of the agent.
const TOOLS: usize = 24;

/// Calls in its history.
const CALLS: usize = 24;

/// One line of what a tool brought back, with what JSON must escape.
const LINE: &str = "fn trim(angle: f64) -> Result<Tab, \"Stuck\"> {\n\tlet held = angle.clamp(-12.0, 12.0); // ° of tab\n}\n";

/// The request's body.
#[must_use]
pub fn body(model: &str, streamed: bool) -> String {
    let system =
        "You are a coding agent. Read before you write, keep changes small, and run the tests. ";
    let mut messages = vec![
        json!({"role": "system", "content": system.repeat(140)}),
        json!({"role": "user", "content": "The tab sticks when the wheel is centred. Find out why, and mend it."}),
    ];
    for number in 0..CALLS {
        let id = format!("call_{number:04}");
        let arguments =
            json!({"path": format!("src/tab/{number}.rs"), "from": number * 40, "lines": 40});
        messages.push(json!({"role": "assistant", "content": "Let me look at the next file.", "tool_calls": [
            {"id": id, "type": "function", "function": {"name": "tool_0", "arguments": arguments.to_string()}}]}));
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": LINE.repeat(6)}));
    }
    let tools: Vec<Value> = (0..TOOLS).map(tool).collect();
    json!({"model": model, "stream": streamed, "temperature": 0.2, "max_completion_tokens": 4_096,
        "messages": messages, "tools": tools, "tool_choice": "auto"})
    .to_string()
}

fn tool(number: usize) -> Value {
    let text = |what: &str| json!({"type": "string", "description": what});
    let parameters = json!({"type": "object", "required": ["path"], "additionalProperties": false, "properties": {
        "path": text("The file's path, from the root of the tree. Neither links nor paths that lead upward are followed."),
        "from": {"type": "integer", "description": "The first line, counted from 0.", "minimum": 0},
        "lines": {"type": "integer", "description": "How many lines; the rest of the file if it is left out.", "minimum": 1},
        "kinds": {"type": "array", "items": {"type": "string", "enum": ["source", "test", "document"]}},
    }});
    json!({"type": "function", "function": {"name": format!("tool_{number}"),
        "description": "Reads a part of a file. Use it before you change anything, and again after.", "parameters": parameters}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_about_50_kb() {
        let length = body("bench", false).len();
        assert!((48_000..53_000).contains(&length), "{length} bytes");
    }
}
