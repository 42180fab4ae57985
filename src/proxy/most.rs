//! What may a request use at most?

use crate::chat;
use crate::dialects::format::Endpoint;
use crate::governance::prices::Used;

pub(super) fn most(
    _endpoint: Endpoint,
    body: &[u8],
    _content_type: &str,
    max_tokens: Option<u32>,
    known: Option<u32>,
    assumed: u32,
) -> Used {
    Used {
        tokens: chat::Usage {
            input: body.len() as u64 + 1024,
            output: max_tokens
                .unwrap_or(known.unwrap_or(u32::MAX).min(assumed))
                .into(),
            ..chat::Usage::default()
        },
        ..Used::default()
    }
}
