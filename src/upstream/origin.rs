//! Whom do we connect to, and how?
//!
//! An [`Origin`] is a provider's address with everything that a new connection needs.
//! It is immutable and shared by all workers; its `slot` is where each worker keeps the pool for it.
//!
//! # Invariants
//! - Two origins never share a slot within one [`Origins`].

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::uri::{Authority, InvalidUri};

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Plain text or TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http://`.
    Http,
    /// `https://`.
    Https,
}

/// Which HTTP to speak to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1, one request at a time on each connection.
    Http1,
    /// HTTP/2; with prior knowledge on a plain-text origin.
    Http2,
    /// HTTP/2 if the provider agrees during the TLS handshake, else HTTP/1.1.
    Auto,
}

/// What the operator may set about connections to an origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transport {
    /// Which HTTP to speak; default HTTP/1.1, which is one lost packet away from one request only.
    pub protocol: Protocol,
    /// Time allowed for name look-up, TCP and TLS together.
    pub connect: Duration,
    /// A connection idle for longer is not used again; below the provider's own limit.
    pub idle: Duration,
    /// Extra certificate authorities, PEM; empty for the public ones alone.
    pub extra_roots: Vec<u8>,
}

/// Why TLS towards an origin could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The extra authorities are not valid PEM certificates.
    #[error("the extra certificate authorities cannot be read: {0}")]
    Roots(String),
    /// The host is not a name that a certificate can carry.
    #[error("`{0}` is not a host name that a certificate can carry")]
    Name(String),
    /// The host and port make no authority.
    #[error("`{0}` is not a host")]
    Authority(String, #[source] InvalidUri),
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// A provider's address with all that a new connection needs.
#[derive(Debug)]
pub struct Origin {
    pub(super) slot: usize,
    pub(super) host: String,
    pub(super) port: u16,
    /// For HTTP/2's `:authority`.
    pub(super) authority: Authority,
    pub(super) transport: Transport,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// Origins that there may be before those that providers name are refused: far more than any configuration has.
const MOST: usize = 4_096;

/// All origins of the process, by address and transport, so that a reload keeps their connections.
#[derive(Debug, Default)]
pub struct Origins {
    known: Mutex<HashMap<Address, Arc<Origin>>>,
}

type Address = (Scheme, String, u16, Transport);

impl Origins {
    /// The origin at this address: the one there is, else a new one. Reads no file and opens no socket.
    ///
    /// # Errors
    /// [`TlsError`] when the scheme is `https` and the name or the extra authorities are unusable.
    pub fn get(
        &self,
        scheme: Scheme,
        host: &str,
        port: u16,
        transport: Transport,
    ) -> Result<Arc<Origin>, TlsError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = known.len();
        match known.entry((scheme, host.to_owned(), port, transport)) {
            Entry::Occupied(there) => Ok(Arc::clone(there.get())),
            Entry::Vacant(place) => {
                let origin = Arc::new(Origin::new(slot, place.key())?);
                Ok(Arc::clone(place.insert(origin)))
            }
        }
    }
}

impl Origins {
    /// The origin at an address that a provider named, as [`get`](Self::get); none if there are too many already, or it is unusable.
    pub fn named(
        &self,
        scheme: Scheme,
        host: &str,
        port: u16,
        transport: &Transport,
    ) -> Option<Arc<Origin>> {
        let address = (scheme, host.to_owned(), port, transport.clone());
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MOST {
                return known.get(&address).cloned();
            }
        }
        self.get(scheme, host, port, address.3).ok()
    }
}

impl Origin {
    fn new(slot: usize, (scheme, host, port, transport): &Address) -> Result<Self, TlsError> {
        let tls = match scheme {
            Scheme::Http => None,
            Scheme::Https => {
                let name =
                    ServerName::try_from(host.clone()).map_err(|_| TlsError::Name(host.clone()))?;
                Some((client_config(transport)?, name))
            }
        };
        let bracketed = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let authority = Authority::try_from(bracketed.as_str())
            .map_err(|error| TlsError::Authority(bracketed, error))?;
        Ok(Self {
            slot,
            host: host.clone(),
            port: *port,
            authority,
            transport: transport.clone(),
            tls,
        })
    }

    /// The scheme's name.
    pub(super) fn scheme(&self) -> http::uri::Scheme {
        match self.tls {
            None => http::uri::Scheme::HTTP,
            Some(_) => http::uri::Scheme::HTTPS,
        }
    }
}

fn client_config(transport: &Transport) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for certificate in rustls::pki_types::CertificateDer::pem_slice_iter(&transport.extra_roots) {
        let certificate = certificate.map_err(|error| TlsError::Roots(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| TlsError::Roots(error.to_string()))?;
    }
    let library = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(library)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = match transport.protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
        Protocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(Arc::new(config))
}
