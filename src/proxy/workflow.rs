//! May a request enter a workflow, and what does it become there?
//!
//! # Invariants
//! - A request enters once: a stream that is taken up again keeps its pass and what it became.
//! - The model that it names afterwards is the workflow, whatever the client wrote.

use http::header::CONTENT_TYPE;
use scoring::time::Span;

use super::life::Life;
use super::respond::Failed;
use super::{Asked, Way};
use crate::config::Workflow;
use crate::dialects::failure::Failure;
use crate::dialects::fixed::Fixed;
use crate::routing::Full;

/// The request as the workflow with this index makes it, or why it may not enter.
pub(super) fn enter(life: &mut Life, asked: &Asked, model: usize) -> Result<Asked, Box<Failed>> {
    life.model = Some(model);
    let serving = &life.serving;
    let (routed, configured) = (
        &serving.routing.models[model],
        &serving.config.models[model],
    );
    let (Some(gate), Some(workflow)) = (&routed.gate, &configured.workflow) else {
        return Err(Box::new(Failed::local(
            Failure::Internal,
            "The model is no workflow.",
        )));
    };
    let pass = gate
        .pass(workflow.limits, life.began)
        .map_err(|full| refused(&configured.name, workflow, full))?;
    let fixed = Fixed {
        parameters: &workflow.parameters,
        system: workflow.system.as_deref(),
    };
    let named = asked.endpoint.names_model_in_path();
    let body = if asked.endpoint.is_form() {
        let kind = asked.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        fixed.apply_to_form(&configured.name, kind, &asked.body)
    } else {
        let name = (!named).then_some(&*configured.name);
        fixed.apply(asked.endpoint.format(), name, &asked.body)
    };
    let body =
        body.map_err(|why| Box::new(Failed::local(Failure::BadRequest, &why.to_string())))?;
    let entered = Asked {
        endpoint: asked.endpoint,
        model: named.then(|| configured.name.clone()),
        way: Way::Entered,
        query: asked.query.clone(),
        headers: asked.headers.clone(),
        payer: asked.payer.clone(),
        body,
    };
    life.pass = Some(pass);
    life.entered = Some((model, asked.endpoint));
    Ok(entered)
}

fn refused(name: &str, workflow: &Workflow, full: Full) -> Box<Failed> {
    let limits = workflow.limits;
    let (most, what, wait): (Option<u32>, &str, Span) = match full {
        Full::Concurrency(wait) => (limits.concurrency, "requests at a time", wait),
        Full::Minute(wait) => (limits.requests_per_minute, "requests per minute", wait),
    };
    let most = most.unwrap_or_default();
    let message = format!("`{name}` is at its limit of {most} {what}; try again later.");
    Box::new(Failed {
        retry_after: Some(wait),
        ..Failed::local(Failure::RateLimited, &message)
    })
}
