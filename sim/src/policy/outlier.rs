//! Which hosts are ejected for failing more than the others: gRPC's outlier detection, after Envoy's.
//!
//! Source: gRFC A50. Every 10 s, over what ended since the last sweep:
//! a host with enough requests is ejected if its success rate is below `mean − 1.9·stdev` of those with enough, if there are enough of them; or if more than 85 % of its requests failed.
//! An ejection lasts 30 s times a multiplier that grows with each and shrinks with each sweep without, at most 300 s; at most 10 % are ejected, but always one.
//! One outlier among N is at most √(N−1) standard deviations below the mean, so that 1.9 is out of reach with four hosts or fewer.
//!
//! # Invariants
//! - A sweep looks at finished requests only, and at each once.

use scoring::time::{Span, Time};

/// Time between two sweeps.
const INTERVAL: Span = Span::from_secs(10);

/// An ejection's length for a multiplier of 1.
const BASE_EJECTION: Span = Span::from_secs(30);

/// An ejection's greatest length.
const MAX_EJECTION: Span = Span::from_secs(300);

/// Standard deviations below the mean that make an outlier.
const STDEV_FACTOR: f64 = 1.9;

/// Failed requests that eject, in percent.
const FAILURE_PERCENT: u32 = 85;

/// Thresholds that depend on the pool's size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thresholds {
    /// Hosts that must have enough requests.
    pub(super) min_hosts: usize,
    /// Requests in an interval that are enough for the success rate.
    pub(super) rate_volume: u32,
    /// The same for the failure percentage.
    pub(super) percent_volume: u32,
    /// Hosts that may be ejected at once, in percent.
    pub(super) max_ejection_percent: usize,
}

impl Thresholds {
    /// gRFC A50's defaults.
    pub(super) const DEFAULT: Self = Self {
        min_hosts: 5,
        rate_volume: 100,
        percent_volume: 50,
        max_ejection_percent: 10,
    };
}

/// The hosts of a pool.
#[derive(Clone, Debug)]
pub(super) struct Outliers {
    thresholds: Thresholds,
    hosts: Vec<Host>,
    next_sweep: Time,
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    successes: u32,
    failures: u32,
    ejected: Option<Time>,
    multiplier: u32,
}

impl Host {
    fn total(&self) -> u32 {
        self.successes + self.failures
    }

    fn rate(&self) -> f64 {
        f64::from(self.successes) / f64::from(self.total())
    }
}

