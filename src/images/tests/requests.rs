//! Every request as it is written, and what cannot be written.

#![expect(clippy::too_many_lines, reason = "a table of cases is long and plain")]

use super::*;

#[test]
fn every_vendor_is_asked_in_its_own_words() {
    let ask = request(
        &json!({"prompt": "p", "size": "1024x576", "seed": 7, "output_format": "jpeg", "safety": 2, "webhook_url": "x"}),
    );
    for (vendor, model, url, body) in [
        (
            Vendor::Bfl,
            "flux-pro-1.1",
            "/v1/flux-pro-1.1",
            json!({"prompt": "p", "width": 1024, "height": 576, "seed": 7, "output_format": "jpeg", "safety": 2}),
        ),
        (
            Vendor::Bfl,
            "flux-pro-1.1-ultra",
            "/v1/flux-pro-1.1-ultra",
            json!({"prompt": "p", "aspect_ratio": "16:9", "seed": 7, "output_format": "jpeg", "safety": 2}),
        ),
        (
            Vendor::Fal,
            "fal-ai/flux/dev",
            "/fal-ai/flux/dev",
            json!({"prompt": "p", "image_size": "landscape_16_9", "seed": 7, "output_format": "jpeg", "safety": 2}),
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-dev",
            "/v1/models/black-forest-labs/flux-dev/predictions",
            json!({"input": {"prompt": "p", "aspect_ratio": "16:9", "seed": 7, "output_format": "jpg", "safety": 2}}),
        ),
        (
            Vendor::Replicate,
            "stability-ai/sdxl:abc",
            "/v1/predictions",
            json!({"version": "abc", "input": {"prompt": "p", "width": 1024, "height": 576, "seed": 7, "output_format": "jpg", "safety": 2}}),
        ),
        (
            Vendor::OpenAi,
            "dall-e-3",
            "/v1/images/generations",
            json!({"model": "dall-e-3", "prompt": "p", "size": "1024x576", "output_format": "jpeg", "safety": 2}),
        ),
        (
            Vendor::Together,
            "black-forest-labs/FLUX.1-dev",
            "/v1/images/generations",
            json!({"model": "black-forest-labs/FLUX.1-dev", "prompt": "p", "width": 1024, "height": 576, "seed": 7,
                   "output_format": "jpeg", "response_format": "base64", "safety": 2}),
        ),
        (
            Vendor::Fireworks,
            "flux-1-dev-fp8",
            "/v1/workflows/accounts/fireworks/models/flux-1-dev-fp8/text_to_image",
            json!({"prompt": "p", "aspect_ratio": "16:9", "seed": 7, "safety": 2}),
        ),
    ] {
        // OpenAI has no seed, which is a hint; webhooks are never passed on.
        let start = start(vendor, &ask, model);
        assert_eq!(
            start.call.url.to_string(),
            format!("{BASE}{url}"),
            "{vendor:?}"
        );
        assert_eq!(body_of(&start.call), body, "{vendor:?}");
        let lost: Vec<&str> = start.losses.names().collect();
        let expected: &[&str] = if vendor == Vendor::OpenAi {
            &["seed", "webhook"]
        } else {
            &["webhook"]
        };
        assert_eq!(lost, expected, "{vendor:?}");
    }
    let Start { call, .. } = start(Vendor::Stability, &ask, "sd3.5-large");
    assert_eq!(
        call.url.to_string(),
        format!("{BASE}/v2beta/stable-image/generate/sd3")
    );
    let kind = call.content_type.unwrap();
    let fields = split(kind.to_str().unwrap(), &call.body).unwrap();
    let fields: Vec<(String, Bytes)> = fields.into_iter().map(|it| (it.name, it.data)).collect();
    let expected = [
        ("prompt", "p"),
        ("seed", "7"),
        ("output_format", "jpeg"),
        ("aspect_ratio", "16:9"),
        ("model", "sd3.5-large"),
        ("safety", "2"),
    ];
    let expected: Vec<(String, Bytes)> = expected
        .map(|(name, value)| (name.to_owned(), Bytes::from_static(value.as_bytes())))
        .into();
    assert_eq!(fields, expected);
}

