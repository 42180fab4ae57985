//! The life of a gateway beyond one answer: clients that leave, routes that die, reloads, drains, accounts.

mod accounts;
mod cold;
mod drain;
mod http2;
mod kill;
mod leave;
mod reload;

use std::path::PathBuf;

use crate::support::Spec;

/// A stand-in that sends its first token after 300 ms and one each 15 ms.
const PACED: &str = "ttft = \"300ms\"\ntpot = \"15ms\"\nanswer = 60";

/// A gateway whose model `main` has one route to a paced stand-in.
fn paced() -> Spec {
    Spec::new()
        .with("[models.main]\nroutes = [{ provider = \"alpha\" }]")
        .stand_in("alpha", PACED)
}

/// A directory of a test's own that goes away with it.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("trimtab-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
