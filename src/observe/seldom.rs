//! How often is the same trouble told of?

/// Time between two warnings of one kind, µs: a minute, so that a log says that something lasts and is not filled with it.
const EVERY_US: u64 = 60_000_000;

/// Lets something be told once in a while.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    last_us: Option<u64>,
}

impl Seldom {
    /// Whether it may be told of now.
    pub(super) fn may(&mut self, now_us: u64) -> bool {
        // A clock that was set back must not silence anything for longer.
        let may = self
            .last_us
            .is_none_or(|last| now_us.abs_diff(last) >= EVERY_US);
        if may {
            self.last_us = Some(now_us);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute_is_enough() {
        let mut seldom = Seldom::default();
        let told: Vec<u64> = (0..200_u64)
            .filter(|second| seldom.may(second * 1_000_000))
            .collect();
        assert_eq!(told, [0, 60, 120, 180]);
        assert!(seldom.may(0), "the clock was set back");
    }
}
