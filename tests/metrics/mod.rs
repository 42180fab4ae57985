//! What is told of everything that happens: does it add up, is it bounded, and does what is built on it ask for what there is?

mod balance;
mod boards;
mod bounds;
mod formats;
mod query;

use serde_json::json;

use crate::support::{Bench, Call, Client, Folder, Mode, Spec, chat, pass_ms};

/// The secret of the key whose budget lasts.
const RICH: &str = "the-secret-of-the-rich-key";

/// The secret of the key whose budget is next to nothing.
const POOR: &str = "the-secret-of-the-poor-key";

/// A gateway that has everything that metrics tell of: books, a cache, ceilings, pictures, failures of every sort.
fn everything(folder: &Folder) -> Spec {
    let data = folder.0.join("data");
    Spec::new()
        .with(&format!("[governance]\ndata = {data:?}"))
        .with(&format!(
            "[keys.rich]\nsecret = \"{RICH}\"\nbudgets = [{{ limit = 1000, period = \"1d\" }}]\n\
             [keys.rich.providers.alpha]\nbudgets = [{{ limit = 500, period = \"1d\" }}]\n\
             [keys.poor]\nsecret = \"{POOR}\"\nbudgets = [{{ limit = 0.000001, period = \"1d\" }}]"
        ))
        .with(
            "[models.good]\nroutes = [{ provider = \"alpha\", price_input = 1.0, price_output = 4.0 }]\n\
             [models.kept]\nroutes = [{ provider = \"alpha\", price_input = 1.0, price_output = 4.0 }]\n\
             cache = { layers = \"exact\" }\n\
             [models.failing]\nroutes = [{ provider = \"alpha\", model = \"s04\" }]\nfallbacks = [\"good\"]\n\
             [models.down]\nroutes = [{ provider = \"alpha\", model = \"s04\" }]\n\
             [models.cut]\nroutes = [{ provider = \"alpha\", model = \"s08\" }]\n\
             [models.rescued]\nroutes = [{ provider = \"beta\", model = \"s08\" }]\nfallbacks = [\"good\"]\nstream_recovery = \"restart\"\n\
             [models.refusing]\nroutes = [{ provider = \"alpha\", model = \"s13\" }]\n\
             [models.narrow]\nroutes = [{ provider = \"narrow\" }]\n\
             [models.draw]\nroutes = [{ provider = \"bfl\", model = \"flux-dev\" }]",
        )
        .stand_in("alpha", "ttft = \"100ms\"\ntpot = \"10ms\"\nanswer = 60")
        .stand_in("beta", "ttft = \"100ms\"\ntpot = \"10ms\"\nanswer = 60")
        .with(
            "[providers.narrow]\nbase_url = \"mock\"\n\
             keys = [{ name = \"key\", secret = \"sk-narrow-0123\", requests_per_minute = 1 }]\n\
             [mock.providers.narrow]\nanswer = 5\n\
             [providers.bfl]\ndialect = \"bfl\"\nbase_url = \"mock\"\n\
             keys = [{ name = \"key\", secret = \"sk-bfl-0123\" }]\n\
             [mock.providers.bfl]\nkeys = [\"sk-bfl-0123\"]",
        )
}

/// The same call with a key.
fn with_key(call: Call, key: &str) -> Call {
    call.header("authorization", &format!("Bearer {key}"))
}

fn ask(model: &str, mode: Mode) -> Call {
    // Counted faults strike once per user.
    let mut body = chat(model, mode);
    body["user"] = format!("{model} {mode:?}").into();
    with_key(Call::chat(&body), RICH)
}

/// Requests of every kind; how many.
async fn serve_all_sorts(bench: &Bench) -> usize {
    let mut count = 0;
    for mode in Mode::BOTH {
        let models = [
            "good", "kept", "kept", "failing", "down", "cut", "rescued", "refusing", "nobody",
            "narrow", "narrow",
        ];
        for model in models {
            bench.call(&ask(model, mode)).await;
            count += 1;
        }
        let mut client = Client::open(bench.address).await;
        client.send(&ask("good", mode).bytes()).await;
        pass_ms(50).await;
        drop(client);
        pass_ms(1).await;
        count += 1;
    }
    let picture = json!({"model": "draw", "prompt": "a cat"});
    for call in [
        with_key(
            Call::post("/v1/images/generations", picture.to_string()),
            RICH,
        ),
        with_key(Call::chat(&chat("good", Mode::Whole)), POOR),
        with_key(Call::chat(&chat("good", Mode::Whole)), "not-a-key"),
        with_key(Call::post("/v1/chat/completions", "nonsense"), RICH),
        with_key(Call::get("/v1/nothing"), RICH),
        with_key(Call::get("/v1/models"), RICH),
        ask("good", Mode::Whole)
            .header("x-stainless-retry-count", "2")
            .header("x-stainless-lang", "python"),
    ] {
        bench.call(&call).await;
        count += 1;
    }
    count
}
