//! How are pictures encoded, filled behind and handed over, and in which words is that said?

/// A picture's encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
}

/// What lies behind the subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Background {
    /// The model decides.
    #[default]
    Auto,
    /// Something.
    Opaque,
    /// Nothing.
    Transparent,
}

/// How pictures are handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Not said: as OpenAI's own default for its models; any other vendor's as [`Base64`](Self::Base64), so that a failover changes nothing.
    #[default]
    Unsaid,
    /// As a URL of the vendor's.
    Url,
    /// Within the answer.
    Base64,
}

impl Format {
    /// The media type.
    #[must_use]
    pub const fn media(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    /// The name that OpenAI and most vendors use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Webp => "webp",
        }
    }

    /// The format that a picture's first bytes tell; `None` if it is none of these.
    #[must_use]
    pub fn sniff(data: &[u8]) -> Option<Self> {
        if data.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if data.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if data.starts_with(b"RIFF") && data.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }
}

impl Background {
    /// OpenAI's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Opaque => "opaque",
            Self::Transparent => "transparent",
        }
    }
}

/// What clients may write for an encoding.
pub(super) const FORMATS: &[(&str, Format)] = &[
    ("png", Format::Png),
    ("jpeg", Format::Jpeg),
    ("jpg", Format::Jpeg),
    ("webp", Format::Webp),
];

/// What they may write for a background.
pub(super) const BACKGROUNDS: &[(&str, Background)] = &[
    ("auto", Background::Auto),
    ("opaque", Background::Opaque),
    ("transparent", Background::Transparent),
];

/// What they may write for a way to hand pictures over.
pub(super) const DELIVERIES: &[(&str, Delivery)] = &[
    ("url", Delivery::Url),
    ("b64_json", Delivery::Base64),
    ("base64", Delivery::Base64),
];
