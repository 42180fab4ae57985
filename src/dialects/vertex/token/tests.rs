//! A service account, what it signs, and what Google answers.
//!
//! # Invariants
//! - The key was made for this test and opens nothing; the signature was made with another implementation (`openssl dgst -sha256 -sign`).

use super::*;

/// The lines of the key between its marks.
const KEY: &str = concat!(
    "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDHVBCxPDud5lvD\n",
    "morqAcWunpYbO/ry7Hmrr4PaRiC5+NxtwRE3sH3uZVDtvnzdCrPApvIl/CZTwCJa\n",
    "Umvm44tSe1o2rNn0+igTtKmBUa1XyAYKmCAe3zBLsjVwb/Zf6wE/uv8vtkfFZ/X4\n",
    "R+fN7H03OsmchKdA4aAKG6WFurYUup/GA2hjWxJ4Oau6eb1n5sB0lxsVYoUqwBCK\n",
    "8ub9EbEyFeBCLWBp/hjZC0nb1vC4/b+BQ15lejMkmE9fl8MXxzqRidtYyZMHw0pD\n",
    "vdlCoG5/9NwUnvs1PdvCtQonWL+h+A5FDG9A/sqVlQFBv6mmU1fMJ7ey+HApihgT\n",
    "6jtzW3apAgMBAAECggEAAe3WGIUC9bD+R9sVx5R7T4iQ3tQahmHT/p2c+s6NcAdQ\n",
    "yM4ixsVyPo2j9h0PE8uP+EgVVVlGnK5iFrov+aTPmx1+/sL2/Ag0vZYUwt/hu9T/\n",
    "e/hDbVEPJFhl7H/k5EI/uZhrclCDCs3KA1xcybEleBSdUWK2RKo6VIa2eCAZtYMh\n",
    "e4IwwnoXVlvLMBPK0Iy/z+PeN/gt1j3zC/t7LiC4kONbBdRqjSzNqvnAxFN89D5M\n",
    "Ie/x5i0oshaFsly9Ts7ctqHRylzY8UB+iVazrsgUOWS/14PQcoB8R7t8VGoQNTGd\n",
    "QuRVX6klyQGasOwwpC4uHWDF6Qrm41OOQkzOyEPvhQKBgQDn4urMa0KWR3ZCqwR2\n",
    "Gp50imQU7ztXr3fKxh1DIwMi+T0Akwc9pDsGVdJIysxBMNC1sXsxOlTjO54KDVzU\n",
    "IhYicZyoHng6E27a2MdxJ817iJEDM2b95Edam3FZbVxfYrWKTn/netbOyMLNf1Eh\n",
    "TUbiPEisCl434YHF1tx3dt57HQKBgQDcDmqJvQZLxo6EQZ3i9q3DbtGa83A2FysY\n",
    "SZ3F6go9QD65d3khBTCejyld3mJ2U0zfvWK6/oWHG3GhF4dARXC1CWk+3APuDeJ/\n",
    "Bl0FH0JY/nbS0dFh/oyj+qhE5dKNJc1hjSoKC/mWoSxVP+gZZyWRFgV5uJ8XZQPy\n",
    "oyTw3DYH/QKBgGq+2emaYr+9S+JqyZX4sQLjBilg64d0/gc5ZhUW1AXQiFVwWX/1\n",
    "zzoeXbwmpxpHd3x8pEJIIPWt5xWnixkYS+o1NLFrvVq2wWw7KKydbwk0F9VKX1n3\n",
    "MSWzst1A66n5TarKcjTEJohwgMSKnHVhFoVkzOttpmvBArVpMHpKHSa9AoGBALXQ\n",
    "o23SY9VP5IiZvl27+q2ybjRcVqYaVlzm1hij2nnpDuomMEp8A0O+fSs1hpzFDor9\n",
    "6wkdKi4LGsNCsVkFBq5NbEundQfHKRBSraCBx0vIU1y0Rw90Rbdmbokeaex9A0hK\n",
    "XiWW50zxNbPp7VavxnYtf7CmPawSpkRfTzJCf9HxAoGBALf9sxIMNNGAxeF4bzxY\n",
    "PmLSFuPbx4kpjOM5RKCBcxiOr2NQxbAv8CRvqIm0uR0ujMBfhl0AshHbNrYjBkOG\n",
    "Kjpv+IGSZqhp30m44gq3D+HphCli0eYbdzWl4FA7kFrfBPQWxuP7+6XolkNHQ2n3\n",
    "NKLvXJvL5A8kBgllD4JGZJbF\n",
);

