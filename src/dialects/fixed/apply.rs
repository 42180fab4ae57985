//! Writes a request anew with everything fixed in it.
//!
//! # Invariants
//! - What is fixed replaces what the client wrote for the same thing, under any of its names; everything else keeps its bytes and its order.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::fields::{Fields, Written, merge, object, once, quoted};
use super::instructions::instruct;
use super::seat::{Seat, listed, seat};
use crate::dialects::format::Format;
use crate::dialects::meeting::Malformed;
use crate::dialects::openai::form;

/// What a workflow puts into every request.
#[derive(Clone, Copy, Debug)]
pub struct Fixed<'f> {
    /// Names and the JSON text of their values.
    pub parameters: &'f BTreeMap<String, String>,
    /// Instructions that stand before the client's.
    pub system: Option<&'f str>,
}

impl Fixed<'_> {
    /// The request `body` of this format with `model` and everything fixed in it; none for a model that the path names.
    ///
    /// # Errors
    /// [`Malformed`] where the body is not an object, or not of a shape that instructions can be put into.
    pub fn apply(
        &self,
        format: Format,
        model: Option<&str>,
        body: &[u8],
    ) -> Result<Bytes, Malformed> {
        let Fields(client) = serde_json::from_slice(body)?;
        let mut written: Written<'_> = Vec::with_capacity(client.len() + 4);
        let mut inside: Vec<(&'static str, Written<'_>)> = Vec::new();
        written.extend(model.map(|model| ("model".into(), quoted(model).into())));
        for (name, value) in self.parameters {
            match seat(format, name) {
                Seat::Top(name) => written.push((name.into(), listed(name, value))),
                Seat::Inside(group, name) => {
                    let field = (name.into(), listed(name, value));
                    match inside.iter_mut().find(|(known, _)| *known == group) {
                        Some((_, fields)) => fields.push(field),
                        None => inside.push((group, vec![field])),
                    }
                }
                Seat::Nowhere => {}
            }
        }
        for (group, mut fields) in inside {
            let own = once(format, &client, group)?.map_or("null", |(_, value)| value.get());
            let Fields(own) = match own {
                "null" => Fields(Vec::new()),
                own => serde_json::from_str(own)
                    .map_err(|_| Malformed::new(format!("`{group}` must be an object")))?,
            };
            merge(format, &mut fields, &own);
            written.push((group.into(), object(&fields).into()));
        }
        if let Some(system) = self.system {
            instruct(format, system, &client, &mut written)?;
        }
        merge(format, &mut written, &client);
        Ok(Bytes::from(object(&written)))
    }

    /// The form `body` with `model` and the parameters in it, as parts of their own; forms have no instructions.
    ///
    /// # Errors
    /// [`Malformed`] where the body is not the form that its `content_type` says.
    pub fn apply_to_form(
        &self,
        model: &str,
        content_type: &str,
        body: &[u8],
    ) -> Result<Bytes, Malformed> {
        let mut parts = vec![("model", model.to_owned())];
        for (name, value) in self.parameters {
            let text = serde_json::from_str::<String>(value);
            parts.push((name, text.unwrap_or_else(|_| value.clone())));
        }
        form::replace(body, content_type, &parts).map_err(|why| Malformed::new(why.to_string()))
    }
}
