//! Does a report say what its records say, in eighty columns?

use super::{audit, audited, count, hostile};
use crate::cache::audit::columns::width;
use crate::cache::audit::compare::Verdict;
use crate::cache::audit::consequence::Consequence;
use crate::cache::audit::drift::Trend;
use crate::cache::audit::estimate::Accuracy;
use crate::cache::audit::reading::Reading;
use crate::cache::audit::record::{Count, Record, Skipped};
use crate::cache::audit::report::{Ask, Report, report};
use crate::cache::audit::sample::DAY;

const TODAY: i64 = 20_500;

const ASK: Ask = Ask {
    now: TODAY * DAY + 100,
    days: 7,
    target: 0.02,
    accuracy: None,
};

fn made(records: Vec<Record>) -> Report {
    report(records, ASK, &Reading::default())
}

fn many(day: i64, workflow: &str, right: usize, wrong: usize) -> Vec<Record> {
    let at = day * DAY;
    let mut records = vec![audit(at, workflow, Verdict::Same); right];
    records.extend(vec![audit(at, workflow, Verdict::Different); wrong]);
    records
}

fn advice(records: Vec<Record>) -> String {
    let mut found = made(records).advice;
    assert_eq!(found.len(), 1);
    found.remove(0).sentence
}

#[test]
fn figures_are_those_of_the_window() {
    let mut records = vec![
        count(TODAY * DAY, "a", 100, 0.93),
        count((TODAY - 6) * DAY, "a", 50, 0.90),
        count((TODAY - 7) * DAY, "a", 1_000, 0.80),
        count((TODAY + 1) * DAY, "a", 1_000, 0.80),
    ];
    records.extend(many(TODAY, "a", 8, 1));
    records.extend(many(TODAY - 6, "a", 1, 0));
    records.extend(many(TODAY - 7, "a", 90, 0));
    let mut wrong = audited(TODAY * DAY + 1, "a", "e-9", Verdict::Different);
    wrong.consequence = Consequence::Evict;
    records.push(Record::Audit(Box::new(wrong)));
    records.push(audit(TODAY * DAY, "a", Verdict::Unsure));
    let found = made(records);
    assert_eq!(
        (found.from.as_str(), found.to.as_str()),
        ("2026-02-10", "2026-02-16")
    );
    assert_eq!((found.later, found.workflows.len()), (1, 1));
    let row = &found.workflows[0];
    assert_eq!(
        (row.hits, row.audited, row.wrong, row.unsure),
        (150, 12, 2, 1)
    );
    assert_eq!(
        (row.saved_nano, row.spent_nano, row.evicted),
        (300_000_000, 12_000_000, 1)
    );
    assert!((row.estimate.share.unwrap() - 2.0 / 11.0).abs() < 1e-9);
    assert!((row.ever.share.unwrap() - 2.0 / 101.0).abs() < 1e-9);
    assert!((row.moved.unwrap() - 0.03).abs() < 1e-9);
    assert_eq!(row.days.len(), 2);
    assert_eq!(row.drift.unwrap().trend, Trend::Level);
    assert_eq!(found.worst.len(), 2);
    assert_eq!(found.worst[0].entry, "e-9", "the later one comes first");
    let bands: Vec<_> = found
        .bands
        .iter()
        .map(|band| (band.from, band.audited))
        .collect();
    assert_eq!(bands, [(Some(0.94), 12)]);
    let value = serde_json::to_value(&found).unwrap();
    assert_eq!(value["workflows"][0]["drift"]["trend"], "level");
    assert_eq!(value["worst"][0]["consequence"], "evict");
}

#[test]
fn order_of_records_changes_nothing() {
    let mut records = many(TODAY, "a", 30, 2);
    records.extend(many(TODAY - 2, "b", 10, 5));
    records.push(count(TODAY * DAY, "a", 10, 0.9));
    records.push(count(TODAY * DAY - 9, "a", 10, 0.8));
    let forth = made(records.clone());
    records.reverse();
    assert_eq!(made(records), forth);
}

