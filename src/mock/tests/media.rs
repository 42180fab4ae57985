//! What OpenAI serves besides text: pictures, sound, judgements, files and batches.

use super::super::End;
use super::*;

const HEADERS: [&str; 2] = [
    "authorization: Bearer sk-test-1234",
    "content-type: application/json",
];

const FORM: [&str; 2] = [
    "authorization: Bearer sk-test-1234",
    "content-type: multipart/form-data; boundary=XX",
];

async fn post(bench: &Bench, path: &str, body: &Value) -> Got {
    let head = format!("POST /alpha/v1/{path}");
    bench.call(&head, &HEADERS, &body.to_string()).await
}

async fn get(bench: &Bench, path: &str) -> Got {
    bench.call(&format!("GET /{path}"), &HEADERS, "").await
}

/// Posts a form of a file in `field`, and text fields.
async fn form(bench: &Bench, path: &str, field: &str, texts: &[(&str, &str)]) -> Got {
    let mut body = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"a\"\r\n\r\nbytes\r\n"
    );
    for (name, text) in texts {
        body +=
            &format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    }
    body += "--XX--\r\n";
    bench
        .call(&format!("POST /alpha/v1/{path}"), &FORM, &body)
        .await
}

#[test]
fn pictures_are_made_edited_and_previewed() {
    bench(alpha(paced()), async |bench| {
        let mut body = json!({"model": "gpt-image-1", "prompt": "12345678", "n": 2});
        let got = post(&bench, "images/generations", &body).await;
        let whole = got.json();
        assert_eq!(
            (got.status, whole["data"].as_array().unwrap().len()),
            (200, 2)
        );
        assert!(
            whole["data"][1]["b64_json"]
                .as_str()
                .unwrap()
                .starts_with("iVBOR")
        );
        assert_eq!(whole["usage"]["input_tokens"], 2);
        assert!(got.first >= Duration::from_millis(300));
        body["stream"] = json!(true);
        body["partial_images"] = json!(2);
        let got = post(&bench, "images/generations", &body).await;
        let names: Vec<&str> = got.named().into_iter().map(|it| it.0).collect();
        assert_eq!(
            names,
            [
                "image_generation.partial_image",
                "image_generation.partial_image",
                "image_generation.completed"
            ]
        );
        assert_eq!(got.named()[1].1["partial_image_index"], 1);
        let old = json!({"model": "dall-e-3", "prompt": "x"});
        let got = post(&bench, "images/generations", &old).await.json();
        assert!(got["data"][0]["url"].is_string() && got["usage"].is_null());
        let got = form(
            &bench,
            "images/edits",
            "image",
            &[("prompt", "x"), ("model", "gpt-image-1")],
        )
        .await;
        assert!(got.status == 200 && got.json()["data"][0]["b64_json"].is_string());
        let got = form(&bench, "images/variations", "image", &[("n", "3")]).await;
        assert_eq!(got.json()["data"].as_array().unwrap().len(), 3);
        assert_eq!(form(&bench, "images/edits", "image", &[]).await.status, 400);
        assert_eq!(
            post(&bench, "images/generations", &json!({})).await.status,
            400
        );
        let attempt = bench.mock.attempts().remove(3);
        assert_eq!(
            (attempt.path, &*attempt.model),
            ("images/edits", "gpt-image-1")
        );
    });
}

