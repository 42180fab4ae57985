//! How large shall the picture be, in each vendor's words?
//!
//! Clients say pixels (`1024x1536`) or a ratio (`2:3`); vendors take pixels, multiples of some step, a ratio of a closed list, or a name.
//! A ratio becomes pixels that have exactly this ratio; pixels become a ratio only if they reduce to one that is listed
//! and their number is near the one megapixel that such vendors draw.
//! Sources: the vendors' API references (fal `image_size`, Stability `aspect_ratio`, BFL width and height).
//!
//! # Invariants
//! - What has no exact counterpart is `None`; nothing is replaced by what is merely similar.

/// The smallest and largest side accepted, in pixels; beyond it no vendor draws, and products stay small.
const SIDES: std::ops::RangeInclusive<u32> = 64..=8_192;

/// The picture that is drawn when only a ratio is given, in pixels: 1024 × 1024, which diffusion models are trained for.
pub(super) const USUAL_PIXELS: u64 = 1_048_576;

/// How far from [`USUAL_PIXELS`] a size may be, as a factor, to be told by its ratio alone.
const NEAR: u64 = 2;

/// The size asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// The vendor chooses.
    #[default]
    Auto,
    /// So many pixels.
    Pixels(Pixels),
    /// The vendor chooses the pixels, but not their ratio.
    Ratio(Ratio),
}

/// Width and height in pixels, 64..=8192 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// A ratio of width to height in lowest terms, 1..=64 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Parts of width.
    pub width: u32,
    /// Parts of height.
    pub height: u32,
}

/// The widths and heights that a model takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Both sides are multiples of it.
    pub(super) step: u32,
    /// The smallest side.
    pub(super) least: u32,
    /// The largest side.
    pub(super) most: u32,
}

/// Names that fal gives to sizes. Source: fal's `image_size` enumeration.
const FAL: &[(&str, u32, u32)] = &[
    ("square_hd", 1_024, 1_024),
    ("square", 512, 512),
    ("portrait_4_3", 768, 1_024),
    ("portrait_16_9", 576, 1_024),
    ("landscape_4_3", 1_024, 768),
    ("landscape_16_9", 1_024, 576),
];

/// Ratios that Stability and Fireworks take. Source: Stability v2beta's `aspect_ratio`.
pub(super) const STABILITY: &[&str] = &[
    "21:9", "16:9", "3:2", "5:4", "1:1", "4:5", "2:3", "9:16", "9:21",
];

/// Ratios that FLUX takes on Replicate and, where it takes a ratio, on fal and BFL.
pub(super) const FLUX: &[&str] = &[
    "21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16", "9:21",
];

/// Sizes of OpenAI's image models that are a ratio's only one. Source: OpenAI's image API reference.
const OPENAI: &[(u32, u32)] = &[(1_024, 1_024), (1_536, 1_024), (1_024, 1_536)];

impl Size {
    /// Pixels that are drawn, where nothing is said 1,048,576.
    #[must_use]
    pub fn pixels(self) -> u64 {
        match self {
            Self::Pixels(pixels) => pixels.count(),
            Self::Auto | Self::Ratio(_) => USUAL_PIXELS,
        }
    }

    /// As OpenAI writes it: `auto`, or `1024x1024`; a ratio only where one size has it.
    pub(super) fn openai(self) -> Option<String> {
        match self {
            Self::Auto => Some("auto".to_owned()),
            Self::Pixels(pixels) => Some(pixels.to_string()),
            Self::Ratio(ratio) => OPENAI
                .iter()
                .map(|(width, height)| Pixels {
                    width: *width,
                    height: *height,
                })
                .find(|pixels| pixels.ratio() == Some(ratio))
                .map(|pixels| pixels.to_string()),
        }
    }

    /// As one of the ratios that a vendor lists.
    pub(super) fn listed(self, list: &[&'static str]) -> Option<&'static str> {
        let ratio = match self {
            Self::Auto => return None,
            Self::Ratio(ratio) => ratio,
            Self::Pixels(pixels) => {
                let count = pixels.count();
                let near = USUAL_PIXELS / NEAR..=USUAL_PIXELS * NEAR;
                pixels.ratio().filter(|_| near.contains(&count))?
            }
        };
        list.iter()
            .copied()
            .find(|text| Ratio::parse(text) == Some(ratio))
    }

    /// As pixels that a model's grid has: those asked for, or those next to a megapixel that have exactly the ratio.
    pub(super) fn on(self, grid: Grid) -> Option<Pixels> {
        match self {
            Self::Auto => None,
            Self::Pixels(pixels) => grid.has(pixels).then_some(pixels),
            Self::Ratio(ratio) => {
                let unit = |k: u32| Pixels {
                    width: ratio.width * grid.step * k,
                    height: ratio.height * grid.step * k,
                };
                let sizes = (1..=grid.most / grid.step).map(unit);
                let fitting = sizes.filter(|pixels| grid.has(*pixels));
                fitting.min_by_key(|pixels| pixels.count().abs_diff(USUAL_PIXELS))
            }
        }
    }

    /// As fal names it: the name, if the size has one.
    pub(super) fn fal(self) -> Option<&'static str> {
        let named = FAL.iter().map(|(name, width, height)| {
            let pixels = Pixels {
                width: *width,
                height: *height,
            };
            (*name, pixels)
        });
        let mut named = named.filter(|(_, pixels)| match self {
            Self::Auto => false,
            Self::Pixels(asked) => asked == *pixels,
            Self::Ratio(ratio) => pixels.ratio() == Some(ratio),
        });
        named.next().map(|(name, _)| name)
    }
}

impl Pixels {
    /// Pixels with both sides in range.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let fits = SIDES.contains(&width) && SIDES.contains(&height);
        fits.then_some(Self { width, height })
    }

