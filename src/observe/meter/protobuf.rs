//! Prometheus' protobuf format, with native histograms: length-delimited `io.prometheus.client.MetricFamily` messages.
//!
//! A scraper with native histograms enabled asks for it; the messages are few and flat, so they are written here, field by field.
//! The numbers of fields are those of `io/prometheus/client/metrics.proto`.
//!
//! # Invariants
//! - A histogram has its classic and its native buckets, of the same counts; a scraper takes what it wants.
//! - Native buckets are told as spans of neighbours, with counts as differences; gaps are spans' offsets.

use super::metric::{Kind, Metric};
use super::scale::{SCHEMA, Scale};
use super::{Exposition, Labels};

/// Gaps of so many empty buckets are written out: an empty bucket is a byte, a span two to four.
const GAP: i32 = 2;

/// Messages that are being written.
#[derive(Debug, Default)]
pub(crate) struct Protobuf {
    out: Vec<u8>,
    family: Vec<u8>,
    kind: Option<Kind>,
}

impl Protobuf {
    fn flush(&mut self) {
        if self.kind.take().is_some() {
            varint(&mut self.out, self.family.len() as u64);
            self.out.append(&mut self.family);
        }
    }

    fn metric(&mut self, labels: &Labels<'_>, field: u64, value: &[u8]) {
        let mut metric = Vec::with_capacity(64 + value.len());
        for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            let mut pair = Vec::with_capacity(name.len() + value.len() + 4);
            bytes(&mut pair, 1, name.as_bytes());
            bytes(&mut pair, 2, value.as_bytes());
            bytes(&mut metric, 1, &pair);
        }
        bytes(&mut metric, field, value);
        bytes(&mut self.family, 4, &metric);
    }
}

impl Exposition for Protobuf {
    fn family(&mut self, metric: &Metric) {
        self.flush();
        self.kind = Some(metric.kind);
        bytes(&mut self.family, 1, metric.name.as_bytes());
        bytes(&mut self.family, 2, metric.help.as_bytes());
        let kind = match metric.kind {
            Kind::Counter | Kind::Dollars => 0,
            Kind::Gauge => 1,
            Kind::Histogram(_) => 4,
        };
        integer(&mut self.family, 3, kind);
    }

    fn value(&mut self, labels: &Labels<'_>, value: f64) {
        let mut number = Vec::with_capacity(9);
        double(&mut number, 1, value);
        let field = match self.kind {
            Some(Kind::Gauge) => 2,
            _ => 3,
        };
        self.metric(labels, field, &number);
    }

    fn histogram(
        &mut self,
        labels: &Labels<'_>,
        (scale, counts, sum): (&'static Scale, &[u64], f64),
    ) {
        let all = counts.iter().sum();
        let mut told = Vec::with_capacity(512);
        integer(&mut told, 1, all);
        double(&mut told, 2, sum);
        let classic = scale.classic(counts).chain([(f64::INFINITY, all)]);
        for (bound, count) in classic {
            let mut bucket = Vec::with_capacity(20);
            integer(&mut bucket, 1, count);
            double(&mut bucket, 2, bound);
            bytes(&mut told, 3, &bucket);
        }
        let (buckets, zero) = scale.native(counts);
        integer(&mut told, 5, zigzag(i64::from(SCHEMA)));
        double(&mut told, 6, scale.zero_threshold());
        integer(&mut told, 7, zero);
        let (spans, counts) = spans(&buckets);
        for (offset, length) in spans {
            let mut span = Vec::with_capacity(8);
            integer(&mut span, 1, zigzag(offset.into()));
            integer(&mut span, 2, length);
            bytes(&mut told, 12, &span);
        }
        let mut before = 0;
        for count in counts {
            integer(&mut told, 13, zigzag(count - before));
            before = count;
        }
        self.metric(labels, 7, &told);
    }

    fn finish(&mut self) -> Vec<u8> {
        self.flush();
        std::mem::take(&mut self.out)
    }
}

/// Spans of neighbouring buckets (the gap before each, its length), and the counts in them.
fn spans(buckets: &[(i32, u64)]) -> (Vec<(i32, u64)>, Vec<i64>) {
    let (mut spans, mut counts): (Vec<(i32, u64)>, Vec<i64>) = (Vec::new(), Vec::new());
    // The bucket after the last one told; spans begin to count at bucket 0.
    let mut next = 0;
    for &(index, count) in buckets {
        let gap = index - next;
        match spans.last_mut() {
            Some((_, length)) if gap <= GAP => {
                *length += gap as u64 + 1;
                counts.extend((0..gap).map(|_| 0));
            }
            _ => spans.push((gap, 1)),
        }
        counts.push(count as i64);
        next = index + 1;
    }
    (spans, counts)
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A signed number so that small ones are short.
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn integer(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    varint(out, field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_protobuf_does() {
        let mut out = Vec::new();
        integer(&mut out, 1, 150);
        integer(&mut out, 13, zigzag(-2));
        bytes(&mut out, 2, b"testing");
        assert_eq!(out[..3], [0x08, 0x96, 0x01]);
        assert_eq!(out[3..5], [0x68, 0x03]);
        assert_eq!(
            out[5..],
            [0x12, 7, b't', b'e', b's', b't', b'i', b'n', b'g']
        );
    }

    #[test]
    fn spans_say_which_buckets_have_counts() {
        let buckets = [(-5, 1), (-4, 2), (-1, 3), (9, 4)];
        let (spans, counts) = spans(&buckets);
        assert_eq!(spans, [(-5, 5), (9, 1)]);
        assert_eq!(counts, [1, 2, 0, 0, 3, 4]);
        // Reading them back gives what was told.
        let mut index = 0;
        let mut read = Vec::new();
        let mut counts = counts.iter();
        for (offset, length) in spans {
            index += offset;
            for _ in 0..length {
                read.push((index, *counts.next().unwrap() as u64));
                index += 1;
            }
        }
        read.retain(|(_, count)| *count > 0);
        assert_eq!(read, buckets);
    }
}
