//! What a response teaches about limits: headers on success, numbers in a refusal, or nothing but the refusal.
//!
//! A reading describes the provider's bucket when *that* request was counted, so what was charged after it is subtracted and what has flowed in since is added.
//! A refusal that the mirrors explain teaches nothing new; one that they do not explain means another limit, a shorter slice or, if the provider told nothing, a measurement.
//!
//! # Invariants
//! - A refusal of a request that was sent before the last refusal was answered, or in the pause after it, is no new event.
//! - After a pause the mirrors have room for a request like the refused one: it is asked again, whatever its size.
//! - Nothing is learned from quotas of an hour or longer: they are waited out.
//! - No reading moves the mirror of a limit that an operator has put before it, or holds the route; a refusal still does.

use crate::time::{Span, Time};

use super::gate::HoldReason;
use super::lane::{Claimed, Shortened};
use super::learner::{Hint, Mark};
use super::limits::{CLEARED, Charged, Gate, Limits, RATES, Room, correct, mirror_wait};
use super::mirror::nanos;
use super::report::{Dimension, LimitReport, LimitSource, MINUTE, QUOTA_WINDOW, Reading};

/// A `Retry-After` from which on a quota is meant and not a rate: 2 minutes, twice the longest window that is paced by default.
const QUOTA_WAIT: Span = Span::from_secs(120);

/// How long a used-up quota is waited for when nobody says when it ends: 10 minutes.
const QUOTA_HOLD: Span = Span::from_secs(600);

/// Step by which the part given back is adapted at each reading that disagrees with the mirror: 50 readings from all to none.
const REFUND_STEP: f32 = 0.02;

/// Disagreement between mirror and reading that is worth adapting to, as a part of the bucket.
const REFUND_NOISE: f64 = 0.005;

/// Part of the requests in flight that is allowed after a refusal for concurrency.
const CROWD_CUT: f64 = 0.9;

/// Ratio of variances below which the worse dimension is innocent: an F test of some eight estimates gives it by chance once in twenty.
const CLEARING: f64 = 0.25;

/// How much larger than ourselves a provider may count a request, as a ratio, before a refusal needs another explanation.
const COUNTED_LARGER: f64 = 1.5;

/// How often the concurrency limit may grow by one while it is not refused: each minute.
const CROWD_GROWTH: Span = Span::from_secs(60);

/// A refusal for our own limits, beyond what was observed of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    /// What the provider asked us to wait.
    pub(crate) retry_after: Option<Span>,
    /// A random number, 0..1.
    pub(crate) jitter: f32,
    /// Requests in flight when it came, the refused one included.
    pub(crate) inflight: u32,
}

/// Takes in what a response says about limits; call before `settle` or `reject` of the same request.
pub(crate) fn observe(
    gate: &Gate,
    limits: &Limits,
    charged: &mut Charged,
    report: &LimitReport,
    now: Time,
) {
    charged.named = report.refused.or(charged.named);
    for (index, dimension) in Dimension::ALL.into_iter().take(RATES).enumerate() {
        if let Some(reading) = report.reading(dimension) {
            let seen = Seen {
                index,
                report,
                reading,
                now,
            };
            charged.room = charged.room.max(take_reading(gate, limits, charged, &seen));
        }
    }
}

/// One reading and where it was found.
#[derive(Clone, Copy, Debug)]
struct Seen<'a> {
    /// The dimension's index.
    index: usize,
    report: &'a LimitReport,
    reading: &'a Reading,
    now: Time,
}

/// A bucket as the provider describes it.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    limit: f64,
    window: Span,
    /// Units left when the request was counted.
    left: f64,
    /// Whether limit or window differ from what was read before.
    changed: bool,
}

/// Takes in one reading; returns what it told about the room for this request.
fn take_reading(gate: &Gate, limits: &Limits, charged: &Charged, seen: &Seen<'_>) -> Room {
    let Seen {
        index,
        report,
        reading,
        now,
    } = *seen;
    let Some(limit) = reading.positive_limit() else {
        return Room::Unknown;
    };
    let lane = &limits.lanes[index];
    let blamed = report.refused.map(Dimension::index) == Some(index);
    let shown = reading.window();
    let certain = reading.window.is_some() || report.source == LimitSource::Body;
    let window = shown
        .filter(|_| certain)
        .unwrap_or_else(|| lane.window(shown));
    let mark = Mark {
        at: now,
        units: charged.marks[index],
        requests: charged.marks[Dimension::Requests.index()],
    };
    let changed = lane.state((limit, window), report.source, mark, &limits.tuning);
    if changed || report.source == LimitSource::Body {
        limits.publish(index);
    }
    // Why: it is remembered for when the operator's limit is taken away, and until then it counts for nothing.
    if lane.own().is_some() {
        return Room::Unknown;
    }
    let Some(left) = reading.left().or(blamed.then_some(0.0)) else {
        return Room::Unknown;
    };
    let bucket = Bucket {
        limit,
        window,
        left,
        changed,
    };
    if left < 1.0 {
        hold_used_up(gate, charged.units[index], &bucket, seen);
    }
    if window < QUOTA_WINDOW {
        compare(gate, limits, charged, &bucket, seen);
    }
    let needed = reading
        .requested
        .unwrap_or_else(|| f64::from(charged.units[index]) * COUNTED_LARGER);
    if left < needed {
        Room::Spent
    } else {
        Room::Enough
    }
}

