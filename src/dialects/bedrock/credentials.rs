//! With what does the gateway prove to AWS who it is?
//!
//! An operator writes `ACCESS:SECRET`, `ACCESS:SECRET:SESSION` for temporary keys, or one of Bedrock's API keys, which is sent as it is.
//!
//! # Invariants
//! - Debug output tells which kind it is, and the access key at most.

use std::fmt;

use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderName, InvalidHeaderValue};

use super::super::meeting::Malformed;
use super::sign::{self, Call, Scope};

/// What a request is authorised with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Keys to sign with.
    Keys(Keys),
    /// An API key, sent as a bearer token.
    Bearer(Bearer),
}

/// Keys to sign with.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Which key it is; not a secret.
    pub access_key: String,
    /// The secret.
    pub secret_key: String,
    /// What temporary keys are sent with.
    pub session_token: Option<String>,
}

/// An API key of Bedrock.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer(String);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer")
    }
}

impl Credentials {
    /// Reads what an operator has written.
    ///
    /// # Errors
    /// [`Malformed`] when it is neither keys nor an API key; the text is not repeated.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Malformed::new(
                "an AWS credential must be printable ASCII without spaces",
            ));
        }
        let fields: Vec<&str> = text.split(':').collect();
        let keys = |access: &str, secret: &str, session: Option<&str>| {
            Self::Keys(Keys {
                access_key: access.to_owned(),
                secret_key: secret.to_owned(),
                session_token: session.map(str::to_owned),
            })
        };
        match *fields {
            [bearer] => Ok(Self::Bearer(Bearer(bearer.to_owned()))),
            [access, secret] if !access.is_empty() && !secret.is_empty() => {
                Ok(keys(access, secret, None))
            }
            [access, secret, session]
                if !access.is_empty() && !secret.is_empty() && !session.is_empty() =>
            {
                Ok(keys(access, secret, Some(session)))
            }
            _ => Err(Malformed::new(
                "an AWS credential is ACCESS:SECRET, ACCESS:SECRET:SESSION or an API key",
            )),
        }
    }

    /// The headers that authorise a call.
    ///
    /// # Errors
    /// [`InvalidHeaderValue`] when the region or a key holds what no header can.
    pub fn authorise(
        &self,
        scope: &Scope<'_>,
        call: &Call<'_>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
        match self {
            Self::Keys(keys) => sign::sign(keys, scope, call),
            Self::Bearer(Bearer(key)) => {
                let mut value = HeaderValue::try_from(format!("Bearer {key}"))?;
                value.set_sensitive(true);
                Ok(vec![(AUTHORIZATION, value)])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_way_of_writing_is_read() {
        let Credentials::Keys(keys) = Credentials::read(" AKID:se/cr+et ").unwrap() else {
            panic!("not keys");
        };
        assert_eq!((&*keys.access_key, &*keys.secret_key), ("AKID", "se/cr+et"));
        assert_eq!(keys.session_token, None);
        let Credentials::Keys(keys) = Credentials::read("A:s:to==").unwrap() else {
            panic!("not keys");
        };
        assert_eq!(keys.session_token.as_deref(), Some("to=="));
        assert!(matches!(
            Credentials::read("ABSKQmVkcm9ja0FQSUtleQ=="),
            Ok(Credentials::Bearer(_))
        ));
        for bad in ["", " ", "A:", ":s", "A:s:", "A:s:t:u", "A:s é", "A\n:s"] {
            let error = Credentials::read(bad).unwrap_err().to_string();
            assert!(!error.contains("A:s"), "{bad:?} {error}");
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        for text in ["AKID:hush", "AKID:hush:hush", "hush"] {
            let printed = format!("{:?}", Credentials::read(text).unwrap());
            assert!(!printed.contains("hush"), "{printed}");
        }
    }

    #[test]
    fn an_api_key_is_sent_as_it_is() {
        let scope = Scope {
            region: "us-east-1",
            service: sign::SERVICE,
            unix: Duration::ZERO,
        };
        let call = Call {
            method: &http::Method::POST,
            host: "h",
            path: "/",
            query: "",
            headers: &[],
            body: b"",
        };
        let credentials = Credentials::read("ABSKx").unwrap();
        let headers = credentials.authorise(&scope, &call).unwrap();
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[0].0, AUTHORIZATION);
        assert_eq!(headers[0].1, "Bearer ABSKx");
        assert!(headers[0].1.is_sensitive());
    }
}