impl Outliers {
    /// Nobody is ejected.
    pub(super) fn new(count: usize, thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            hosts: vec![Host::default(); count],
            next_sweep: Time::default().plus(INTERVAL),
        }
    }

    /// Whether a host is ejected.
    pub(super) fn is_ejected(&self, host: usize) -> bool {
        self.hosts[host].ejected.is_some()
    }

    /// A request has ended.
    pub(super) fn count(&mut self, host: usize, failed: u32) {
        self.hosts[host].failures += failed;
        self.hosts[host].successes += 1 - failed;
    }

    /// Sweeps if it is time; calls `returned` for each host that is used again.
    pub(super) fn tick(&mut self, now: Time, mut returned: impl FnMut(usize)) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now.plus(INTERVAL);
        self.eject_by_rate(now);
        self.eject_by_percent(now);
        for (index, host) in self.hosts.iter_mut().enumerate() {
            (host.successes, host.failures) = (0, 0);
            let Some(since) = host.ejected else {
                host.multiplier = host.multiplier.saturating_sub(1);
                continue;
            };
            let lasts = BASE_EJECTION.mul_f64(f64::from(host.multiplier));
            if now > since.plus(lasts.min(MAX_EJECTION)) {
                host.ejected = None;
                returned(index);
            }
        }
    }

    fn eject_by_rate(&mut self, now: Time) {
        let volume = self.thresholds.rate_volume;
        let enough = |it: &&Host| it.total() >= volume;
        let count = self.hosts.iter().filter(enough).count();
        if count < self.thresholds.min_hosts {
            return;
        }
        let rates = self.hosts.iter().filter(enough).map(Host::rate);
        let mean = rates.clone().sum::<f64>() / count as f64;
        let variance = rates.map(|it| (it - mean).powi(2)).sum::<f64>() / count as f64;
        let least = mean - STDEV_FACTOR * variance.sqrt();
        for index in 0..self.hosts.len() {
            let host = self.hosts[index];
            if host.total() >= volume && host.rate() < least {
                self.eject(index, now);
            }
        }
    }

    fn eject_by_percent(&mut self, now: Time) {
        if self.hosts.len() < self.thresholds.min_hosts {
            return;
        }
        for index in 0..self.hosts.len() {
            let host = self.hosts[index];
            let enough = host.total() >= self.thresholds.percent_volume;
            if enough && host.failures * 100 > FAILURE_PERCENT * host.total() {
                self.eject(index, now);
            }
        }
    }

    fn eject(&mut self, index: usize, now: Time) {
        let ejected = self.hosts.iter().filter(|it| it.ejected.is_some()).count();
        let percent = 100 * ejected / self.hosts.len();
        let host = &mut self.hosts[index];
        if host.ejected.is_none()
            && (ejected == 0 || percent < self.thresholds.max_ejection_percent)
        {
            host.ejected = Some(now);
            host.multiplier += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small pools' thresholds with the failure percentage out of reach.
    const BY_RATE: Thresholds = Thresholds {
        min_hosts: 2,
        rate_volume: 10,
        percent_volume: u32::MAX,
        max_ejection_percent: 50,
    };

    fn at(secs: u64) -> Time {
        Time::default().plus(Span::from_secs(secs))
    }

    /// Who is ejected after an interval of 100 requests each, of which so many failed.
    fn ejected(thresholds: Thresholds, failures: &[u32]) -> Vec<usize> {
        let mut outliers = Outliers::new(failures.len(), thresholds);
        feed(&mut outliers, failures);
        outliers.tick(at(10), |_| {});
        (0..failures.len())
            .filter(|&it| outliers.is_ejected(it))
            .collect()
    }

    fn feed(outliers: &mut Outliers, failures: &[u32]) {
        for (host, &failures) in failures.iter().enumerate() {
            (0..100).for_each(|it| outliers.count(host, u32::from(it < failures)));
        }
    }

    #[test]
    fn one_outlier_among_four_is_out_of_reach_and_among_five_is_not() {
        for healthy in 1..=3 {
            let mut failures = vec![0; healthy];
            failures.push(100);
            assert!(ejected(BY_RATE, &failures).is_empty(), "{healthy} others");
        }
        assert_eq!(ejected(BY_RATE, &[0, 0, 0, 0, 100]), [4]);
        assert_eq!(ejected(BY_RATE, &[0, 0, 0, 0, 2]), [4], "however small");
    }

    #[test]
    fn defaults_want_five_hosts_and_the_percentage_more_than_85() {
        assert!(ejected(Thresholds::DEFAULT, &[0, 0, 0, 100]).is_empty());
        assert_eq!(ejected(Thresholds::DEFAULT, &[0, 0, 0, 0, 100]), [4]);
        let small = Thresholds {
            rate_volume: u32::MAX,
            percent_volume: 5,
            ..BY_RATE
        };
        assert!(ejected(small, &[0, 0, 0, 85]).is_empty());
        assert_eq!(ejected(small, &[0, 0, 0, 86]), [3]);
        assert_eq!(ejected(small, &[90, 90, 90, 90]), [0, 1], "half at most");
        let one = Thresholds {
            max_ejection_percent: 0,
            ..small
        };
        assert_eq!(ejected(one, &[90, 90, 90, 90]), [0], "but always one");
    }

    #[test]
    fn ejections_last_thirty_seconds_times_the_multiplier() {
        let mut outliers = Outliers::new(5, BY_RATE);
        feed(&mut outliers, &[0, 0, 0, 0, 100]);
        let mut returned = Vec::new();
        for secs in (10..=50).step_by(10) {
            outliers.tick(at(secs), |it| returned.push((secs, it)));
        }
        assert_eq!(returned, [(50, 4)], "after, not at, 10 s + 30 s");
        feed(&mut outliers, &[0, 0, 0, 0, 100]);
        for secs in (60..=140).step_by(10) {
            outliers.tick(at(secs), |it| returned.push((secs, it)));
        }
        assert_eq!(returned[1..], [(130, 4)], "60 s the second time");
    }
}
