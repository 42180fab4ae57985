//! What does a path of an image vendor stand for?
//!
//! # Invariants
//! - A path that no vendor here has is nobody's, so that the other stand-ins may have it.

use hyper::Method;

use crate::mock::state::State;

/// Whose API it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    OpenAi,
    Stability,
    Fal,
    FalSync,
    Replicate,
    Bfl,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Submit,
    Poll(String),
    Result(String),
    Cancel(String),
    Picture(String),
}

/// A path that an image vendor answers at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mock) struct Door {
    pub(super) provider: usize,
    pub(super) maker: Maker,
    pub(super) action: Action,
    /// The model or app that the path names; may be empty.
    pub(super) model: String,
}

impl Maker {
    /// What its jobs' ids begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::OpenAi => "img-",
            Self::Stability => "st-",
            Self::Fal | Self::FalSync => "fal-",
            Self::Replicate => "rep-",
            Self::Bfl => "bfl-",
        }
    }
}

impl Action {
    /// The path that the ledger shows.
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Submit => "images/submit",
            Self::Poll(_) => "images/poll",
            Self::Result(_) => "images/result",
            Self::Cancel(_) => "images/cancel",
            Self::Picture(_) => "images/picture",
        }
    }
}

/// The door at a path, if it is an image vendor's.
pub(in crate::mock) fn find(state: &State, method: &Method, path: &str) -> Option<Door> {
    let (name, rest) = path.trim_start_matches('/').split_once('/')?;
    let (maker, action, model) = named(method, rest)?;
    Some(Door {
        provider: state.find(name)?,
        maker,
        action,
        model,
    })
}

fn named(method: &Method, rest: &str) -> Option<(Maker, Action, String)> {
    let post = method == Method::POST;
    let get = method == Method::GET;
    let submit =
        |maker: Maker, model: &str| post.then(|| (maker, Action::Submit, model.to_owned()));
    if let Some(name) = rest.strip_prefix("pictures/").filter(|_| get) {
        return Some((
            Maker::OpenAi,
            Action::Picture(name.to_owned()),
            String::new(),
        ));
    }
    if let Some(service) = rest.strip_prefix("v2beta/stable-image/") {
        let services = [
            "generate/core",
            "generate/ultra",
            "generate/sd3",
            "edit/inpaint",
        ];
        let known = services.contains(&service);
        return submit(Maker::Stability, service).filter(|_| known);
    }
    if let Some(app) = rest.strip_prefix("fal.run/") {
        return submit(Maker::FalSync, app);
    }
    if let Some(app) = rest.strip_prefix("queue.fal.run/") {
        let Some((app, job)) = app.split_once("/requests/") else {
            return submit(Maker::Fal, app);
        };
        let action = match job.split_once('/') {
            None if get => Action::Result(job.to_owned()),
            Some((id, "status")) if get => Action::Poll(id.to_owned()),
            Some((id, "cancel")) if method == Method::PUT => Action::Cancel(id.to_owned()),
            _ => return None,
        };
        return Some((Maker::Fal, action, app.to_owned()));
    }
    let rest = rest.strip_prefix("v1/")?;
    match rest {
        "predictions" => submit(Maker::Replicate, ""),
        "get_result" if get => Some((Maker::Bfl, Action::Poll(String::new()), String::new())),
        _ => {
            if let Some(job) = rest.strip_prefix("predictions/") {
                let action = match job.split_once('/') {
                    None if get => Action::Poll(job.to_owned()),
                    Some((id, "cancel")) if post => Action::Cancel(id.to_owned()),
                    _ => return None,
                };
                return Some((Maker::Replicate, action, String::new()));
            }
            let model = rest.strip_prefix("models/");
            let model = model.and_then(|model| model.strip_suffix("/predictions"));
            if let Some(model) = model {
                return submit(Maker::Replicate, model);
            }
            let flux = rest.starts_with("flux") && !rest.contains('/');
            submit(Maker::Bfl, rest).filter(|_| flux)
        }
    }
}
