//! Is a stream too slow to be worth its wait?
//!
//! A provider may send a token now and then for ever, which no clock between tokens finds.
//! Time counts only while the gateway waits for the provider: a client that reads slowly makes no provider slow.
//!
//! # Invariants
//! - Nothing is judged before [`WINDOW`] seconds of waiting, nor by less than so many.
//! - The memory of one stream is fixed.

use crate::time::{Span, Time};

/// Seconds over which a stream's pace is taken, and which it has before it is judged.
const WINDOW: u64 = 10;

/// Microseconds in a second.
const SECOND: u64 = 1_000_000;

/// Seconds that are remembered: those of the window and the present one.
const SECONDS: usize = WINDOW as usize + 1;

/// How fast a stream has come.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Tokens per second that it must make.
    least: u32,
    /// Time spent on waiting for the provider so far.
    waited: Span,
    /// Since when the provider is waited for.
    since: Option<Time>,
    /// Tokens in each of the last seconds of waiting, by their number.
    tokens: [u32; SECONDS],
    /// The number of the present second.
    second: u64,
    /// The last second in which it was judged.
    judged: u64,
    /// Tokens so far.
    counted: u32,
}

impl Pace {
    /// The pace of a stream that has made `tokens` and must make `least` a second; none where nothing is asked of it.
    pub fn new(least: u32, tokens: u32) -> Option<Self> {
        let mut pace = Self {
            least,
            waited: Span::ZERO,
            since: None,
            tokens: [0; SECONDS],
            second: 0,
            judged: 0,
            counted: 0,
        };
        pace.count(tokens);
        (least > 0).then_some(pace)
    }

    /// The provider is waited for from now on.
    pub fn wait(&mut self, now: Time) {
        self.since.get_or_insert(now);
    }

    /// The wait is over: something came.
    pub fn come(&mut self, now: Time) {
        self.waited = self.waited_at(now);
        self.since = None;
        self.turn(self.waited);
    }

    /// Takes note of the tokens so far.
    pub fn count(&mut self, tokens: u32) {
        let new = tokens.saturating_sub(self.counted);
        self.counted = self.counted.max(tokens);
        let place = &mut self.tokens[(self.second % SECONDS as u64) as usize];
        *place = place.saturating_add(new);
    }

    /// Whether the stream was slower than it must be, over the last seconds.
    pub fn is_too_slow(&mut self, now: Time) -> bool {
        let waited = self.waited_at(now);
        self.turn(waited);
        self.judged = self.second;
        let sum: u64 = self.tokens.iter().map(|&tokens| u64::from(tokens)).sum();
        waited.as_micros() >= WINDOW * SECOND && sum < WINDOW * u64::from(self.least)
    }

    /// When it is to be judged next: once in each second of waiting, whatever comes in it.
    pub fn due(&self, now: Time) -> Time {
        let waited = self.waited_at(now).as_micros();
        let second = waited / SECOND;
        if second >= WINDOW && second > self.judged {
            return now;
        }
        let next = (second + 1).max(WINDOW) * SECOND;
        now.plus(Span::from_micros(next - waited))
    }

    fn waited_at(&self, now: Time) -> Span {
        let since = self.since.unwrap_or(now);
        self.waited.plus(now.since(since))
    }

    /// Begins the seconds that have passed.
    fn turn(&mut self, waited: Span) {
        let second = waited.as_micros() / SECOND;
        let passed = second.saturating_sub(self.second).min(SECONDS as u64);
        for ahead in 1..=passed {
            let number = self.second.max(second.saturating_sub(passed)) + ahead;
            self.tokens[(number % SECONDS as u64) as usize] = 0;
        }
        self.second = self.second.max(second);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_micros(5_000_000);

    fn at(millis: u64) -> Time {
        START.plus(Span::from_millis(millis))
    }

    /// Tells when a stream was found too slow, in milliseconds, that makes its tokens at these.
    fn found(least: u32, tokens: impl IntoIterator<Item = u64>) -> Option<u64> {
        let mut pace = Pace::new(least, 0).unwrap();
        let mut count = 0;
        pace.wait(START);
        let mut tokens = tokens.into_iter().peekable();
        let mut now = START;
        while now < at(100_000) {
            let next = tokens.peek().map_or(at(100_000), |&millis| at(millis));
            now = pace.due(now).min(next);
            if now == next && tokens.next().is_some() {
                count += 1;
                pace.come(now);
                pace.count(count);
                pace.wait(now);
            } else if pace.is_too_slow(now) {
                return Some(now.since(START).as_micros() / 1_000);
            }
        }
        None
    }

    #[test]
    fn a_drip_is_found_when_the_grace_is_over() {
        assert_eq!(
            found(2, (1..100).map(|second| second * 1_000)),
            Some(10_000)
        );
        assert_eq!(found(1, (0..100).map(|second| second * 1_000)), None);
        assert_eq!(found(1, []), Some(10_000));
    }

    #[test]
    fn a_stream_that_slows_down_is_found_by_its_last_seconds() {
        // 100 tokens a second for 20 s, then one each 500 ms.
        let fast = (1..2_000).map(|number| number * 10);
        let slow = (1..160).map(|number| 20_000 + number * 500);
        let when = found(5, fast.chain(slow)).unwrap();
        assert!((29_000..=31_000).contains(&when), "{when}");
    }

    #[test]
    fn a_burst_carries_over_the_window_only() {
        assert_eq!(found(10, std::iter::repeat_n(500, 1_000)), Some(11_000));
    }

    #[test]
    fn the_clients_slowness_is_not_the_providers() {
        let mut pace = Pace::new(10, 0).unwrap();
        for step in 0..50_u64 {
            // The client takes a minute for each piece, which the provider had ready after 10 ms.
            let now = at(step * 60_000);
            pace.wait(now);
            pace.come(now.plus(Span::from_millis(10)));
            pace.count(step as u32);
            assert!(!pace.is_too_slow(now.plus(Span::from_secs(59))));
        }
    }

    #[test]
    fn nothing_is_asked_by_default() {
        assert!(Pace::new(0, 0).is_none());
    }

    #[test]
    fn it_is_judged_once_a_second() {
        let mut pace = Pace::new(1, 0).unwrap();
        pace.wait(START);
        assert_eq!(pace.due(at(3)), at(10_000));
        for millis in [10_000, 10_999, 11_000, 3_600_000] {
            pace.is_too_slow(at(millis));
            assert!(pace.due(at(millis)) > at(millis), "{millis}");
        }
        assert_eq!(pace.due(at(3_601_500)), at(3_601_500));
    }
}