/// The signature of [`account`]'s claim at [`NOON`].
const SIGNATURE: &str = "OyHvvkOAEyCdAGJP8V0uw-p5ch1tkLkMNfBepfwxyDgtfl9kNlOnFr96Yo-p5d5YsXyczodNOFH0lmGND8JJxx1s0EiKcUeaGbUcpv_XuKCdC1i9R7iuy1ynJr8tnE8o862p04xTfGyfq428OgZXDMNPIwXuEB2PVJReJCY6y5shsGFPtKSkGnAi3u8SbVf3wn51ab6MgEw0-5iz0JP2iNqVhGS4bjXeIKsw-zvegn25Xe5r9MdKOIpjV43wSnu3BgoXYchjBTRwvFMJX2XBl8jI_K01Ys6FWlqviLup2q8wFVrMVzas2s9iwTKyYUqMfdv-pTKR1infXLaEhcdLUA";

/// 2015-08-30, 12:36.
const NOON: Duration = Duration::from_secs(1_440_938_160);

fn file(key: &str) -> String {
    let pem = format!(
        "-----BEGIN {mark}-----\n{key}-----END {mark}-----\n",
        mark = concat!("PRIVATE", " KEY")
    );
    serde_json::json!({
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "key-1",
        "private_key": pem,
        "client_email": "gateway@my-project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    })
    .to_string()
}

fn account() -> ServiceAccount {
    ServiceAccount::read(&file(KEY)).unwrap()
}

#[test]
fn the_claim_is_signed_as_others_sign_it() {
    let account = account();
    assert_eq!(account.token_uri(), "https://oauth2.googleapis.com/token");
    assert_eq!(account.project(), Some("my-project"));
    let form = account.form(NOON).unwrap();
    let assertion = form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap();
    let parts: Vec<&str> = assertion.split('.').collect();
    let json = |text: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    assert_eq!(
        json(parts[0]),
        r#"{"alg":"RS256","typ":"JWT","kid":"key-1"}"#
    );
    assert_eq!(
        json(parts[1]),
        r#"{"iss":"gateway@my-project.iam.gserviceaccount.com","scope":"https://www.googleapis.com/auth/cloud-platform","aud":"https://oauth2.googleapis.com/token","iat":1440938160,"exp":1440941760}"#
    );
    assert_eq!(parts[2], SIGNATURE);
}

#[test]
fn a_bad_file_is_told_without_its_content() {
    let hidden = file("aGlkZGVu\n");
    for bad in [
        "",
        "{}",
        r#"{"client_email":"hidden"}"#,
        r#"{"client_email":"e","private_key":{"hidden":1}}"#,
        r#"{"client_email":"e","private_key":"hidden"}"#,
        &hidden,
    ] {
        let error = ServiceAccount::read(bad).unwrap_err().to_string();
        assert!(
            !error.contains("hidden") && !error.contains("aGlkZGVu"),
            "{error}"
        );
    }
}

#[test]
fn nothing_secret_is_printed() {
    let account = format!("{:?}", account());
    assert_eq!(
        account,
        r#"ServiceAccount { email: "gateway@my-project.iam.gserviceaccount.com", .. }"#
    );
    let token = Token::read(br#"{"access_token":"hush","expires_in":3599}"#).unwrap();
    assert_eq!(format!("{token:?}"), "Token { lifetime: 3539s, .. }");
}

#[test]
fn answers_are_read() {
    let read = |json: &str| Token::read(json.as_bytes());
    let token =
        read(r#"{"access_token":"ya29.c.x...","expires_in":3599,"token_type":"Bearer"}"#).unwrap();
    assert_eq!(
        (token.text.as_str(), token.lifetime),
        ("ya29.c.x...", Duration::from_secs(3_539))
    );
    assert_eq!(
        read(r#"{"access_token":"x","expires_in":30}"#)
            .unwrap()
            .lifetime,
        Duration::ZERO
    );
    let refused = read(r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "no token was granted: invalid_grant Invalid JWT Signature."
    );
    for bad in [
        "",
        "<html>",
        "{}",
        r#"{"access_token":""}"#,
        r#"{"access_token":"a\nb"}"#,
        r#"{"access_token":"x","expires_in":-1}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