/// Holds the route if a limit is used up whose end a mirror cannot know: a quota's or a fixed window's.
fn hold_used_up(gate: &Gate, units: f32, bucket: &Bucket, seen: &Seen<'_>) {
    let reading = seen.reading;
    if bucket.window >= QUOTA_WINDOW {
        // An inferred quota refills continuously, a stated one all at once.
        let refill = bucket
            .window
            .mul_f64(f64::from(units.max(1.0)) / bucket.limit);
        let end = if reading.window.is_some() {
            reading.reset.unwrap_or(QUOTA_HOLD)
        } else {
            refill
        };
        gate.hold_until(seen.now.plus(end), HoldReason::Quota);
    } else if reading.window().is_none() && reading.requested.is_none() {
        let end = reading
            .reset
            .filter(|reset| *reset <= MINUTE)
            .unwrap_or(Span::ZERO);
        gate.hold_until(seen.now.plus(end), HoldReason::Window);
    }
}

/// Brings the mirror of the reading's dimension in line with what is left in `bucket`.
fn compare(gate: &Gate, limits: &Limits, charged: &Charged, bucket: &Bucket, seen: &Seen<'_>) {
    let (index, now) = (seen.index, seen.now);
    let lane = &limits.lanes[index];
    let rule = limits.rule(index);
    let since = limits.taken.0[index]
        .load()
        .wrapping_sub(charged.marks[index]) as i64;
    let target = rule.at_level(bucket.left - since as f64, charged.at);
    let before = lane.compared_at.swap(now.as_micros());
    // Only the provider's own bucket may be raised to the provider's level: not a told one, not a shallower one.
    let rate = bucket.limit / bucket.window.as_secs_f64();
    let own = rule.depth() >= bucket.window.mul_f64(0.99) && rule.rate() >= 0.99 * rate;
    let flowed = if own && before > 0 {
        nanos(now.minus(Span::from_micros(before)))
    } else {
        0
    };
    let swap = limits.tat(gate, index).update(|tat| {
        if bucket.changed && own {
            target
        } else {
            target.max(tat.saturating_sub(flowed)).min(target.max(tat))
        }
    });
    let Some(swap) = swap.filter(|_| own && !bucket.changed) else {
        return;
    };
    if swap.before.max(target) > nanos(now) {
        let away = (target as f64 - swap.before as f64) / (rule.depth().as_micros() as f64 * 1e3);
        if away.abs() > REFUND_NOISE {
            lane.adapt_refund(if away > 0.0 {
                -REFUND_STEP
            } else {
                REFUND_STEP
            });
        }
    }
}

/// Takes in a refusal for our own limits, and gives back what it was charged.
///
/// The request itself stays charged: providers count refused requests.
pub(crate) fn reject(
    gate: &Gate,
    limits: &Limits,
    mut charged: Charged,
    refusal: Refusal,
    now: Time,
) {
    charged.hinted = refusal.retry_after.is_some();
    correct(
        gate,
        limits,
        &charged,
        [charged.units[0], 0.0, 0.0, 0.0],
        now,
    );
    limits.taken.0[Dimension::Requests.index()].fetch_sub(1);
    let told = refusal
        .retry_after
        .map(|wait| wait.min(limits.tuning.gate_max));
    if let Some(wait) = told.filter(|wait| *wait > QUOTA_WAIT) {
        gate.hold_until(now.plus(wait), HoldReason::RetryAfter);
        return;
    }
    // Jittered upwards only: earlier than asked would be refused again.
    let padding = 1.0 + f64::from(limits.tuning.gate_jitter * refusal.jitter.clamp(0.0, 1.0));
    if charged.room == Room::Spent {
        let short = mirror_wait(gate, limits, charged.units, now);
        // The provider may count the request larger than we do; then our mirror has room and its word counts.
        let unseen = (short == Span::ZERO).then_some(limits.tuning.gate_default);
        if let Some(wait) = told.filter(|wait| *wait > short.plus(short)).or(unseen) {
            gate.hold_until(now.plus(wait.mul_f64(padding)), HoldReason::RetryAfter);
        }
        return;
    }
    let pause = if charged.named == Some(Dimension::Concurrency) {
        crowd(limits, refusal.inflight, now)
    } else {
        learn(gate, limits, &charged, now)
    };
    let reason = if told > pause {
        HoldReason::RetryAfter
    } else {
        HoldReason::Pause
    };
    if let Some(wait) = told.max(pause) {
        gate.hold_until(now.plus(wait.mul_f64(padding)), reason);
    }
}

