//! How does a service account of Google get a token?
//!
//! It signs a claim about itself with its key (a JSON web token, RFC 7519, by RS256) and exchanges it for an access token, which is
//! then sent as a bearer token. Asking is up to who may do so: here are the body to send and the answer's meaning.
//!
//! # Invariants
//! - The same account and time give the same text: RS256 draws nothing.
//! - Debug output shows neither key nor token.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::digest;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use super::super::meeting::Malformed;
use super::super::percent;

/// What a token may be used for: everything in Google Cloud that the account may do.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How long a claim holds, in seconds; Google takes an hour at most.
const CLAIM_SECONDS: u64 = 3_600;

/// How long before a token ends it is no longer used, so that no request is sent with one that ends on the way.
const MARGIN: Duration = Duration::from_secs(60);

/// The media type of [`ServiceAccount::form`].
pub const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// A service account, as its JSON file describes it.
pub struct ServiceAccount {
    email: String,
    key_id: String,
    key: KeyPair,
    token_uri: String,
    project: Option<String>,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount")
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct File {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: String,
    #[serde(default = "google")]
    token_uri: String,
    #[serde(default)]
    project_id: Option<String>,
}

fn google() -> String {
    "https://oauth2.googleapis.com/token".to_owned()
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    kid: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'static str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl ServiceAccount {
    /// Reads the JSON file of a service account.
    ///
    /// # Errors
    /// [`Malformed`] when a field is missing or the key is none; nothing of the file is repeated.
    pub fn read(json: &str) -> Result<Self, Malformed> {
        // Why not serde's own words: they can hold a value of the file.
        let file: File = serde_json::from_str(json).map_err(|error| {
            Malformed::new(format!(
                "a service account is JSON with client_email and private_key (line {}, column {})",
                error.line(),
                error.column()
            ))
        })?;
        let bad = || Malformed::new("the service account's private_key is no RSA key in PEM");
        let pem = PrivateKeyDer::from_pem_slice(file.private_key.as_bytes()).map_err(|_| bad())?;
        let key = match &pem {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(bad()),
        };
        Ok(Self {
            email: file.client_email,
            key_id: file.private_key_id,
            key: key.map_err(|_| bad())?,
            token_uri: file.token_uri,
            project: file.project_id,
        })
    }

    /// Where a token is asked for.
    #[must_use]
    pub fn token_uri(&self) -> &str {
        &self.token_uri
    }

    /// The project that the account belongs to, if its file says.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// The body to post to [`token_uri`](Self::token_uri), as [`FORM_TYPE`]; `unix` is the time since 1970.
    ///
    /// # Errors
    /// [`Malformed`] when the key cannot sign.
    pub fn form(&self, unix: Duration) -> Result<String, Malformed> {
        let grant = percent::segment("urn:ietf:params:oauth:grant-type:jwt-bearer");
        let assertion = self.assertion(unix)?;
        Ok(format!("grant_type={grant}&assertion={assertion}"))
    }

    /// The signed claim, of characters that need no encoding.
    fn assertion(&self, unix: Duration) -> Result<String, Malformed> {
        let header = Header {
            alg: "RS256",
            typ: "JWT",
            kid: &self.key_id,
        };
        let issued = unix.as_secs();
        let claims = Claims {
            iss: &self.email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat: issued,
            exp: issued.saturating_add(CLAIM_SECONDS),
        };
        let mut out = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header)?);
        out.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims)?, &mut out);
        let digest = digest::digest(&digest::SHA256, out.as_bytes());
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign_digest(&RSA_PKCS1_SHA256, &digest, &mut signature)
            .map_err(|_| Malformed::new("the service account's key cannot sign"))?;
        out.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut out);
        Ok(out)
    }
}

/// An access token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What is sent after `Bearer`.
    pub text: String,
    /// How long it may be used from when it was asked for; a minute less than Google says.
    pub lifetime: Duration,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Granted {
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
}

impl Token {
    /// Reads the answer to a request for a token, whatever its status.
    ///
    /// # Errors
    /// [`Malformed`] when there is no token in it, with the reason that Google gives.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let no_token = || Malformed::new("the answer to a request for a token is malformed");
        let granted: Granted = serde_json::from_slice(body).map_err(|_| no_token())?;
        if let Some(error) = granted.error {
            let words = granted.error_description.unwrap_or_default();
            return Err(Malformed::new(format!(
                "no token was granted: {error} {words}"
            )));
        }
        let text = granted.access_token.filter(|text| !text.is_empty());
        let printable = |text: &String| text.bytes().all(|byte| byte.is_ascii_graphic());
        let text = text.filter(printable).ok_or_else(no_token)?;
        // Google's tokens live for an hour; one of unknown life is asked for again soon.
        let lifetime = Duration::from_secs(granted.expires_in.unwrap_or_default());
        Ok(Self {
            text,
            lifetime: lifetime.saturating_sub(MARGIN),
        })
    }
}

#[cfg(test)]
#[path = "token/tests.rs"]
mod tests;
