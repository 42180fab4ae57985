//! What is written where, so that a client uses the gateway?
//!
//! Each client's settings are a few pieces: a sentence, or a text for a place such as a shell or a file.
//! The names of settings are those of the clients' own documentation.
//!
//! # Invariants
//! - A token stands in a setting as a reference to its variable only.

use std::fmt::Write as _;

use super::client::Client;
use super::facts::Facts;

/// What stands for a token where a client insists on one and the gateway asks for none.
const NO_TOKEN: &str = "unused";

/// A part of a client's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A sentence.
    Say(&'static str),
    /// A text and where it goes.
    Put {
        /// The place, such as "the shell" or a file's name.
        place: &'static str,
        /// The language, for highlighting.
        language: &'static str,
        text: String,
    },
}

/// The settings as the terminal shows them.
pub(super) fn told(client: Client, facts: &Facts) -> String {
    let mut text = format!("Settings for {}:\n", client.title());
    for piece in pieces(client, facts) {
        // Writing into a string cannot fail.
        let _ = match piece {
            Piece::Say(sentence) => writeln!(text, "\n{sentence}"),
            Piece::Put {
                place, text: put, ..
            } => {
                let indented = put
                    .trim_end()
                    .replace('\n', "\n    ")
                    .replace("\n    \n", "\n\n");
                writeln!(text, "\nIn {place}:\n\n    {indented}")
            }
        };
    }
    text
}

/// A client's settings.
pub(super) fn pieces(client: Client, facts: &Facts) -> Vec<Piece> {
    match client {
        Client::ClaudeCode => claude_code(facts),
        Client::Codex => codex(facts),
        Client::Opencode => opencode(facts),
        Client::Aider => aider(facts),
        Client::OpenaiPython => openai_python(facts),
        Client::OpenaiNode => openai_node(facts),
        Client::AnthropicPython => anthropic_python(facts),
        Client::AnthropicNode => anthropic_node(facts),
        Client::GoogleGenaiPython => google_python(facts),
        Client::GoogleGenaiNode => google_node(facts),
        Client::Langchain => langchain(facts),
        Client::VercelAiSdk => vercel(facts),
        Client::LlamaIndex => llama_index(facts),
        Client::Curl => curl(facts),
    }
}

fn put(place: &'static str, language: &'static str, text: String) -> Piece {
    Piece::Put {
        place,
        language,
        text,
    }
}

fn shell(text: String) -> Piece {
    put("the shell", "sh", text)
}

fn claude_code(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_shell(facts), word(facts.model()));
    vec![
        shell(format!(
            "export ANTHROPIC_BASE_URL={base}\n\
             export ANTHROPIC_AUTH_TOKEN={token}\n\
             export ANTHROPIC_MODEL={model}\n\
             export ANTHROPIC_SMALL_FAST_MODEL={model}\n\
             export ANTHROPIC_DEFAULT_HAIKU_MODEL={model}\n\
             claude"
        )),
        Piece::Say(
            "The base URL has no /v1. ANTHROPIC_API_KEY must not be set besides. \
             Versions from 2 on read ANTHROPIC_DEFAULT_HAIKU_MODEL for small tasks, older ones ANTHROPIC_SMALL_FAST_MODEL; a cheaper model does for both.",
        ),
    ]
}

fn codex(facts: &Facts) -> Vec<Piece> {
    let (base, model) = (&facts.base, quoted(facts.model()));
    let key = facts
        .variable
        .as_ref()
        .map_or_else(String::new, |name| format!("\nenv_key = \"{name}\""));
    vec![
        put(
            "~/.codex/config.toml",
            "toml",
            format!(
                "model = {model}\n\
                 model_provider = \"trimtab\"\n\n\
                 [model_providers.trimtab]\n\
                 name = \"Trimtab\"\n\
                 base_url = \"{base}/v1\"\n\
                 wire_api = \"responses\"{key}"
            ),
        ),
        Piece::Say(
            "Codex does not read OPENAI_BASE_URL. Setting openai_base_url to the same URL keeps its built-in provider, \
             which tries a WebSocket before it falls back to HTTP.",
        ),
    ]
}

fn opencode(facts: &Facts) -> Vec<Piece> {
    let (base, model) = (&facts.base, quoted(facts.model()));
    let qualified = quoted(&format!("trimtab/{}", facts.model()));
    let key = match &facts.variable {
        Some(name) => format!("{{env:{name}}}"),
        None => NO_TOKEN.to_owned(),
    };
    vec![put(
        "opencode.json",
        "json",
        format!(
            r#"{{
  "$schema": "https://opencode.ai/config.json",
  "model": {qualified},
  "provider": {{
    "trimtab": {{
      "npm": "@ai-sdk/openai-compatible",
      "name": "Trimtab",
      "options": {{ "baseURL": "{base}/v1", "apiKey": "{key}" }},
      "models": {{ {model}: {{}} }}
    }}
  }}
}}"#
        ),
    )]
}

