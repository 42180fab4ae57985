//! A new configuration holds from the next request on, and disturbs none that is under way.

use super::shop::{KEYS, Shop, tenants};
use super::{asking, attempts, status};
use crate::governance::with_key;
use crate::support::{Answer, Bench, Client, Folder, Mode, Spec, pass_ms, paused, words};

/// A gateway that keeps answers as `caching` says, of a model whose route is asked for `model`.
fn text(folder: &Folder, caching: &str, model: &str) -> String {
    let data = folder.file("data");
    Spec::new()
        .stand_in("alpha", "ttft = \"300ms\"\ntpot = \"15ms\"\nanswer = 60")
        .with(&format!(
            "[governance]\ndata = {data:?}\n[models.main]\nroutes = [{{ provider = \"alpha\", model = \"{model}\" }}]\ncache = {{ {caching} }}\n{}",
            tenants()
        ))
        .text()
}

struct Life<'a> {
    bench: Bench,
    folder: &'a Folder,
}

impl Life<'_> {
    async fn ask(&self, key: usize) -> Answer {
        let call = with_key(asking("x", Mode::Whole), KEYS[key]);
        self.bench.call(&call).await
    }

    async fn becomes(&self, caching: &str, model: &str) {
        let file = self.folder.file("config.toml");
        std::fs::write(file, text(self.folder, caching, model)).unwrap();
        self.bench.gateway.control.reload();
        pass_ms(50).await;
    }
}

fn life(act: impl AsyncFnOnce(Life<'_>)) {
    let folder = Folder::new("cache-reload");
    paused(async || {
        let text = text(&folder, "layers = \"exact\"", "m");
        let file = folder.file("config.toml");
        std::fs::write(&file, &text).unwrap();
        let bench = Bench::start(&text, Some(file)).await;
        pass_ms(10).await;
        act(Life {
            bench,
            folder: &folder,
        })
        .await;
    });
}

#[test]
fn caching_is_switched_off_and_on() {
    life(async |life| {
        assert_eq!(status(&life.ask(0).await), "MISS");
        assert_eq!(status(&life.ask(0).await), "HIT");
        life.becomes("layers = \"off\"", "m").await;
        assert_eq!(status(&life.ask(0).await), "BYPASS");
        life.becomes("layers = \"exact\"", "m").await;
        assert_eq!(status(&life.ask(0).await), "HIT", "it was not forgotten");
    });
}

#[test]
fn a_scope_is_widened_and_narrowed() {
    life(async |life| {
        assert_eq!(status(&life.ask(0).await), "MISS");
        life.becomes("layers = \"exact\", scope = \"team\"", "m")
            .await;
        assert_eq!(
            status(&life.ask(0).await),
            "MISS",
            "what was Ann's is not the team's"
        );
        assert_eq!(status(&life.ask(1).await), "", "it is now");
        life.becomes("layers = \"exact\", scope = \"key\"", "m")
            .await;
        assert_eq!(
            status(&life.ask(1).await),
            "MISS",
            "what was the team's is not Bob's"
        );
        assert_eq!(status(&life.ask(0).await), "HIT", "what was Ann's is Ann's");
        assert_eq!(attempts(&life.bench), 3);
    });
}

#[test]
fn another_route_has_other_answers() {
    life(async |life| {
        assert_eq!(status(&life.ask(0).await), "MISS");
        life.becomes("layers = \"exact\"", "other").await;
        assert_eq!(status(&life.ask(0).await), "MISS");
        assert_eq!(life.bench.mock.attempts()[1].model.as_ref(), "other");
        life.becomes("layers = \"exact\"", "m").await;
        assert_eq!(status(&life.ask(0).await), "HIT");
    });
}

#[test]
fn those_who_wait_are_not_disturbed() {
    for mode in Mode::BOTH {
        life(async |life| {
            let call = with_key(asking("x", mode), KEYS[0]).bytes();
            let mut clients = Vec::new();
            for _ in 0..5 {
                let mut client = Client::open(life.bench.address).await;
                client.send(&call).await;
                pass_ms(20).await;
                clients.push(client);
            }
            life.becomes("layers = \"off\"", "other").await;
            let mut statuses = Vec::new();
            for mut client in clients {
                let answer = client.answer().await;
                assert_eq!((answer.status, answer.content()), (200, words(60)));
                statuses.push(status(&answer).to_owned());
            }
            assert_eq!(statuses[0], "MISS");
            assert!(
                statuses[1..].iter().all(|it| it == "COALESCED"),
                "{statuses:?}"
            );
            assert_eq!(attempts(&life.bench), 1);
            life.becomes("layers = \"exact\"", "m").await;
            assert_eq!(status(&life.ask(0).await), "HIT");
        });
    }
}

/// Who is taken out of the file has nothing left, and who gets that name finds nothing.
#[test]
fn a_key_that_goes_and_comes_back_finds_nothing() {
    life(async |life| {
        assert_eq!(status(&life.ask(0).await), "MISS");
        let file = life.folder.file("config.toml");
        let all = text(life.folder, "layers = \"exact\"", "m");
        let without = all.replace(
            &format!("[keys.ann]\nteam = \"blue\"\nsecret = \"{}\"\n", KEYS[0]),
            "",
        );
        assert_ne!(all, without);
        for text in [without, all] {
            std::fs::write(&file, text).unwrap();
            life.bench.gateway.control.reload();
            pass_ms(50).await;
        }
        assert_eq!(status(&life.ask(0).await), "MISS");
    });
}

/// Vectors of two embedders tell nothing of each other, nor are those of the one before remembered.
#[test]
fn another_embedder_begins_anew() {
    let folder = Folder::new("cache-reload");
    paused(|| async move {
        let lines = "[cache.audit]\nshare = 0.0\n";
        let shop = Shop::start(&folder, "layers = \"semantic\"", lines).await;
        let how = "How do I reset the password of my mail account?";
        let please = "Please, can you tell me how to reset the password of my mail account";
        let third = "how do i reset the password of my mail account please";
        assert_eq!(status(&shop.ask(0, how).await), "MISS");
        assert_eq!(status(&shop.ask(0, please).await), "SEMANTIC");
        shop.becomes(
            "{ provider = \"embed\" }",
            "{ provider = \"embed\", model = \"other\" }",
        )
        .await;
        assert_eq!(
            status(&shop.ask(0, how).await),
            "HIT",
            "that takes no vector"
        );
        assert_eq!(status(&shop.ask(0, please).await), "MISS");
        assert_eq!(status(&shop.ask(0, third).await), "SEMANTIC");
    });
}
