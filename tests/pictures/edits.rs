//! Edits and variations: forms pass to OpenAI as they came, and are written anew for vendors.

use serde_json::json;

use super::{PACE, attempts, inline, model, vendor};
use crate::support::{Call, Spec, bench};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\xff\r\n--x";

/// A form with a picture.
fn form(path: &str, fields: &[(&str, &str)]) -> Call {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part =
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(b"--edge\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n");
    body.extend_from_slice(PNG);
    body.extend_from_slice(b"\r\n--edge--\r\n");
    Call::form(path, "multipart/form-data; boundary=edge", body)
}

#[test]
fn an_edit_reaches_each_vendor_in_its_words() {
    for (dialect, name) in [
        ("stability", "sd3.5-large"),
        ("fal", "fal-ai/flux/dev/image-to-image"),
        ("replicate", "black-forest-labs/flux-dev"),
        ("bfl", "flux-kontext-pro"),
    ] {
        let spec = model(vendor(Spec::new(), dialect, PACE), &[(dialect, name)]);
        bench(&spec, async |bench| {
            let call = form(
                "/v1/images/edits",
                &[("model", "draw"), ("prompt", "a hat")],
            );
            assert_eq!(inline(&bench.call(&call).await), 1, "{dialect}");
            let submission = attempts(&bench, dialect, "submit").remove(0);
            let body = submission.received.unwrap().body.clone();
            let holds = |what: &[u8]| body.windows(what.len()).any(|it| it == what);
            assert!(holds(b"a hat"), "{dialect}");
            // "iVBORw0KGgo" is how a PNG begins in base64.
            assert!(holds(PNG) || holds(b"iVBORw0KGgo"), "{dialect}");
        });
    }
}

#[test]
fn a_variation_is_openais_only() {
    let spec = vendor(Spec::new(), "fal", PACE).stand_in("plain", "");
    let alone = model(spec.clone(), &[("fal", "fal-ai/flux/dev")]);
    let call = form("/v1/images/variations", &[("model", "draw")]);
    bench(&alone, async |bench| {
        let answer = bench.call(&call).await;
        assert_eq!(answer.status, 501, "{answer:?}");
        assert!(bench.mock.attempts().is_empty());
    });
    let both = model(spec, &[("fal", "fal-ai/flux/dev"), ("plain", "draw")]);
    bench(&both, async |bench| {
        assert_eq!(bench.call(&call).await.status, 200);
        let received = bench.seen("plain")[0].received.clone().unwrap();
        let sent = call.bytes();
        assert!(sent.ends_with(&received.body), "the form as it came");
        assert!(bench.seen("fal").is_empty());
    });
}

#[test]
fn a_form_that_is_none_is_refused() {
    let spec = model(
        vendor(Spec::new(), "fal", PACE),
        &[("fal", "fal-ai/flux/dev")],
    );
    bench(&spec, async |bench| {
        let call = Call::form(
            "/v1/images/edits",
            "multipart/form-data; boundary=edge",
            b"--edge\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ndraw\r\n--edge--\r\n"
                .to_vec(),
        );
        let answer = bench.call(&call).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(
            answer.error().unwrap()["message"]
                .as_str()
                .unwrap()
                .contains("`image` is required")
        );
        let whole = Call::post("/v1/images/edits", json!({"model": "draw"}).to_string());
        assert_eq!(bench.call(&whole).await.status, 400);
    });
}