#[test]
fn advice_goes_by_the_intervals_ends() {
    for (records, expected) in [
        (
            many(TODAY, "a", 300, 0),
            "at most 1.2% of its hits are wrong, 2.0% are accepted; leave it as it is.",
        ),
        (
            many(TODAY, "a", 100, 0),
            "up to 3.6% of its hits may be wrong, 2.0% are accepted; about 200 audits would tell.",
        ),
        (
            many(TODAY, "a", 97, 3),
            "up to 8.5% of its hits may be wrong, 2.0% are accepted, and about 3.0% seem to be; look at its worst entries.",
        ),
        (
            many(TODAY, "a", 80, 20),
            "at least 13% of its hits are wrong, 2.0% are accepted; no similarity is free of them, so let it learn without serving or turn it off.",
        ),
        (
            vec![count(TODAY * DAY, "a", 10, 0.9)],
            "it had 10 hits and none was audited: none was drawn; see whether its audited share is zero.",
        ),
        (
            vec![audit(TODAY * DAY, "a", Verdict::Unsure); 5],
            "of 100% of its audits it cannot be told whether the answers agree; name a judge, or an embedder for answers.",
        ),
    ] {
        assert_eq!(advice(records), format!("a: {expected}"));
    }
    let mut drifting = many(TODAY, "a", 490, 10);
    drifting.extend(many(TODAY - 7, "a", 1_000, 1));
    assert!(advice(drifting).starts_with("a: wrong hits went up by 1.9 points"));
    let mut high = many(TODAY, "a", 80, 20);
    for _ in 0..50 {
        let mut it = audited(TODAY * DAY, "a", "e", Verdict::Same);
        it.similarity = 0.985;
        high.push(Record::Audit(Box::new(it)));
    }
    assert!(
        advice(high).ends_with(
            "raise its threshold to 0.98, from where on 0 of 50 audited hits were wrong."
        )
    );
    let refused = Record::Count(Count {
        at: TODAY * DAY,
        workflow: "a".to_owned(),
        hits: 9,
        saved_nano: 0,
        skipped: Skipped {
            budget: 3,
            ..Skipped::default()
        },
        threshold: None,
    });
    assert!(advice(vec![refused.clone()]).contains("raise the audit's budget"));
    let page = made(vec![refused]).to_string();
    assert!(page.contains("Of 3 drawn hits 3 were not audited (rate 0, budget 3,"));
}

#[test]
fn a_page_reads_well() {
    let mut records = vec![
        count(TODAY * DAY, "support", 41_250, 0.94),
        count((TODAY - 3) * DAY, "support", 2_000, 0.93),
        count(TODAY * DAY, "captions", 900, 0.97),
    ];
    records.extend(many(TODAY - 1, "support", 395, 2));
    records.extend(many(TODAY - 8, "support", 395, 3));
    records.extend(many(TODAY, "captions", 30, 12));
    let page = made(records).to_string();
    let expected = include_str!("page.txt");
    assert_eq!(page, expected, "\n{page}");
}

#[test]
fn empty_and_broken_inputs_are_said_plainly() {
    let page = made(Vec::new()).to_string();
    assert!(
        page.contains("There are no audit records. They are written once"),
        "{page}"
    );
    let page = made(many(TODAY - 30, "a", 5, 0)).to_string();
    assert!(page.contains("There are no audit records of these days; 5 are of other days."));
    let page = made(many(TODAY + 3, "a", 5, 0)).to_string();
    assert!(
        page.contains("5 records are dated after 2026-02-16"),
        "{page}"
    );
    let reading = Reading {
        messages: vec!["data/audit\n\u{1b}[31m/x cannot be read: it is gone".to_owned(); 9],
        ..Reading::default()
    };
    let page = report(many(TODAY, "a", 5, 0), ASK, &reading).to_string();
    assert!(page.contains("Not all could be read: data/audit[31m/x cannot be read: it is gone."));
    assert!(page.contains("And 4 more of that kind."));
    let odd = Ask {
        days: 0,
        accuracy: Some(Accuracy {
            sensitivity: 0.2,
            specificity: 0.2,
        }),
        ..ASK
    };
    let found = report(many(TODAY, "a", 5, 0), odd, &Reading::default());
    assert_eq!((found.from, found.accuracy), (found.to, None));
}

#[test]
fn no_name_breaks_a_page() {
    let names = hostile();
    for chunk in names.chunks(20) {
        let mut records = Vec::new();
        for name in chunk {
            records.push(count(TODAY * DAY, name, u64::MAX / 1_000_000_000, 0.9));
            let mut it = audited(TODAY * DAY, name, name, Verdict::Different);
            it.cost_nano = u64::MAX;
            it.path = Some(name.clone());
            records.push(Record::Audit(Box::new(it)));
        }
        let found = made(records);
        let page = found.to_string();
        for line in page.lines() {
            assert!(width(line) <= 80, "{} {line:?}", width(line));
            assert!(
                !line
                    .chars()
                    .any(|it| it.is_control() || ('\u{2028}'..='\u{202e}').contains(&it))
            );
        }
        // Two tables with a row for each, and one of the ten worst.
        let rows = page
            .lines()
            .filter(|line| line.contains("0.900") || line.contains("0.950"));
        assert_eq!(rows.count(), 30, "{page}");
        let json = serde_json::to_string(&found).unwrap();
        assert_eq!(json.lines().count(), 1);
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    }
}

#[test]
fn workflows_beyond_the_bound_share_a_row() {
    let records = (0..1_000).map(|index| count(TODAY * DAY, &format!("w{index:04}"), 1, 0.9));
    let found = made(records.collect());
    assert_eq!(found.workflows.len(), 256);
    assert_eq!(
        (
            found.workflows[0].workflow.as_str(),
            found.workflows[0].hits
        ),
        ("other", 745)
    );
    let page = found.to_string();
    assert!(page.contains("And 236 workflows with fewer hits"));
    assert!(page.contains("And 251 less pressing"));
}
