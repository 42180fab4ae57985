//! What does a request mean, and what of it can a route's words carry?
//!
//! A request is read once, and only if a route of another dialect may serve it; it is written once for each dialect.
//!
//! # Invariants
//! - A route whose dialect cannot carry what the request means is never asked.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use bytes::Bytes;

use super::recollection::Recollections;
use super::serving::{Lane, Wire};
use super::{Asked, rescue};
use crate::chat::{Losses, Request};
use crate::dialects::convert::{self, Meant};
use crate::dialects::format::Format;
use crate::dialects::meeting::{Malformed, Target};

/// Output tokens that are asked for where a dialect demands a number and the client gave none: what every current model can write.
const DEFAULT_MAX_TOKENS: u32 = 4_096;

/// A request's meaning, found out when it is needed.
#[derive(Debug)]
pub(super) struct Meaning {
    read: OnceCell<Result<Meant, Malformed>>,
    drafts: RefCell<Vec<Rc<Draft>>>,
    /// Whether the model is to go on from what it said, as the request's last message has it.
    onward: bool,
    /// Whether it holds what no provider of the client's own words can read.
    foreign: Foreign,
    /// Whether the client asked for a stream, which not every dialect says in its body.
    streamed: bool,
}

/// Whether a request holds what no provider of its own words can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Foreign {
    /// It does not.
    No,
    /// It holds thoughts that another maker's model has signed.
    Yes,
}

/// A request, written in other words.
#[derive(Debug)]
pub(super) struct Draft {
    format: Format,
    model: Box<str>,
    most: Option<u32>,
    pub(super) body: Bytes,
    pub(super) losses: Losses,
}

impl Meaning {
    /// A meaning that was not looked for yet.
    pub(super) fn new(streamed: bool, foreign: Foreign) -> Self {
        Self {
            read: OnceCell::new(),
            drafts: RefCell::default(),
            onward: false,
            foreign,
            streamed,
        }
    }

    /// A request that ends with what its model said so far, and is to be gone on from.
    pub(super) fn onward(request: Request) -> Self {
        Self {
            streamed: request.stream,
            read: OnceCell::from(Ok(Meant::Talk(Box::new(request)))),
            drafts: RefCell::default(),
            onward: true,
            foreign: Foreign::No,
        }
    }

    /// Whether the request differs from what the client wrote, so that its bytes must not be used.
    pub(super) const fn is_changed(&self) -> bool {
        self.onward || matches!(self.foreign, Foreign::Yes)
    }

    /// What the request means.
    pub(super) fn of(&self, asked: &Asked, told: &Recollections) -> Result<&Meant, &Malformed> {
        let read = self.read.get_or_init(|| {
            let recall = |id: &str| told.recall(id);
            let mut meant = convert::read(asked.endpoint.format(), &asked.body, &recall)?;
            if let Meant::Talk(request) = &mut meant {
                request.stream = self.streamed;
            }
            Ok(meant)
        });
        read.as_ref()
    }

    /// The request in the words of a route's dialect, for whatever model it was written first: what cannot be said depends on the dialect.
    pub(super) fn any_draft(
        &self,
        asked: &Asked,
        told: &Recollections,
        wire: &Wire,
        lane: &Lane,
    ) -> Result<Rc<Draft>, Malformed> {
        let fits = |draft: &&Rc<Draft>| draft.format == lane.format;
        if let Some(draft) = self.drafts.borrow().iter().find(fits) {
            return Ok(Rc::clone(draft));
        }
        self.draft(asked, told, wire, lane)
    }

    /// Whether the request's answer is a single one of text, thoughts and tool calls, all of which `chat` carries: what else it asks for would be lost on the way through it.
    pub(super) fn is_carried_whole(&self, asked: &Asked, told: &Recollections) -> bool {
        let Ok(meant @ Meant::Talk(_)) = self.of(asked, told) else {
            return false;
        };
        let target = Target {
            model: "",
            default_max_tokens: DEFAULT_MAX_TOKENS,
            most_max_tokens: None,
        };
        let (_, losses) = convert::write(asked.endpoint.format(), meant, &target);
        losses.of_meaning().is_none()
    }

    /// The request in a route's words.
    pub(super) fn draft(
        &self,
        asked: &Asked,
        told: &Recollections,
        wire: &Wire,
        lane: &Lane,
    ) -> Result<Rc<Draft>, Malformed> {
        let (model, most) = (&wire.model.plain, wire.max_output_tokens);
        let fits = |draft: &&Rc<Draft>| {
            draft.format == lane.format && draft.model == *model && draft.most == most
        };
        if let Some(draft) = self.drafts.borrow().iter().find(fits) {
            return Ok(Rc::clone(draft));
        }
        let target = Target {
            model,
            default_max_tokens: most
                .map_or(DEFAULT_MAX_TOKENS, |most| most.min(DEFAULT_MAX_TOKENS)),
            most_max_tokens: most,
        };
        let meant = self.of(asked, told).map_err(Clone::clone)?;
        let (body, losses) = match meant {
            Meant::Talk(request)
                if self.onward && !convert::takes_prefill(lane.format, model, request) =>
            {
                let told = Meant::Talk(Box::new(rescue::instructed(request)));
                convert::write(lane.format, &told, &target)
            }
            meant => convert::write(lane.format, meant, &target),
        };
        let draft = Rc::new(Draft {
            format: lane.format,
            model: model.clone(),
            most,
            body: Bytes::from(body),
            losses,
        });
        self.drafts.borrow_mut().push(Rc::clone(&draft));
        Ok(draft)
    }
}
