//! When has the file changed?
//!
//! The file is read each second and compared by content, so that every way of replacing it is seen: writing in place, renaming over it, or swapping a symbolic link above it, as orchestrators do.
//! Notifications of the operating system are not used: they follow one inode, and each of these ways gives the name another.
//!
//! # Invariants
//! - A change is told once its content has stayed the same for [`SETTLE`]: half of a file is often valid.
//! - A file that is missing or cannot be read is no change; it is waited for.
//! - Nothing of the content is kept but a hash.

use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::load::{LARGEST_FILE, parse_bytes};
use super::report::Report;
use super::settings::Config;

/// Time between two looks: an edit is taken over within about a second, and a look costs some 50 µs.
const LOOK: Duration = Duration::from_secs(1);

/// Time for which a changed file must stay the same: longer than an editor's writes are apart.
const SETTLE: Duration = Duration::from_millis(100);

/// A configuration file that is being watched.
#[derive(Debug)]
pub struct Watch {
    file: PathBuf,
    looks: Interval,
    seen: Option<u64>,
}

impl Watch {
    /// Begins to watch `file`; what it holds at this moment is taken as known. Needs a runtime with time.
    pub async fn new(file: &Path) -> Self {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.reset();
        let seen = read(file).await.ok().map(|bytes| hash(&bytes));
        Self {
            file: file.to_owned(),
            looks,
            seen,
        }
    }

    /// Waits until the file holds something else than before, and checks that. Canceled, it loses no change.
    ///
    /// # Errors
    /// Everything that is wrong with the new content; it is not told again until it changes.
    pub async fn changed(&mut self) -> Result<Config, Report> {
        loop {
            self.looks.tick().await;
            let Ok(bytes) = read(&self.file).await else {
                continue;
            };
            let found = hash(&bytes);
            if self.seen == Some(found) {
                continue;
            }
            sleep(SETTLE).await;
            if read(&self.file)
                .await
                .is_ok_and(|again| hash(&again) == found)
            {
                self.seen = Some(found);
                return parse_bytes(&self.file, &bytes);
            }
            self.looks.reset_immediately();
        }
    }
}

/// Reads the file, one byte more than is allowed at most, so that too large a file is told as such.
async fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = tokio::fs::File::open(file).await?;
    file.take(LARGEST_FILE as u64 + 1)
        .read_to_end(&mut bytes)
        .await?;
    Ok(bytes)
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use tokio::time::timeout;

    use super::*;

    /// A directory of its own that goes away with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let name = format!("trimtab-watch-{}-{test}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn text(model: &str) -> String {
        format!(
            "[providers.p]\nbase_url = \"http://localhost:1\"\n[models.{model}]\nroutes = [{{ provider = \"p\" }}]\n"
        )
    }

    async fn next_model(watch: &mut Watch) -> Option<String> {
        let changed = timeout(Duration::from_secs(10), watch.changed())
            .await
            .ok()?;
        Some(changed.unwrap().models[0].name.clone())
    }

    #[tokio::test(start_paused = true)]
    async fn sees_every_way_of_replacing_the_file() {
        let folder = Folder::new("ways");
        let file = folder.0.join("config.toml");
        fs::write(&file, text("a")).unwrap();
        let mut watch = Watch::new(&file).await;
        assert_eq!(next_model(&mut watch).await, None);

        fs::write(&file, text("b")).unwrap();
        assert_eq!(next_model(&mut watch).await.as_deref(), Some("b"));
        assert_eq!(next_model(&mut watch).await, None);

        fs::write(folder.0.join("new"), text("c")).unwrap();
        fs::rename(folder.0.join("new"), &file).unwrap();
        assert_eq!(next_model(&mut watch).await.as_deref(), Some("c"));

        fs::remove_file(&file).unwrap();
        assert_eq!(next_model(&mut watch).await, None);
        fs::write(&file, text("d")).unwrap();
        assert_eq!(next_model(&mut watch).await.as_deref(), Some("d"));
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn follows_a_swapped_link() {
        let folder = Folder::new("link");
        for (version, model) in [("v1", "a"), ("v2", "b")] {
            fs::create_dir_all(folder.0.join(version)).unwrap();
            fs::write(folder.0.join(version).join("config.toml"), text(model)).unwrap();
        }
        let link = folder.0.join("current");
        std::os::unix::fs::symlink("v1", &link).unwrap();
        let mut watch = Watch::new(&link.join("config.toml")).await;
        std::os::unix::fs::symlink("v2", folder.0.join("next")).unwrap();
        fs::rename(folder.0.join("next"), &link).unwrap();
        assert_eq!(next_model(&mut watch).await.as_deref(), Some("b"));
    }

    #[tokio::test(start_paused = true)]
    async fn tells_an_invalid_file_once() {
        let folder = Folder::new("invalid");
        let file = folder.0.join("config.toml");
        fs::write(&file, text("a")).unwrap();
        let mut watch = Watch::new(&file).await;
        fs::write(&file, "[models").unwrap();
        let told = timeout(Duration::from_secs(10), watch.changed()).await;
        assert!(told.unwrap().is_err());
        assert_eq!(next_model(&mut watch).await, None);
        fs::write(&file, text("b")).unwrap();
        assert_eq!(next_model(&mut watch).await.as_deref(), Some("b"));
    }
}