fn aider(facts: &Facts) -> Vec<Piece> {
    let (base, token) = (&facts.base, in_shell(facts));
    let model = word(&format!("openai/{}", facts.model()));
    vec![
        shell(format!(
            "export OPENAI_API_BASE={base}/v1\n\
             export OPENAI_API_KEY={token}\n\
             aider --model {model}"
        )),
        Piece::Say(
            "The prefix openai/ says which dialect to speak; the gateway sees the name without it.",
        ),
    ]
}

fn openai_python(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_python(facts), quoted(facts.model()));
    vec![
        openai_variables(facts),
        put(
            "Python, instead of the variables",
            "python",
            format!(
                "{}from openai import OpenAI\n\n\
                 client = OpenAI(base_url=\"{base}/v1\", api_key={token})\n\
                 answer = client.chat.completions.create(\n    \
                     model={model},\n    \
                     messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n\
                 )",
                import_os(facts)
            ),
        ),
    ]
}

fn openai_node(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_javascript(facts), quoted(facts.model()));
    vec![
        openai_variables(facts),
        put(
            "JavaScript, instead of the variables",
            "js",
            format!(
                "import OpenAI from \"openai\";\n\n\
                 const client = new OpenAI({{ baseURL: \"{base}/v1\", apiKey: {token} }});\n\
                 const answer = await client.chat.completions.create({{\n  \
                     model: {model},\n  \
                     messages: [{{ role: \"user\", content: \"Hello\" }}],\n\
                 }});"
            ),
        ),
    ]
}

fn openai_variables(facts: &Facts) -> Piece {
    let (base, token) = (&facts.base, in_shell(facts));
    shell(format!(
        "export OPENAI_BASE_URL={base}/v1\nexport OPENAI_API_KEY={token}"
    ))
}

fn anthropic_python(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_python(facts), quoted(facts.model()));
    vec![
        put(
            "Python",
            "python",
            format!(
                "{}from anthropic import Anthropic\n\n\
                 client = Anthropic(base_url=\"{base}\", api_key={token})\n\
                 answer = client.messages.create(\n    \
                     model={model},\n    \
                     max_tokens=1024,\n    \
                     messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n\
                 )",
                import_os(facts)
            ),
        ),
        Piece::Say("The base URL has no /v1."),
    ]
}

fn anthropic_node(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_javascript(facts), quoted(facts.model()));
    vec![
        put(
            "JavaScript",
            "js",
            format!(
                "import Anthropic from \"@anthropic-ai/sdk\";\n\n\
                 const client = new Anthropic({{ baseURL: \"{base}\", apiKey: {token} }});\n\
                 const answer = await client.messages.create({{\n  \
                     model: {model},\n  \
                     max_tokens: 1024,\n  \
                     messages: [{{ role: \"user\", content: \"Hello\" }}],\n\
                 }});"
            ),
        ),
        Piece::Say("The base URL has no /v1."),
    ]
}

fn google_python(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_python(facts), quoted(facts.model()));
    vec![
        put(
            "Python",
            "python",
            format!(
                "{}from google import genai\n\
                 from google.genai import types\n\n\
                 client = genai.Client(\n    \
                     api_key={token},\n    \
                     http_options=types.HttpOptions(base_url=\"{base}\"),\n\
                 )\n\
                 answer = client.models.generate_content(model={model}, contents=\"Hello\")",
                import_os(facts)
            ),
        ),
        Piece::Say("The base URL has no version; the library appends it."),
    ]
}

fn google_node(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_javascript(facts), quoted(facts.model()));
    vec![
        put(
            "JavaScript",
            "js",
            format!(
                "import {{ GoogleGenAI }} from \"@google/genai\";\n\n\
                 const client = new GoogleGenAI({{\n  \
                     apiKey: {token},\n  \
                     httpOptions: {{ baseUrl: \"{base}\" }},\n\
                 }});\n\
                 const answer = await client.models.generateContent({{ model: {model}, contents: \"Hello\" }});"
            ),
        ),
        Piece::Say("The base URL has no version; the library appends it."),
    ]
}

fn langchain(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_python(facts), quoted(facts.model()));
    vec![
        put(
            "Python",
            "python",
            format!(
                "{}from langchain_openai import ChatOpenAI\n\n\
                 chat = ChatOpenAI(\n    \
                     base_url=\"{base}/v1\",\n    \
                     api_key={token},\n    \
                     model={model},\n    \
                     stream_usage=True,\n\
                 )\n\
                 answer = chat.invoke(\"Hello\")",
                import_os(facts)
            ),
        ),
        Piece::Say(
            "Without stream_usage a stream tells no usage where base_url is set. \
             OpenAIEmbeddings needs check_embedding_ctx_length=False, or it sends token numbers instead of text.",
        ),
    ]
}

