//! In whose words a stand-in answers, and by what names it goes there.
//!
//! # Invariants
//! - A tongue decides the form of errors, ids and limit headers, never what happens.

use hyper::header::HeaderName;

use super::script::Vendor;

/// The vendor whose wire format an endpoint speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tongue {
    #[default]
    OpenAi,
    Azure,
    Anthropic,
    Gemini,
    Bedrock,
    Cohere,
}

/// In whose words, and under which number, something is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Voice {
    pub(super) tongue: Tongue,
    /// The attempt's number; 0 where there is none.
    pub(super) id: u64,
}

impl Tongue {
    /// In whose words limits are told at this tongue's endpoints: the scripted one's, whose default means the endpoint's own.
    pub(super) fn vendor(self, scripted: Vendor) -> Vendor {
        if scripted != Vendor::OpenAi {
            return scripted;
        }
        match self {
            Self::OpenAi => Vendor::OpenAi,
            Self::Anthropic => Vendor::Anthropic,
            Self::Gemini => Vendor::Gemini,
            Self::Bedrock => Vendor::Bedrock,
            Self::Azure => Vendor::Azure,
            Self::Cohere => Vendor::Silent,
        }
    }

    /// Whether a vendor's own 429 body may be said here; OpenAI's endpoints are where every vendor's can be tried.
    pub(super) fn is_of(self, vendor: Vendor) -> bool {
        match self {
            Self::OpenAi => true,
            Self::Anthropic => vendor == Vendor::Anthropic,
            Self::Gemini => vendor == Vendor::Gemini,
            Self::Bedrock => vendor == Vendor::Bedrock,
            Self::Azure => matches!(vendor, Vendor::Azure | Vendor::AzureUnknown),
            Self::Cohere => false,
        }
    }

    /// The header that carries the request's id, where there is one.
    pub(super) fn id_header(self) -> Option<HeaderName> {
        let name = match self {
            Self::OpenAi => "x-request-id",
            Self::Anthropic => "request-id",
            Self::Bedrock => "x-amzn-requestid",
            Self::Azure => "apim-request-id",
            Self::Gemini | Self::Cohere => return None,
        };
        Some(HeaderName::from_static(name))
    }
}

impl Voice {
    /// The request's id, as this vendor writes it.
    pub(super) fn request_id(self) -> String {
        match self.tongue {
            Tongue::OpenAi | Tongue::Gemini | Tongue::Cohere => format!("req_mock{:016x}", self.id),
            Tongue::Anthropic => format!("req_011mock{:016x}", self.id),
            Tongue::Bedrock | Tongue::Azure => format!("6d6f636b-0000-4000-8000-{:012x}", self.id),
        }
    }
}
