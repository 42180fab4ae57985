//! The events of a stream, one after another, with the pauses before them and whatever goes wrong among them.
//!
//! Nothing here waits or sends: [`Events`] says what comes next and how long before, and the body acts on it.
//!
//! # Invariants
//! - Untwisted, a stream is its opening, tokens, closing, the sign that it is over, end.
//! - After [`Act::End`], [`Act::Reset`] or [`Act::Close`] nothing follows.

use std::collections::VecDeque;

use bytes::Bytes;
use scoring::time::Span;

use super::catalogue::{Fault, Kind};
use super::narration::Narration;

/// Pause before a connection is broken, so that what was sent before is on the wire.
const SETTLE: Span = Span::from_millis(5);

/// How long a stalled stream is silent.
pub(super) const STALL: Span = Span::from_secs(30);

/// Time between two signs of a stream that never gets anywhere.
pub(super) const DRIP: Span = Span::from_secs(1);

/// How long a transfer that never ends is held: a day, longer than any client waits.
pub(super) const FOREVER: Span = Span::from_secs(86_400);

/// What a body does next.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// How long it waits first.
    pub(super) wait: Span,
    pub(super) act: Act,
    /// Output tokens in what is sent.
    pub(super) tokens: u32,
}

/// One act of a body.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    Send(Bytes),
    /// The body ends as it should.
    End,
    /// The connection is reset.
    Reset,
    /// The connection is closed with the transfer unfinished.
    Close,
}

/// What goes wrong in an answer that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    None,
    /// The first token comes so much later than the headers.
    Late(Span),
    CutReset(u32),
    CutEof(u32),
    CutClean(u32),
    Stall(u32),
    /// An extra event of invalid JSON as the n-th.
    BadJson(u32),
    /// The n-th event replaced.
    LostJson(u32),
    NoDone,
    NoDoneOpen,
    ErrorEvent(u32),
    Pings,
    Drip,
}

/// Where a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cursor {
    Opening,
    Tokens,
    Closing,
    Over,
}

/// The stream of one answer.
#[derive(Debug)]
pub(super) struct Events {
    narration: Box<dyn Narration>,
    /// Output tokens of the answer.
    output: u32,
    between: Span,
    twist: Twist,
    cursor: Cursor,
    /// Events that are ready and not sent.
    queue: VecDeque<Bytes>,
    /// Events so far.
    events: u32,
    /// Tokens so far.
    tokens: u32,
    /// Whether a twist that happens once has happened.
    twisted: bool,
}

impl Twist {
    /// What `fault` does to an answer of `output` tokens; nothing if it is not of that sort.
    pub(super) fn of(fault: Fault, output: u32) -> Self {
        let number = fault.number;
        match fault.kind {
            Kind::Late => Self::Late(Span::from_secs(u64::from(number))),
            Kind::Cut => Self::CutReset(number),
            Kind::CutEof => Self::CutEof(number),
            Kind::CutClean => Self::CutClean(number),
            Kind::TruncatedJson => Self::CutClean(output / 2),
            Kind::Stall => Self::Stall(number),
            Kind::BadJson => Self::BadJson(number),
            Kind::LostJson => Self::LostJson(number),
            Kind::NoDone => Self::NoDone,
            Kind::NoDoneOpen => Self::NoDoneOpen,
            Kind::ErrorEvent => Self::ErrorEvent(number),
            Kind::Pings => Self::Pings,
            Kind::Drip => Self::Drip,
            _ => Self::None,
        }
    }

    /// Whether headers go out before the first token is due.
    pub(super) fn headers_first(self) -> bool {
        matches!(self, Self::Late(_) | Self::Pings)
    }

    /// Whether a client that read a whole answer to the end lacks something.
    pub(super) fn spoils_whole(self) -> bool {
        self.spoils() || matches!(self, Self::BadJson(_))
    }

    /// Whether a client that read a stream to the end lacks something.
    pub(super) fn spoils(self) -> bool {
        !matches!(
            self,
            Self::None
                | Self::Late(_)
                | Self::Stall(_)
                | Self::BadJson(_)
                | Self::NoDone
                | Self::NoDoneOpen
        )
    }
}

impl Step {
    /// Sends `bytes` after `wait`.
    pub(super) fn send(wait: Span, bytes: Bytes) -> Self {
        Self {
            wait,
            act: Act::Send(bytes),
            tokens: 0,
        }
    }

    /// Ends the body in some way after `wait`.
    pub(super) fn end(wait: Span, act: Act) -> Self {
        Self {
            wait,
            act,
            tokens: 0,
        }
    }
}