/// Learns from a refusal that no mirror explains; the pause to make, if it was news.
fn learn(gate: &Gate, limits: &Limits, charged: &Charged, now: Time) -> Option<Span> {
    let (requests, tokens) = (Dimension::Requests.index(), Dimension::Tokens.index());
    if let Some(named) = charged.named.map(Dimension::index) {
        limits.lanes[named].name();
        return learn_one(gate, limits, charged, named, now);
    }
    let first = limits.suspect();
    let other = requests + tokens - first;
    let pause = learn_one(gate, limits, charged, first, now);
    learn_one(gate, limits, charged, other, now);
    suspect(limits, first, other);
    pause
}

/// Lets the dimension `index` learn from a refusal: a shorter slice if there should have been room, else its rate.
fn learn_one(
    gate: &Gate,
    limits: &Limits,
    charged: &Charged,
    index: usize,
    now: Time,
) -> Option<Span> {
    let lane = &limits.lanes[index];
    let claimed = lane.claim_event(charged.at, now)?;
    if charged.room == Room::Enough && !limits.rule(index).is_none() {
        match lane.shorten(now) {
            Shortened::Now => {
                drop(claimed);
                limits.publish(index);
                return Some(limits.tuning.gate_default);
            }
            Shortened::Before(since) => return Some(since.max(limits.tuning.gate_default)),
            Shortened::Already => {}
        }
    }
    Some(measure(gate, limits, claimed, (index, charged), now))
}

/// Blames the dimension in which the measurements agree better with each other; clears the other one if they do not agree at all.
fn suspect(limits: &Limits, first: usize, other: usize) {
    let spread = |index: usize| limits.lanes[index].learner().variance();
    let (Some(present), Some(rival)) = (spread(first), spread(other)) else {
        return;
    };
    let (blamed, better, worse) = if rival < present {
        (other, rival, present)
    } else {
        (first, present, rival)
    };
    let cleared = if better < CLEARING * worse {
        CLEARED
    } else {
        0
    };
    limits.suspect.store(blamed as u64 | cleared);
    limits.publish(first);
    limits.publish(other);
}

/// Lets the learner of the dimension `index` take in a refusal.
fn measure(
    gate: &Gate,
    limits: &Limits,
    mut claimed: Claimed<'_>,
    (index, charged): (usize, &Charged),
    now: Time,
) -> Span {
    let mut learner = claimed.learner();
    // Somewhere between nothing and just too little was left; the middle is the best guess.
    let half = charged.units[index] / 2.0;
    let mark = Mark {
        at: charged.at,
        units: charged.marks[index].wrapping_sub(half as u64),
        requests: charged.marks[Dimension::Requests.index()].wrapping_sub(1),
    };
    let hint = if charged.named.is_some() || charged.hinted {
        Hint::Told
    } else {
        Hint::None
    };
    let pause = learner.refused(mark, hint, now, &limits.tuning);
    claimed.keep(&learner);
    claimed.pause_until(now.plus(pause));
    drop(claimed);
    limits.publish(index);
    let rule = limits.rule(index);
    if !rule.is_none() && limits.lanes[index].own().is_none() {
        let drained = rule.at_room(charged.units[index], limits.spent, now.plus(pause));
        limits.tat(gate, index).update(|_| drained);
    }
    pause
}

/// Lowers the concurrency limit below what was just refused; the pause to make, if it was news.
fn crowd(limits: &Limits, inflight: u32, now: Time) -> Option<Span> {
    let news = |at: u64| at == 0 || now.since(Time::from_micros(at)) >= limits.tuning.event_gap;
    let swap = limits
        .crowd_at
        .update(|at| if news(at) { now.as_micros() } else { at })?;
    if swap.before == swap.after {
        return None;
    }
    let admitted = f64::from(inflight.saturating_sub(1));
    let lowered = (admitted * CROWD_CUT).floor().max(1.0) as u64;
    limits.known_concurrency.update(|most| {
        if most == 0 {
            lowered
        } else {
            most.min(lowered)
        }
    });
    limits.publish_concurrency();
    Some(limits.tuning.gate_default)
}

/// Looks at the counters; call about once a second.
pub(crate) fn sweep(_gate: &Gate, limits: &Limits, now: Time) {
    let requests = limits.taken.0[Dimension::Requests.index()].load();
    for (index, lane) in limits.lanes.iter().enumerate() {
        let Some(claimed) = lane.claim() else {
            continue;
        };
        let mut learner = claimed.learner();
        let before = learner.rate;
        learner.advance(
            Mark {
                at: now,
                units: limits.taken.0[index].load(),
                requests,
            },
            &limits.tuning,
        );
        claimed.keep(&learner);
        drop(claimed);
        if learner.rate.to_bits() != before.to_bits() {
            limits.publish(index);
        }
    }
    let most = limits.known_concurrency.load();
    if most > 0 && now.since(Time::from_micros(limits.crowd_at.load())) >= CROWD_GROWTH {
        limits.crowd_at.store(now.as_micros());
        let told = u64::from(limits.told_concurrency);
        limits.known_concurrency.update(|most| {
            if most > 0 && (told == 0 || most < told) {
                most + 1
            } else {
                most
            }
        });
        limits.publish_concurrency();
    }
}