    /// Reads `1024x1024`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (width, height) = text.split_once(['x', 'X'])?;
        Self::new(digits(width)?, digits(height)?)
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Their ratio, if its parts are small.
    #[must_use]
    pub fn ratio(self) -> Option<Ratio> {
        Ratio::new(self.width, self.height)
    }
}

impl std::fmt::Display for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl Ratio {
    /// The ratio in lowest terms; `None` if a part is then 0 or above 64.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let common = divisor(width, height);
        let (width, height) = (width.checked_div(common)?, height.checked_div(common)?);
        let fits = |part: u32| (1..=64).contains(&part);
        (fits(width) && fits(height)).then_some(Self { width, height })
    }

    /// Reads `16:9`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (width, height) = text.split_once(':')?;
        Self::new(digits(width)?, digits(height)?)
    }
}

impl Grid {
    fn has(self, pixels: Pixels) -> bool {
        [pixels.width, pixels.height]
            .into_iter()
            .all(|side| (self.least..=self.most).contains(&side) && side.is_multiple_of(self.step))
    }
}

fn digits(text: &str) -> Option<u32> {
    let plain = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// The greatest common divisor.
fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BFL: Grid = Grid {
        step: 32,
        least: 256,
        most: 1_440,
    };

    fn size(text: &str) -> Size {
        let pixels = Pixels::parse(text).map(Size::Pixels);
        let ratio = || Ratio::parse(text).map(Size::Ratio);
        pixels.or_else(ratio).unwrap_or(Size::Auto)
    }

    #[test]
    fn every_size_is_told_exactly_or_refused() {
        // Asked, OpenAI, Stability, fal's name, BFL.
        for (asked, openai, stability, fal, bfl) in [
            (
                "1024x1024",
                Some("1024x1024"),
                Some("1:1"),
                Some("square_hd"),
                Some("1024x1024"),
            ),
            (
                "512x512",
                Some("512x512"),
                None,
                Some("square"),
                Some("512x512"),
            ),
            ("1536x1024", Some("1536x1024"), Some("3:2"), None, None),
            (
                "1024x768",
                Some("1024x768"),
                None,
                Some("landscape_4_3"),
                Some("1024x768"),
            ),
            (
                "1024x576",
                Some("1024x576"),
                Some("16:9"),
                Some("landscape_16_9"),
                Some("1024x576"),
            ),
            ("1792x1024", Some("1792x1024"), None, None, None),
            ("1000x1000", Some("1000x1000"), Some("1:1"), None, None),
            (
                "1:1",
                Some("1024x1024"),
                Some("1:1"),
                Some("square_hd"),
                Some("1024x1024"),
            ),
            (
                "2:3",
                Some("1024x1536"),
                Some("2:3"),
                None,
                Some("832x1248"),
            ),
            (
                "16:9",
                None,
                Some("16:9"),
                Some("landscape_16_9"),
                Some("1024x576"),
            ),
            ("42:18", None, Some("21:9"), None, Some("1344x576")),
            ("3:4", None, None, Some("portrait_4_3"), Some("864x1152")),
            ("19:10", None, None, None, Some("1216x640")),
            ("auto", Some("auto"), None, None, None),
        ] {
            let size = size(asked);
            assert_eq!(size.openai().as_deref(), openai, "{asked} as OpenAI");
            assert_eq!(size.listed(STABILITY), stability, "{asked} as Stability");
            assert_eq!(size.fal(), fal, "{asked} as fal");
            let pixels = size.on(BFL).map(|pixels| pixels.to_string());
            assert_eq!(pixels.as_deref(), bfl, "{asked} as BFL");
        }
    }

    #[test]
    fn what_is_no_size_is_not_read() {
        for text in [
            "", "x", "1024", "1024x", "-1x5", "+64x64", "99999x64", "63x64", "1e3x64", "64x64x64",
        ] {
            assert_eq!(Pixels::parse(text), None, "{text}");
        }
        for text in ["0:1", "1:0", "0:0", "1:65", "16:9:1", "1.5:1", "999999:1"] {
            assert_eq!(Ratio::parse(text), None, "{text}");
        }
    }
}
