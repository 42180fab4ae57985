//! What did an attempt use, in the buckets that are priced?

use crate::chat;
use crate::dialects::seen::Usage;
use crate::governance::prices::Used;

pub(super) fn used(usage: &Usage) -> Used {
    let input = u64::from(usage.input.unwrap_or(0));
    let cached = u64::from(usage.cached.unwrap_or(0)).min(input);
    Used {
        tokens: chat::Usage {
            input: input - cached,
            cache_read: cached,
            output: usage.output.unwrap_or(0).into(),
            ..chat::Usage::default()
        },
        ..Used::default()
    }
}
