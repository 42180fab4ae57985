//! Each scraper gets the format that it asks for, and each format tells the same.

use std::collections::BTreeMap;

use super::{everything, serve_all_sorts};
use crate::support::{Answer, Bench, Call, Client, Folder, bench};

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5";
const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,text/plain;q=0.5";

async fn scrape(bench: &Bench, accept: &str) -> Answer {
    let mut client = Client::open(bench.gateway.admin).await;
    client
        .call(&Call::get("/metrics").header("accept", accept))
        .await
}

/// The samples of a text that do not change from one scrape to the next.
fn steady(text: &str) -> BTreeMap<String, String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.filter_map(|line| line.rsplit_once(' '));
    let steady =
        samples.filter(|(name, _)| name.starts_with("router_") || name.starts_with("cache_"));
    steady
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// A field of a protobuf message.
enum Field<'a> {
    Integer(u64),
    Double,
    Bytes(&'a [u8]),
}

/// The fields of a message, with their numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Integer(varint(&mut message)),
            1 => {
                message = &message[8..];
                Field::Double
            }
            2 => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                let (bytes, rest) = message.split_at(length);
                message = rest;
                Field::Bytes(bytes)
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = message[0];
        *message = &message[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

#[test]
fn formats_are_negotiated_and_tell_the_same() {
    let folder = Folder::new("metrics-formats");
    bench(&everything(&folder), async |bench| {
        serve_all_sorts(&bench).await;
        let plain = scrape(&bench, "*/*").await;
        assert_eq!(
            plain.header("content-type"),
            Some("text/plain; version=0.0.4; charset=utf-8")
        );
        let open = scrape(&bench, OPENMETRICS).await;
        assert_eq!(
            open.header("content-type"),
            Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
        );
        assert!(open.text().ends_with("# EOF\n"));
        assert!(
            plain
                .text()
                .contains("# TYPE router_requests_total counter")
        );
        assert!(open.text().contains("# TYPE router_requests counter"));
        let told = steady(&plain.text());
        assert!(told.len() > 100);
        assert_eq!(told, steady(&open.text()));
        for line in plain
            .text()
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
        {
            let again = plain.text().lines().filter(|it| *it == line).count();
            assert_eq!(again, 1, "{line}");
        }

        let coded = scrape(&bench, PROTOBUF).await;
        let kind = coded.header("content-type").unwrap();
        assert!(kind.starts_with(
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily"
        ));
        let mut families = BTreeMap::new();
        let mut body = coded.body.as_slice();
        while !body.is_empty() {
            let length = usize::try_from(varint(&mut body)).unwrap();
            let (family, rest) = body.split_at(length);
            body = rest;
            let fields = fields(family);
            let Some((1, Field::Bytes(name))) = fields.first() else {
                panic!("a family begins with its name");
            };
            let count = fields.iter().filter(|(number, _)| *number == 4).count();
            families.insert(String::from_utf8(name.to_vec()).unwrap(), (count, family));
        }
        let named: Vec<String> = plain
            .text()
            .lines()
            .filter_map(|line| Some(line.strip_prefix("# TYPE ")?.split_once(' ')?.0.to_owned()))
            .collect();
        let mut sorted = named.clone();
        sorted.sort();
        assert_eq!(families.keys().cloned().collect::<Vec<_>>(), sorted);

        // The overhead's native buckets hold all that its classic ones do.
        let of_overhead = fields(families["router_overhead_seconds"].1);
        let metric = of_overhead.iter().find_map(|(number, field)| match field {
            Field::Bytes(bytes) if *number == 4 => Some(*bytes),
            _ => None,
        });
        let inner = fields(metric.unwrap());
        let histogram = inner.iter().find_map(|(number, field)| match field {
            Field::Bytes(bytes) if *number == 7 => Some(*bytes),
            _ => None,
        });
        let (mut all, mut native, mut count) = (0, 0, 0_i64);
        for (number, field) in fields(histogram.unwrap()) {
            match (number, field) {
                (1, Field::Integer(told)) => all = told,
                (7, Field::Integer(zero)) => native += zero,
                (13, Field::Integer(delta)) => {
                    count += (delta >> 1).cast_signed() ^ -(delta & 1).cast_signed();
                    native += count.cast_unsigned();
                }
                _ => {}
            }
        }
        assert!(all > 10);
        assert_eq!(native, all);
    });
}
