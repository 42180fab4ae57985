//! A secret is in the answer of the request that made it, and nowhere else.

use serde_json::json;

use super::{Folder, with_plane};

#[test]
fn a_secret_is_told_once_and_kept_nowhere() {
    let folder = Folder::new("admin");
    let data = folder.0.join("data");
    with_plane(&folder, async |plane| {
        let mut secrets = Vec::new();
        for name in ["a", "b"] {
            let made = plane
                .post("/api/keys", &json!({ "name": name }))
                .await
                .json();
            secrets.push(made["secret"].as_str().unwrap().to_owned());
            let path = format!("/api/keys/{name}/rotate");
            let rotated = plane
                .post(&path, &json!({"grace_seconds": 60}))
                .await
                .json();
            secrets.push(rotated["secret"].as_str().unwrap().to_owned());
        }
        let mut seen = Vec::new();
        for path in [
            "/api/keys",
            "/api/keys/a",
            "/api/audit",
            "/api/config/diff",
            "/api/ledger?format=csv",
            "/metrics",
            "/api/routes",
        ] {
            seen.push((path.to_owned(), plane.get(path).await.body));
        }
        for revoke in ["/api/keys/a/revoke", "/api/keys/a/revoke"] {
            seen.push((revoke.to_owned(), plane.post(revoke, &json!({})).await.body));
        }
        seen.extend(super::files(&data));
        assert!(
            seen.iter()
                .any(|(what, _)| what.ends_with("history.db-wal"))
        );
        assert_eq!(secrets.len(), 4);
        for secret in &secrets {
            // Without its beginning and its check, in case a part of it were kept.
            let body = &secret.as_bytes()[6..30];
            for (what, bytes) in &seen {
                let found = bytes.windows(body.len()).any(|window| window == body);
                assert!(!found, "{what}");
            }
        }
        let office = format!("{:?}{:?}", plane.office(), plane.office().made());
        assert!(
            secrets
                .iter()
                .all(|secret| !office.contains(&secret[6..30]))
        );
    });
}
