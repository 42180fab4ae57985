//! Does the office do what it is asked, refuse what it must, and forget nothing?

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::*;
use crate::config::{
    self, Config, Credential, Draft, Former, Kind, Nano, Secret, Surroundings, Tenants,
};
use crate::governance::{Form, form, pepper};
use crate::store::{Batch, Database, Entry, State as Ended, Write, Writer};

/// A folder that is removed with this.
pub(in crate::governance) struct Folder(pub(in crate::governance) PathBuf);

impl Folder {
    pub(in crate::governance) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("trimtab-office-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An office over a folder, and how often it has told of a change.
struct Bench {
    office: Office,
    told: Arc<AtomicUsize>,
    config: Config,
}

const FILE: &str = "
[providers.p]
base_url = \"http://localhost:1/v1\"
[models.main]
routes = [{ provider = \"p\" }]
[customers.acme]
[teams.search]
customer = \"acme\"
budgets = [{ limit = 5, period = \"1d\" }]
[keys.ci]
team = \"search\"
secret = \"0123456789abcdef\"
";

fn config(text: &str) -> Config {
    let around = Surroundings {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        cores: std::num::NonZeroUsize::MIN,
    };
    config::parse(Path::new("test.toml"), text, &around).unwrap()
}

/// What was made at which second.
const NOW: i64 = 1_000_000_000;

impl Bench {
    fn open(folder: &Folder, text: &str) -> Self {
        let file = folder.0.join("ledger.db");
        let database = Database::open(&file).unwrap();
        let made = database.made().unwrap();
        let store = Writer::start(database).unwrap();
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let office = Office::open(Opening {
            store: Arc::new(store),
            file,
            made,
            pepper: pepper(&folder.0, &mut StdRng::seed_from_u64(1)).unwrap(),
            rng: StdRng::seed_from_u64(2),
            changed: Box::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            }),
        });
        Self {
            office,
            told,
            config: config(text),
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            config: &self.config,
            who: "ada",
            at: NOW * 1_000_000,
        }
    }

    fn create(&self, kind: Kind, name: &str, document: Value) -> Result<Option<Secret>, String> {
        let draft = Draft {
            kind,
            name,
            document: document.as_object().unwrap(),
        };
        let created = self.office.create(&self.asked(), &draft);
        created.map(|(_, secret)| secret).map_err(|e| e.to_string())
    }

    fn amend(&self, kind: Kind, name: &str, patch: Value) -> Result<Value, String> {
        let draft = Draft {
            kind,
            name,
            document: patch.as_object().unwrap(),
        };
        let amended = self.office.amend(&self.asked(), &draft);
        amended
            .map(|found| found.document.into())
            .map_err(|e| e.to_string())
    }

    fn delete(&self, kind: Kind, name: &str, how: Removal) -> Result<(), String> {
        let deleted = self.office.delete(&self.asked(), (kind, name), how);
        deleted.map_err(|e| e.to_string())
    }

    fn tenants(&self) -> Tenants {
        self.office.tenants(&self.config)
    }

    fn key(&self, name: &str) -> config::VirtualKey {
        let keys = self.tenants().keys;
        keys.into_iter().find(|key| key.name == name).unwrap()
    }

    fn told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }

    /// What the audit log says was done, and by whom.
    fn log(&self) -> Vec<String> {
        let database = self.office.read().unwrap();
        database.verify_audit().unwrap();
        let rows = database.audited(0, 100).unwrap();
        let said = rows.into_iter().map(|row| {
            let change = row.change;
            let both = [change.before, change.after].map(|it| it.unwrap_or_default());
            format!("{}: {} [{}]", change.who, change.what, both.join("] ["))
        });
        said.collect()
    }

    fn digest(&self, secret: &Secret) -> [u8; 32] {
        *self
            .office
            .pepper
            .digest(secret.expose().as_bytes())
            .bytes()
    }
}

fn hash(credential: &Credential) -> [u8; 32] {
    match credential {
        Credential::Hash(hash) => *hash,
        Credential::Plain(_) => panic!("a plain one"),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases is long and plain")]
fn the_life_of_a_key() {
    let folder = Folder::new();
    let bench = Bench::open(&folder, FILE);
    let document = json!({"team": "search", "tags": {"project": "x"}});
    let first = bench.create(Kind::Key, "app", document).unwrap().unwrap();
    assert_eq!(form(first.expose().as_bytes()), Form::Ours);
    let key = bench.key("app");
    assert_eq!(hash(&key.credential), bench.digest(&first));
    assert_eq!((key.former, key.disabled), (None, false));
    assert_eq!(key.team.as_deref(), Some("search"));

    let amended = bench.amend(
        Kind::Key,
        "app",
        json!({"disabled": true, "tags": {"project": null, "a": "b"}}),
    );
    assert_eq!(
        amended.unwrap(),
        json!({"team": "search", "disabled": true, "tags": {"a": "b"}})
    );
    assert!(bench.key("app").disabled);
    bench
        .amend(
            Kind::Key,
            "app",
            json!({"disabled": null, "expires": "2027-01-01T00:00:00Z"}),
        )
        .unwrap();
    assert_eq!(bench.key("app").expires, Some(1_798_761_600));

    let (found, second) = bench.office.rotate(&bench.asked(), "app", 60).unwrap();
    assert_eq!(found.former_until, Some(NOW + 60));
    let key = bench.key("app");
    assert_eq!(hash(&key.credential), bench.digest(&second));
    let until = NOW + 60;
    let former = Former {
        hash: bench.digest(&first),
        until,
    };
    assert_eq!(key.former, Some(former));
    let (found, third) = bench.office.rotate(&bench.asked(), "app", 0).unwrap();
    assert_eq!(found.former_until, None);
    assert_eq!(bench.key("app").former, None);
    assert_ne!(second, third);

    let found = bench.office.revoke(&bench.asked(), "app").unwrap();
    assert_eq!(found.revoked, Some(NOW * 1_000_000));
    let key = bench.key("app");
    assert!(key.disabled && key.former.is_none());
    for refused in [
        bench.office.rotate(&bench.asked(), "app", 0).err(),
        bench.office.revoke(&bench.asked(), "app").err(),
    ] {
        assert!(
            matches!(refused, Some(OfficeError::Revoked(_))),
            "{refused:?}"
        );
    }
    assert!(
        bench
            .amend(Kind::Key, "app", json!({"disabled": false}))
            .is_err()
    );
    bench.delete(Kind::Key, "app", Removal::Alone).unwrap();
    assert_eq!(bench.tenants().keys.len(), 1);
    assert_eq!(bench.told(), 7);
    let log = bench.log();
    let done: Vec<&str> = log
        .iter()
        .map(|row| row.split(" [").next().unwrap())
        .collect();
    assert_eq!(
        done,
        [
            "created", "changed", "changed", "rotated", "rotated", "revoked", "deleted"
        ]
        .map(|verb| format!("ada: key app {verb}"))
    );
    assert!(
        log[3].contains("\"former_until\":\"2001-09-09T01:47:40Z\""),
        "{}",
        log[3]
    );
    for secret in [first, second, third] {
        assert!(!log.concat().contains(secret.expose()));
    }
}

#[test]
fn a_restart_keeps_everything() {
    let folder = Folder::new();
    let before = {
        let bench = Bench::open(&folder, FILE);
        bench
            .create(
                Kind::Customer,
                "c",
                json!({"budgets": [{"limit": 1, "period": "1M"}]}),
            )
            .unwrap();
        bench
            .create(Kind::Team, "t", json!({"customer": "c"}))
            .unwrap();
        bench
            .create(Kind::Key, "k", json!({"team": "t", "models": ["main"]}))
            .unwrap();
        bench.office.rotate(&bench.asked(), "k", 60).unwrap();
        bench.create(Kind::Key, "gone", json!({})).unwrap();
        bench.office.revoke(&bench.asked(), "gone").unwrap();
        (
            format!("{:?}", bench.tenants()),
            bench.office.list(&bench.config, Kind::Key),
        )
    };
    let bench = Bench::open(&folder, FILE);
    assert_eq!(format!("{:?}", bench.tenants()), before.0);
    assert_eq!(bench.office.list(&bench.config, Kind::Key), before.1);
    assert_eq!(before.1.len(), 3);
    assert_eq!(bench.told(), 0);
}

#[test]
fn what_the_file_declares_is_left_alone() {
    let folder = Folder::new();
    let bench = Bench::open(&folder, FILE);
    for (kind, name) in [
        (Kind::Customer, "acme"),
        (Kind::Team, "search"),
        (Kind::Key, "ci"),
    ] {
        let words = format!(
            "is declared in the configuration file, as [{}.{name}]: change it there",
            kind.table()
        );
        for refused in [
            bench.create(kind, name, json!({})).unwrap_err(),
            bench.amend(kind, name, json!({})).unwrap_err(),
            bench.delete(kind, name, Removal::Alone).unwrap_err(),
            bench.delete(kind, name, Removal::Cascade).unwrap_err(),
        ] {
            assert!(refused.ends_with(&words), "{refused}");
        }
        assert!(
            bench
                .delete(kind, name, Removal::Hidden)
                .unwrap_err()
                .starts_with("no ")
        );
        let found = bench.office.find(&bench.config, kind, name).unwrap();
        assert_eq!(
            (found.origin, found.hides, found.times),
            (Origin::File, false, None)
        );
    }
    assert!(matches!(
        bench.office.rotate(&bench.asked(), "ci", 0),
        Err(OfficeError::Declared { .. })
    ));
    assert!(matches!(
        bench.office.revoke(&bench.asked(), "ci"),
        Err(OfficeError::Declared { .. })
    ));
    assert_eq!((bench.told(), bench.log().len()), (0, 0));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases is long and plain")]
fn mistakes_change_nothing() {
    let folder = Folder::new();
    let bench = Bench::open(&folder, FILE);
    bench.create(Kind::Team, "t", json!({})).unwrap();
    bench.create(Kind::Key, "k", json!({"team": "t"})).unwrap();
    let four: Vec<Value> = (1..=4)
        .map(|days| json!({"limit": 1, "period": format!("{days}d")}))
        .collect();
    for (refused, words) in [
        (
            bench.create(Kind::Key, "k", json!({})).err(),
            "a key named \"k\" exists",
        ),
        (
            bench
                .create(Kind::Key, "x", json!({"secret": "0123456789abcdef"}))
                .err(),
            "made here and shown once",
        ),
        (
            bench
                .create(Kind::Key, "x", json!({"team": "nobody"}))
                .err(),
            "no team is named \"nobody\"",
        ),
        (
            bench
                .create(Kind::Key, "x", json!({"team": "t", "customer": "acme"}))
                .err(),
            "keys.x has a team and a customer",
        ),
        (
            bench
                .create(
                    Kind::Key,
                    "x",
                    json!({"budgets": [{"limit": 0, "period": "1d"}]}),
                )
                .err(),
            "limit is out of range: 0",
        ),
        (
            bench.create(Kind::Key, "a b", json!({})).err(),
            "cannot be a name here",
        ),
        (
            bench.amend(Kind::Key, "nobody", json!({})).err(),
            "no key is named \"nobody\"",
        ),
        (
            bench.amend(Kind::Team, "t", json!({"teams": 1})).err(),
            "unknown key \"teams\"",
        ),
        (
            bench.delete(Kind::Team, "t", Removal::Alone).err(),
            "team \"t\" has key \"k\": delete",
        ),
        (
            bench.delete(Kind::Team, "t", Removal::Hidden).err(),
            "no team is named \"t\"",
        ),
        (
            bench
                .office
                .rotate(&bench.asked(), "nobody", 0)
                .err()
                .map(|e| e.to_string()),
            "no key is named \"nobody\"",
        ),
        (
            bench
                .office
                .adjust(&bench.asked(), 1, Nano::ZERO)
                .err()
                .map(|e| e.to_string()),
            "not open yet",
        ),
    ] {
        let refused = refused.unwrap_or_default();
        assert!(refused.contains(words), "{words}: {refused}");
    }
    assert_eq!((bench.told(), bench.log().len()), (2, 2));
    bench
        .create(Kind::Customer, "c", json!({"budgets": four}))
        .unwrap();
    bench
        .amend(Kind::Team, "t", json!({"customer": "c", "budgets": four}))
        .unwrap();
    bench
        .amend(Kind::Key, "k", json!({"budgets": four}))
        .unwrap();
    let refused = bench.amend(
        Kind::Key,
        "k",
        json!({"providers": {"p": {"budgets": [four[0]]}}}),
    );
    assert!(refused.unwrap_err().contains("are paid by 13 budgets"));
    bench
        .amend(Kind::Team, "t", json!({"budgets": null}))
        .unwrap();
    bench
        .amend(
            Kind::Key,
            "k",
            json!({"providers": {"p": {"budgets": [four[0]]}}}),
        )
        .unwrap();
    let refused = bench.amend(Kind::Team, "t", json!({"budgets": four}));
    assert!(
        refused
            .unwrap_err()
            .contains("requests of keys.k to \"p\" are paid by 13 budgets")
    );
    bench
        .amend(Kind::Customer, "c", json!({"budgets": null}))
        .unwrap();
    bench
        .amend(Kind::Team, "t", json!({"budgets": four}))
        .unwrap();
    let refused = bench.amend(Kind::Customer, "c", json!({"budgets": four}));
    assert!(
        refused
            .unwrap_err()
            .contains("requests of keys.k to \"p\" are paid by 13 budgets")
    );
}

#[test]
fn whoever_belongs_to_one_goes_with_it_only_if_told_so() {
    let folder = Folder::new();
    let bench = Bench::open(&folder, FILE);
    bench.create(Kind::Customer, "c", json!({})).unwrap();
    bench
        .create(Kind::Team, "t", json!({"customer": "c"}))
        .unwrap();
    bench.create(Kind::Key, "a", json!({"team": "t"})).unwrap();
    bench
        .create(Kind::Key, "b", json!({"customer": "c"}))
        .unwrap();
    bench.create(Kind::Key, "free", json!({})).unwrap();
    let refused = bench
        .delete(Kind::Customer, "c", Removal::Alone)
        .unwrap_err();
    assert!(
        refused.contains("has team \"t\", key \"a\", key \"b\":"),
        "{refused}"
    );
    bench.delete(Kind::Customer, "c", Removal::Cascade).unwrap();
    let left: Vec<String> = bench
        .tenants()
        .keys
        .into_iter()
        .map(|key| key.name)
        .collect();
    assert_eq!(left, ["ci", "free"]);
    assert_eq!(
        (bench.told(), bench.log().len()),
        (6, 9),
        "one change, a row for each"
    );
}

#[test]
fn a_file_that_declares_the_name_hides_what_was_made_and_gives_it_back() {
    let folder = Folder::new();
    let mut bench = Bench::open(&folder, FILE);
    let secret = bench.create(
        Kind::Key,
        "late",
        json!({"team": "search", "models": ["main"]}),
    );
    let secret = secret.unwrap().unwrap();
    let without = bench.config.clone();
    bench.config = config(&format!(
        "{FILE}[keys.late]\nsecret = \"fedcba9876543210\"\n"
    ));
    assert!(matches!(bench.key("late").credential, Credential::Plain(_)));
    let found = bench.office.find(&bench.config, Kind::Key, "late").unwrap();
    assert_eq!((found.origin, found.hides), (Origin::File, true));
    assert_eq!(bench.office.list(&bench.config, Kind::Key).len(), 2);
    let standings = bench.office.merged(&bench.config).standings;
    let hidden: Vec<_> = standings
        .iter()
        .filter(|it| it.state != State::Live)
        .collect();
    let differ = ["models", "team"].map(str::to_owned).to_vec();
    assert_eq!(hidden.len(), 1);
    assert_eq!(
        (hidden[0].name.as_str(), &hidden[0].state),
        ("late", &State::Hidden(differ))
    );
    let hiding = std::mem::replace(&mut bench.config, without);
    assert_eq!(hash(&bench.key("late").credential), bench.digest(&secret));
    bench.config = hiding;
    bench.delete(Kind::Key, "late", Removal::Hidden).unwrap();
    assert!(
        !bench
            .office
            .find(&bench.config, Kind::Key, "late")
            .unwrap()
            .hides
    );
}

#[test]
fn a_key_that_lost_what_is_above_it_is_refused_and_not_forgotten() {
    let folder = Folder::new();
    let mut bench = Bench::open(&folder, FILE);
    bench
        .create(Kind::Team, "t", json!({"customer": "acme"}))
        .unwrap();
    bench
        .create(Kind::Key, "under-team", json!({"team": "t"}))
        .unwrap();
    bench
        .create(Kind::Key, "under-file", json!({"team": "search"}))
        .unwrap();
    let bare = "[providers.p]\nbase_url = \"http://localhost:1/v1\"\n[models.main]\nroutes = [{ provider = \"p\" }]\n";
    bench.config = config(&format!("{bare}[keys.ci]\nsecret = \"0123456789abcdef\"\n"));
    let tenants = bench.tenants();
    assert_eq!(
        (
            tenants.customers.len(),
            tenants.teams.len(),
            tenants.keys.len()
        ),
        (0, 0, 3)
    );
    for name in ["under-team", "under-file"] {
        assert!(bench.key(name).disabled, "{name}");
        let found = bench.office.find(&bench.config, Kind::Key, name).unwrap();
        assert!(
            found
                .problem
                .unwrap()
                .contains("is neither declared nor made any more")
        );
    }
    bench
        .amend(Kind::Key, "under-file", json!({"team": null}))
        .unwrap();
    assert!(!bench.key("under-file").disabled);
}

#[test]
fn a_provider_with_more_budgets_breaks_a_key_rather_than_a_promise() {
    let folder = Folder::new();
    let mut bench = Bench::open(&folder, FILE);
    let four: Vec<Value> = (1..=4)
        .map(|days| json!({"limit": 1, "period": format!("{days}d")}))
        .collect();
    bench
        .create(Kind::Customer, "c", json!({"budgets": four}))
        .unwrap();
    bench
        .create(Kind::Team, "t", json!({"customer": "c", "budgets": four}))
        .unwrap();
    bench
        .create(Kind::Key, "k", json!({"team": "t", "budgets": four}))
        .unwrap();
    assert!(!bench.key("k").disabled);
    let text = FILE.replace(
        "[models",
        "budgets = [{ limit = 1, period = \"1d\" }]\n[models",
    );
    bench.config = config(&text);
    assert!(bench.key("k").disabled);
}

#[test]
fn a_row_that_cannot_be_read_is_told_and_can_be_put_right() {
    let folder = Folder::new();
    {
        let bench = Bench::open(&folder, FILE);
        bench.create(Kind::Key, "k", json!({})).unwrap();
        bench.create(Kind::Key, "l", json!({})).unwrap();
    }
    let mut database = Database::open(&folder.0.join("ledger.db")).unwrap();
    for (row, document) in database
        .made()
        .unwrap()
        .into_iter()
        .zip(["{\"nonsense\":1}", "no JSON"])
    {
        let document = document.to_owned();
        let damaged = Write::Put(crate::store::Made { document, ..row });
        database.change(&[damaged], &[]).unwrap();
    }
    drop(database);
    let bench = Bench::open(&folder, FILE);
    for name in ["k", "l"] {
        assert!(bench.key(name).disabled, "{name}");
        let found = bench.office.find(&bench.config, Kind::Key, name).unwrap();
        assert!(found.problem.unwrap().contains("cannot be read"));
    }
    bench
        .amend(Kind::Key, "k", json!({"nonsense": null}))
        .unwrap();
    assert!(!bench.key("k").disabled);
    bench.delete(Kind::Key, "l", Removal::Alone).unwrap();
}

#[test]
fn a_database_that_refuses_leaves_everything_as_it_was() {
    let folder = Folder::new();
    let bench = Bench::open(&folder, FILE);
    bench.create(Kind::Team, "t", json!({})).unwrap();
    let refuse = |refuse| {
        let job = move |database: &mut Database| database.refuse_writes(refuse);
        bench.office.store.submit(job).unwrap().wait().unwrap();
    };
    refuse(true);
    assert!(bench.create(Kind::Key, "k", json!({"team": "t"})).is_err());
    assert!(bench.delete(Kind::Team, "t", Removal::Alone).is_err());
    assert_eq!(
        (
            bench.tenants().teams.len(),
            bench.tenants().keys.len(),
            bench.told()
        ),
        (2, 1, 1)
    );
    refuse(false);
    bench.create(Kind::Key, "k", json!({"team": "t"})).unwrap();
    assert_eq!(bench.log().len(), 2);
}

#[test]
fn of_two_who_make_the_same_one_wins() {
    let folder = Folder::new();
    let bench = Bench::open(&folder, FILE);
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| bench.create(Kind::Key, "same", json!({})).is_ok()))
            .collect();
        let made = threads.into_iter().map(|thread| thread.join().unwrap());
        made.filter(|made| *made).count()
    });
    assert_eq!((made, bench.log().len()), (1, 1));
}

/// Accounts that note what they are told.
#[derive(Debug, Default)]
struct Noting {
    told: std::sync::Mutex<Vec<(u128, Nano, i64)>>,
    fails: bool,
}

impl Live for Noting {
    fn budgets(&self) -> Vec<BudgetView> {
        Vec::new()
    }

    fn adjust(&self, entry: &Entry, amount: Nano, at: i64) -> Result<(), NotAdjusted> {
        if self.fails {
            return Err(NotAdjusted("the disk is full".to_owned()));
        }
        self.told.lock().unwrap().push((entry.id, amount, at));
        Ok(())
    }
}

#[test]
fn an_operator_says_what_an_attempt_did_cost() {
    let folder = Folder::new();
    let amount = Nano::new(7);
    for fails in [false, true] {
        let bench = Bench::open(&folder, FILE);
        let entry = |id, state| Entry {
            id,
            state,
            charged: 5,
            ..Entry::default()
        };
        let batch = Batch {
            entries: vec![entry(1, Ended::InDoubt), entry(2, Ended::Open)],
            ..Batch::default()
        };
        let job = move |database: &mut Database| database.commit(&batch).unwrap();
        bench.office.store.submit(job).unwrap().wait().unwrap();
        let live = Arc::new(Noting {
            fails,
            ..Noting::default()
        });
        bench.office.attach(live.clone());
        let before = bench.log().len();
        let adjusted = bench.office.adjust(&bench.asked(), 1, amount);
        assert_eq!(adjusted.is_err(), fails);
        let told = live.told.lock().unwrap().clone();
        let expected = vec![(1, amount, NOW * 1_000_000)];
        assert_eq!(told, if fails { vec![] } else { expected });
        assert!(matches!(
            bench.office.adjust(&bench.asked(), 2, amount),
            Err(OfficeError::InFlight(2))
        ));
        assert!(matches!(
            bench.office.adjust(&bench.asked(), 3, amount),
            Err(OfficeError::NoEntry(3))
        ));
        let log = bench.log();
        assert_eq!(log.len() - before, 1 + usize::from(fails));
        assert!(log[before].contains(&format!("entry {:032x} adjusted", 1)));
        assert!(log[before].ends_with("[{\"charged_nano_dollars\":5,\"state\":\"in_doubt\"}] [{\"charged_nano_dollars\":7}]"), "{}", log[before]);
        assert_eq!(log.last().unwrap().contains("not adjusted"), fails);
    }
}

/// The database, its log and everything else in the folder hold no secret that was ever told.
#[test]
fn no_file_holds_a_secret() {
    let folder = Folder::new();
    let bench = Bench::open(&folder, FILE);
    let mut secrets = Vec::new();
    for name in ["a", "b"] {
        secrets.extend(bench.create(Kind::Key, name, json!({})).unwrap());
        secrets.push(bench.office.rotate(&bench.asked(), name, 60).unwrap().1);
    }
    let files: Vec<_> = std::fs::read_dir(&folder.0)
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for secret in &secrets {
            let body = &secret.expose().as_bytes()[6..38];
            let found = bytes.windows(body.len()).any(|window| window == body);
            assert!(!found, "{}", file.display());
        }
    }
    assert!(!format!("{:?}", bench.tenants()).contains("sk-tt-"));
}