#[test]
fn sound_is_spoken_and_heard() {
    bench(alpha(paced()), async |bench| {
        let mut body = json!({"model": "tts-1", "input": "hi", "voice": "alloy"});
        for (format, kind) in [
            ("mp3", "audio/mpeg"),
            ("wav", "audio/wav"),
            ("pcm", "audio/pcm"),
        ] {
            body["response_format"] = json!(format);
            let got = post(&bench, "audio/speech", &body).await;
            assert_eq!((got.status, got.header("content-type")), (200, Some(kind)));
            assert_eq!(got.bytes.len(), 960);
        }
        body["stream_format"] = json!("sse");
        let got = post(&bench, "audio/speech", &body).await;
        assert_eq!(got.body.matches("speech.audio.delta").count(), 4);
        assert!(got.body.contains("speech.audio.done"));

        let model = ("model", "whisper-1");
        let got = form(&bench, "audio/transcriptions", "file", &[model]).await;
        assert_eq!(got.json()["text"], words(60));
        let text = [model, ("response_format", "text")];
        let got = form(&bench, "audio/translations", "file", &text).await;
        assert_eq!(got.body.trim_end(), words(60));
        let got = form(
            &bench,
            "audio/transcriptions",
            "file",
            &[model, ("stream", "true")],
        )
        .await;
        assert_eq!(got.body.matches("transcript.text.delta").count(), 60);
        assert!(got.events().last().unwrap().contains(&words(60)));
        assert_eq!(
            form(&bench, "audio/transcriptions", "image", &[model])
                .await
                .status,
            400
        );
    });
}

#[test]
fn judgements_are_passed() {
    bench(alpha(ProviderScript::default()), async |bench| {
        let body = json!({"input": ["peace", "violence"]});
        let got = post(&bench, "moderations", &body).await.json();
        let flagged: Vec<&Value> = got["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["flagged"])
            .collect();
        assert_eq!(flagged, [&json!(false), &json!(true)]);
        assert_eq!(post(&bench, "moderations", &json!({})).await.status, 400);
    });
}

#[test]
fn files_and_batches_are_known_to_their_maker_only() {
    let mut script = alpha(ProviderScript::default());
    script
        .providers
        .insert("beta".to_owned(), ProviderScript::default());
    bench(script, async |bench| {
        let file = form(&bench, "files", "file", &[("purpose", "batch")])
            .await
            .json();
        let id = file["id"].as_str().unwrap();
        assert_eq!(
            (&file["bytes"], &file["purpose"]),
            (&json!(5), &json!("batch"))
        );
        assert_eq!(
            get(&bench, &format!("alpha/v1/files/{id}/content"))
                .await
                .body,
            "bytes"
        );
        assert_eq!(
            get(&bench, &format!("beta/v1/files/{id}")).await.status,
            404
        );
        let mut body = json!({"input_file_id": id, "endpoint": "/v1/chat/completions", "completion_window": "24h"});
        let batch = post(&bench, "batches", &body).await.json();
        assert_eq!(batch["status"], "validating");
        let path = format!("alpha/v1/batches/{}", batch["id"].as_str().unwrap());
        assert_eq!(get(&bench, &path).await.json()["status"], "in_progress");
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(get(&bench, &path).await.json()["status"], "completed");
        let list = get(&bench, "alpha/v1/batches").await.json();
        assert_eq!(list["data"][0]["id"], batch["id"]);
        let list = get(&bench, "beta/v1/files").await.json();
        assert_eq!(list["data"], json!([]));
        body["input_file_id"] = json!("file-x");
        assert_eq!(post(&bench, "batches", &body).await.status, 404);
        let got = bench
            .call(&format!("DELETE /alpha/v1/files/{id}"), &HEADERS, "")
            .await;
        assert_eq!(got.json()["deleted"], true);
        assert_eq!(
            get(&bench, &format!("alpha/v1/files/{id}")).await.status,
            404
        );
    });
}

#[test]
fn faults_strike_here_too() {
    bench(alpha(paced()), async |bench| {
        let body = json!({"model": "fault-503", "prompt": "x"});
        assert_eq!(post(&bench, "images/generations", &body).await.status, 503);
        let body = json!({"model": "fault-cut", "prompt": "x"});
        let got = post(&bench, "images/generations", &body).await;
        assert_eq!((got.ended, bench.last().0), (Ended::Reset, End::Faulted));
        let got = form(
            &bench,
            "audio/transcriptions",
            "file",
            &[("model", "fault-429-after")],
        )
        .await;
        assert_eq!((got.status, got.header("retry-after")), (429, Some("2")));
        let body = json!({"model": "fault-truncated-json", "input": "hi", "voice": "alloy"});
        let got = post(&bench, "audio/speech", &body).await;
        assert_eq!((got.ended, got.bytes.len()), (Ended::Whole, 480));
    });
}