impl Events {
    /// The stream of `output` tokens, `between` apart.
    pub(super) fn new(
        narration: Box<dyn Narration>,
        output: u32,
        between: Span,
        twist: Twist,
    ) -> Self {
        Self {
            narration,
            output,
            between,
            twist,
            cursor: Cursor::Opening,
            queue: VecDeque::new(),
            events: 0,
            tokens: 0,
            twisted: false,
        }
    }

    /// What comes next.
    pub(super) fn next(&mut self) -> Step {
        if let Some(step) = self.twisted() {
            return step;
        }
        let mut step = self.straight();
        if matches!(step.act, Act::Send(_)) {
            self.events += 1;
            if self.twist == Twist::LostJson(self.events) {
                step.act = Act::Send(self.narration.garbled());
            }
        }
        step
    }

    /// What the twist puts before the next event, if anything.
    fn twisted(&mut self) -> Option<Step> {
        let at = |after: u32| {
            self.cursor == Cursor::Tokens
                && self.queue.is_empty()
                && self.tokens >= after.min(self.output)
        };
        match self.twist {
            Twist::CutReset(after) if at(after) => Some(self.over(Act::Reset)),
            Twist::CutEof(after) if at(after) => Some(self.over(Act::Close)),
            Twist::CutClean(after) if at(after) => Some(self.over(Act::End)),
            Twist::ErrorEvent(after) if at(after) => {
                self.cursor = Cursor::Over;
                Some(Step::send(self.between, self.narration.error()))
            }
            Twist::BadJson(nth) if !self.twisted && self.events + 1 == nth => {
                self.twisted = true;
                self.events += 1;
                Some(Step::send(self.between, self.narration.garbled()))
            }
            Twist::Pings => Some(Step::send(DRIP, self.narration.ping())),
            _ => None,
        }
    }

    fn over(&mut self, act: Act) -> Step {
        self.cursor = Cursor::Over;
        Step::end(SETTLE, act)
    }

    /// The next event as if nothing were wrong with it.
    fn straight(&mut self) -> Step {
        if let Some(event) = self.queue.pop_front() {
            let wait = if self.events == 0 {
                self.late()
            } else {
                Span::ZERO
            };
            return Step::send(wait, event);
        }
        match self.cursor {
            Cursor::Opening => {
                self.cursor = Cursor::Tokens;
                self.queue = self.narration.opening().into();
                self.straight()
            }
            Cursor::Tokens if self.tokens < self.output || self.twist == Twist::Drip => {
                self.token()
            }
            Cursor::Tokens => {
                self.cursor = Cursor::Closing;
                self.queue = self.narration.closing().into();
                self.straight()
            }
            Cursor::Closing => self.done(),
            Cursor::Over => Step::end(Span::ZERO, Act::End),
        }
    }

    fn token(&mut self) -> Step {
        let wait = match (self.twist, self.tokens) {
            (Twist::Drip, _) => DRIP,
            (Twist::Stall(after), so_far) if after == so_far && !self.twisted => {
                self.twisted = true;
                STALL
            }
            (_, 0) if self.events == 0 => self.late(),
            (_, 0) => Span::ZERO,
            _ => self.between,
        };
        self.tokens += 1;
        let event = self.narration.token(self.tokens);
        Step {
            wait,
            act: Act::Send(event),
            tokens: 1,
        }
    }

    fn done(&mut self) -> Step {
        self.cursor = Cursor::Over;
        match self.twist {
            Twist::NoDone => Step::end(Span::ZERO, Act::End),
            Twist::NoDoneOpen => Step::end(FOREVER, Act::End),
            _ => match self.narration.last() {
                Some(event) => Step::send(Span::ZERO, event),
                None => Step::end(Span::ZERO, Act::End),
            },
        }
    }

    fn late(&self) -> Span {
        if let Twist::Late(late) = self.twist {
            late
        } else {
            Span::ZERO
        }
    }
}