fn vercel(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_javascript(facts), quoted(facts.model()));
    vec![
        put(
            "JavaScript",
            "js",
            format!(
                "import {{ createOpenAI }} from \"@ai-sdk/openai\";\n\
                 import {{ generateText }} from \"ai\";\n\n\
                 const trimtab = createOpenAI({{ baseURL: \"{base}/v1\", apiKey: {token} }});\n\
                 const {{ text }} = await generateText({{ model: trimtab({model}), prompt: \"Hello\" }});"
            ),
        ),
        Piece::Say(
            "A model made by trimtab(…) asks at /v1/responses, one made by trimtab.chat(…) at /v1/chat/completions. \
             With @ai-sdk/openai-compatible set includeUsage: true; with @ai-sdk/anthropic the baseURL ends in /v1 too.",
        ),
    ]
}

fn llama_index(facts: &Facts) -> Vec<Piece> {
    let (base, token, model) = (&facts.base, in_python(facts), quoted(facts.model()));
    vec![
        put(
            "Python",
            "python",
            format!(
                "{}from llama_index.llms.openai_like import OpenAILike\n\n\
                 llm = OpenAILike(\n    \
                     api_base=\"{base}/v1\",\n    \
                     api_key={token},\n    \
                     model={model},\n    \
                     is_chat_model=True,\n    \
                     is_function_calling_model=True,\n\
                 )\n\
                 answer = llm.complete(\"Hello\")",
                import_os(facts)
            ),
        ),
        Piece::Say(
            "Of llama-index-llms-openai-like; the class OpenAI refuses names of models that it does not know.",
        ),
    ]
}

fn curl(facts: &Facts) -> Vec<Piece> {
    let (base, model) = (&facts.base, facts.model());
    let body = format!(
        "{{\"model\": {}, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}",
        quoted(model)
    );
    let token = facts.variable.as_ref().map_or_else(String::new, |name| {
        format!("  -H \"authorization: Bearer ${name}\" \\\n")
    });
    vec![shell(format!(
        "curl {base}/v1/chat/completions \\\n{token}  -H 'content-type: application/json' \\\n  -d {}",
        single_quoted(&body)
    ))]
}

/// The token as a word of the shell.
fn in_shell(facts: &Facts) -> String {
    match &facts.variable {
        Some(name) => format!("\"${name}\""),
        None => NO_TOKEN.to_owned(),
    }
}

fn in_python(facts: &Facts) -> String {
    match &facts.variable {
        Some(name) => format!("os.environ[\"{name}\"]"),
        None => format!("\"{NO_TOKEN}\""),
    }
}

fn import_os(facts: &Facts) -> &'static str {
    if facts.variable.is_some() {
        "import os\n\n"
    } else {
        ""
    }
}

fn in_javascript(facts: &Facts) -> String {
    match &facts.variable {
        Some(name) => format!("process.env.{name}"),
        None => format!("\"{NO_TOKEN}\""),
    }
}

/// A string as JSON writes it, which TOML, Python and JavaScript read as well.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A word of the shell, quoted where it needs it.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        single_quoted(text)
    }
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn every_client_is_told_where_the_gateway_is_and_never_the_token() {
        let facts = Facts {
            token: Some(Secret::new("sk-live-token")),
            ..Facts::example()
        };
        for client in Client::ALL {
            let text = told(client, &facts);
            assert!(text.contains("http://127.0.0.1:8080"), "{text}");
            assert!(text.contains("TRIMTAB_TOKEN"), "{text}");
            assert!(text.contains("gpt-4o-mini"), "{text}");
            assert!(!text.contains("sk-live-token"), "{text}");
        }
    }

    #[test]
    fn no_variable_is_named_where_no_token_is_asked_for() {
        let facts = Facts {
            variable: None,
            ..Facts::example()
        };
        for client in Client::ALL {
            assert!(
                !told(client, &facts).contains("TRIMTAB_TOKEN"),
                "{client:?}"
            );
        }
    }

    #[test]
    fn fragments_of_files_are_valid() {
        let facts = Facts {
            model: Some("a\"b'c d".to_owned()),
            ..Facts::example()
        };
        for client in Client::ALL {
            for piece in pieces(client, &facts) {
                match piece {
                    Piece::Put {
                        language: "json",
                        text,
                        ..
                    } => {
                        assert!(
                            serde_json::from_str::<serde_json::Value>(&text).is_ok(),
                            "{text}"
                        );
                    }
                    Piece::Put {
                        language: "toml",
                        text,
                        ..
                    } => {
                        assert!(toml::from_str::<toml::Table>(&text).is_ok(), "{text}");
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(single_quoted("it's"), "'it'\\''s'");
    }
}