#[test]
fn what_a_vendor_cannot_be_told_is_refused_by_name() {
    for (vendor, model, field, value, what) in [
        (Vendor::Bfl, "flux-dev", "n", json!(2), "n"),
        (Vendor::Bfl, "flux-dev", "size", json!("1000x1000"), "size"),
        (
            Vendor::Bfl,
            "flux-dev",
            "output_format",
            json!("webp"),
            "output_format",
        ),
        (
            Vendor::Bfl,
            "flux-dev",
            "background",
            json!("transparent"),
            "background",
        ),
        (Vendor::Bfl, "../x", "seed", json!(1), "model"),
        (Vendor::Stability, "core", "n", json!(2), "n"),
        (
            Vendor::Stability,
            "core",
            "response_format",
            json!("url"),
            "response_format",
        ),
        (
            Vendor::Stability,
            "core",
            "size",
            json!("1792x1024"),
            "size",
        ),
        (Vendor::Stability, "core", "size", json!("256x256"), "size"),
        (
            Vendor::Stability,
            "core",
            "seed",
            json!(4_294_967_295_u64),
            "seed",
        ),
        (Vendor::Stability, "sdxl", "seed", json!(1), "model"),
        (Vendor::Fal, "fal-ai/flux/dev", "n", json!(5), "n"),
        (
            Vendor::Fal,
            "fal-ai/flux/dev",
            "negative_prompt",
            json!("x"),
            "negative_prompt",
        ),
        (
            Vendor::Fal,
            "fal-ai/flux-pro/kontext",
            "size",
            json!("1000x900"),
            "size",
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-1.1-pro",
            "n",
            json!(2),
            "n",
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-dev",
            "size",
            json!("1792x1024"),
            "size",
        ),
        (Vendor::Replicate, "a/b/c", "seed", json!(1), "model"),
        (
            Vendor::OpenAi,
            "gpt-image-1",
            "response_format",
            json!("url"),
            "response_format",
        ),
        (
            Vendor::OpenAi,
            "gpt-image-1",
            "aspect_ratio",
            json!("16:9"),
            "size",
        ),
        (
            Vendor::OpenAi,
            "gpt-image-1",
            "negative_prompt",
            json!("x"),
            "negative_prompt",
        ),
        (Vendor::Together, "m", "size", json!("1000x1000"), "size"),
        (
            Vendor::Together,
            "FLUX.1-kontext-pro",
            "size",
            json!("1792x1024"),
            "size",
        ),
        (Vendor::Together, "m", "n", json!(5), "n"),
        (Vendor::Fireworks, "flux-1-dev-fp8", "n", json!(2), "n"),
        (
            Vendor::Fireworks,
            "flux-1-dev-fp8",
            "response_format",
            json!("url"),
            "response_format",
        ),
    ] {
        let mut body = json!({"prompt": "p"});
        body[field] = value;
        match vendor.submit(&request(&body), model, &base()) {
            Err(Unfit::Lossy(losses)) => assert_eq!(losses.of_meaning(), Some(what), "{body}"),
            other => panic!("{vendor:?} {body}: {other:?}"),
        }
    }
    let hints = request(&json!({"prompt": "p", "quality": "high", "user": "u", "steps": 4}));
    let losses = start(Vendor::Stability, &hints, "core").losses;
    assert_eq!(
        losses.names().collect::<Vec<_>>(),
        ["quality", "steps", "user"]
    );
}

#[test]
fn edits_carry_their_pictures_each_vendors_way() {
    let ask = edit(PNG);
    let data = "data:image/png;base64,iVBORw0KGgpyZXN0";
    let bare = "iVBORw0KGgpyZXN0";
    for (vendor, model, at, value) in [
        (Vendor::Bfl, "flux-kontext-pro", "/input_image", bare),
        (Vendor::Bfl, "flux-pro-1.0-fill", "/image", bare),
        (Vendor::Fal, "fal-ai/flux-pro/kontext", "/image_url", data),
        (
            Vendor::Fal,
            "fal-ai/nano-banana/edit",
            "/image_urls/0",
            data,
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-kontext-pro",
            "/input/input_image",
            data,
        ),
        (
            Vendor::Replicate,
            "black-forest-labs/flux-dev",
            "/input/image",
            data,
        ),
        (Vendor::Fireworks, "flux-kontext-pro", "/input_image", data),
    ] {
        let body = body_of(&start(vendor, &ask, model).call);
        assert_eq!(body.pointer(at), Some(&json!(value)), "{vendor:?} {model}");
    }
    for (vendor, model, path) in [
        (Vendor::OpenAi, "gpt-image-1", "/v1/images/edits"),
        (
            Vendor::Stability,
            "sd3",
            "/v2beta/stable-image/generate/sd3",
        ),
    ] {
        let call = start(vendor, &ask, model).call;
        assert_eq!(call.url.to_string(), format!("{BASE}{path}"));
        let fields = split(call.content_type.unwrap().to_str().unwrap(), &call.body).unwrap();
        let image = fields.iter().find(|field| field.name == "image").unwrap();
        assert_eq!(&image.data[..], PNG);
    }
    for (vendor, model) in [
        (Vendor::Together, "m"),
        (Vendor::Stability, "core"),
        (Vendor::Fireworks, "flux-1-dev-fp8"),
    ] {
        assert!(vendor.submit(&ask, model, &base()).is_err(), "{vendor:?}");
    }
    let mut vary = ask;
    vary.task = Task::Vary;
    for vendor in Vendor::ALL {
        let fits = vendor.submit(&vary, "dall-e-2", &base()).is_ok();
        assert_eq!(fits, vendor == Vendor::OpenAi, "{vendor:?}");
    }
}