/// The steps of a whole answer that goes wrong on its way; the second value is its length, where one is told.
///
/// `error` is what an error among events becomes: the whole body.
pub(super) fn bent_whole(body: Bytes, error: Bytes, twist: Twist) -> (Vec<Step>, Option<u64>) {
    let length = Some(body.len() as u64);
    let half = body.slice(..body.len() / 2);
    let rest = body.slice(body.len() / 2..);
    let end = Step::end(Span::ZERO, Act::End);
    let first = Step::send(Span::ZERO, half.clone());
    match twist {
        Twist::None | Twist::NoDone => (vec![Step::send(Span::ZERO, body), end], length),
        Twist::Late(late) => (vec![Step::send(late, body), end], length),
        Twist::CutReset(_) => (vec![first, Step::end(SETTLE, Act::Reset)], length),
        Twist::CutEof(_) => (vec![first, Step::end(SETTLE, Act::Close)], length),
        Twist::CutClean(_) | Twist::BadJson(_) | Twist::LostJson(_) => {
            (vec![first, end], Some(half.len() as u64))
        }
        Twist::Stall(_) => (vec![first, Step::send(STALL, rest), end], length),
        Twist::NoDoneOpen => (
            vec![Step::send(Span::ZERO, body), Step::end(FOREVER, Act::End)],
            None,
        ),
        Twist::ErrorEvent(_) => {
            let length = Some(error.len() as u64);
            (vec![Step::send(Span::ZERO, error), end], length)
        }
        Twist::Pings => (vec![Step::send(DRIP, Bytes::from_static(b"\n"))], None),
        Twist::Drip => (
            vec![first, Step::send(DRIP, Bytes::from_static(b"w "))],
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::super::ask::Ask;
    use super::super::narration::COMMENT;
    use super::super::openai::Chunks;
    use super::super::plan::Plan;
    use super::*;

    const BETWEEN: Span = Span::from_millis(15);

    fn events(twist: Twist) -> Vec<Step> {
        let plan = Plan {
            ask: Ask {
                include_usage: true,
                ..Ask::default()
            },
            output: 60,
            ..Plan::default()
        };
        let mut events = Events::new(Box::new(Chunks::new(plan)), 60, BETWEEN, twist);
        let mut steps = Vec::new();
        while steps.len() < 100 {
            steps.push(events.next());
            if !matches!(steps.last().unwrap().act, Act::Send(_)) {
                break;
            }
        }
        steps
    }

    fn tokens(steps: &[Step]) -> u32 {
        steps.iter().map(|step| step.tokens).sum()
    }

    fn sends(step: &Step, text: &str) -> bool {
        matches!(&step.act, Act::Send(bytes) if std::str::from_utf8(bytes).unwrap().contains(text))
    }

    #[test]
    fn a_straight_stream_is_complete() {
        let steps = events(Twist::None);
        assert_eq!((steps.len(), tokens(&steps)), (1 + 60 + 1 + 1 + 1 + 1, 60));
        assert!(
            sends(&steps[0], "\"role\"")
                && sends(&steps[61], "\"stop\"")
                && sends(&steps[62], "\"prompt_tokens\"")
        );
        assert!(sends(&steps[63], "data: [DONE]"));
        let waits: u64 = steps.iter().map(|step| step.wait.as_micros()).sum();
        assert_eq!(waits, 59 * BETWEEN.as_micros());
    }

    #[test]
    fn cuts_come_after_their_tokens() {
        for (twist, act) in [
            (Twist::CutReset(40), Act::Reset),
            (Twist::CutEof(40), Act::Close),
            (Twist::CutClean(40), Act::End),
        ] {
            let steps = events(twist);
            assert_eq!((tokens(&steps), &steps.last().unwrap().act), (40, &act));
            assert!(!steps.iter().any(|step| sends(step, "\"stop\"")));
        }
    }

    #[test]
    fn a_stall_is_silent_for_30_s_and_goes_on() {
        let steps = events(Twist::Stall(20));
        assert_eq!((tokens(&steps), steps[21].wait), (60, STALL));
    }

    #[test]
    fn the_tenth_event_is_invalid_and_a_word_is_lost_only_where_said() {
        let extra = events(Twist::BadJson(10));
        assert_eq!((sends(&extra[9], "[{\"del\n"), tokens(&extra)), (true, 60));
        assert!((1..=60).all(|n| extra.iter().any(|step| sends(step, &format!("w{n}\"")))));
        let lost = events(Twist::LostJson(10));
        assert_eq!(
            (sends(&lost[9], "[{\"del\n"), lost.len() + 1),
            (true, extra.len())
        );
        assert!(!lost.iter().any(|step| sends(step, "w9\"")));
    }

    #[test]
    fn endings_without_done() {
        let closed = events(Twist::NoDone);
        assert_eq!(closed.last().unwrap(), &Step::end(Span::ZERO, Act::End));
        let open = events(Twist::NoDoneOpen);
        assert_eq!(open.last().unwrap(), &Step::end(FOREVER, Act::End));
        for steps in [closed, open] {
            assert!(tokens(&steps) == 60 && !steps.iter().any(|step| sends(step, "[DONE]")));
        }
    }

    #[test]
    fn errors_pings_drips_and_lateness() {
        let error = events(Twist::ErrorEvent(3));
        assert_eq!(tokens(&error), 3);
        assert!(sends(&error[4], "server_error") && error[5].act == Act::End);
        let pings = events(Twist::Pings);
        assert!(
            pings.len() == 100
                && pings
                    .iter()
                    .all(|step| step.act == Act::Send(COMMENT) && step.wait == DRIP)
        );
        let drip = events(Twist::Drip);
        assert!(drip.len() == 100 && tokens(&drip) == 99 && drip[50].wait == DRIP);
        assert_eq!(events(Twist::Late(STALL))[0].wait, STALL);
    }
}
