//! Which pictures are asked for, and whose words can carry that?
//!
//! # Invariants
//! - A request is read once, and only if it is for pictures; a vendor whose words cannot carry it is never asked.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;

use http::header::CONTENT_TYPE;

use super::super::Asked;
use super::studio::Studio;
use crate::dialects::format::Endpoint;
use crate::images::{self, ImageRequest, Malformed, Task, USUAL_WORK, Unfit};

/// What is asked for, found out when it is needed.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Wish {
    request: OnceCell<Result<ImageRequest, Malformed>>,
    verdicts: RefCell<Vec<Verdict>>,
}

/// Whether a vendor's model can be told what is asked, and if not why.
#[derive(Debug)]
struct Verdict {
    studio: Arc<Studio>,
    model: Box<str>,
    obstacle: Option<String>,
}

impl Wish {
    /// The request.
    pub(super) fn request(&self, asked: &Asked) -> Result<&ImageRequest, &Malformed> {
        let read = self.request.get_or_init(|| read(asked));
        read.as_ref()
    }

    /// The work that it is, in scoring's units.
    pub(in crate::proxy) fn work(&self, asked: &Asked) -> u32 {
        self.request(asked).map_or(USUAL_WORK, ImageRequest::work)
    }

    /// Why a vendor's model cannot make what is asked for, if it cannot.
    pub(in crate::proxy) fn obstacle(
        &self,
        asked: &Asked,
        studio: &Arc<Studio>,
        model: &str,
    ) -> Option<String> {
        let known = |it: &&Verdict| {
            (it.studio.vendor, &it.studio.base, &*it.model) == (studio.vendor, &studio.base, model)
        };
        if let Some(verdict) = self.verdicts.borrow().iter().find(known) {
            return verdict.obstacle.clone();
        }
        let obstacle = match self.request(asked) {
            Err(why) => Some(why.message.clone()),
            Ok(request) => {
                let written = studio.vendor.submit(request, model, &studio.base);
                written.err().map(|unfit| obstacle(&unfit))
            }
        };
        self.verdicts.borrow_mut().push(Verdict {
            studio: Arc::clone(studio),
            model: model.into(),
            obstacle: obstacle.clone(),
        });
        obstacle
    }
}

/// Why a vendor is not asked, in words for the client.
pub(super) fn obstacle(unfit: &Unfit) -> String {
    match unfit {
        Unfit::Malformed(why) => why.message.clone(),
        Unfit::Lossy(losses) => {
            let what = losses.of_meaning().unwrap_or("these fields");
            format!("No route of this model can serve a request with `{what}`.")
        }
    }
}

fn read(asked: &Asked) -> Result<ImageRequest, Malformed> {
    let task = match asked.endpoint {
        Endpoint::ImageEdits => Task::Edit,
        Endpoint::ImageVariations => Task::Vary,
        _ => return ImageRequest::from_json(&asked.body),
    };
    let kind = asked.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    ImageRequest::from_form(task, images::split(kind, &asked.body)?)
}
