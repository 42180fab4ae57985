//! How do the routes of a running gateway stand, and what is done with them?

use http::Method;
use serde_json::{Value, json};

use super::keys::seconds;
use super::options::{Routes, Steer};
use super::remote::{Plane, encoded};
use super::table::{Side, table};
use super::{ConsoleError, Said, printed};

/// What stands where there is nothing.
const NONE: &str = "-";

/// Lists the routes, or does something with one.
pub(super) async fn run(plane: &Plane, options: &Routes) -> Result<Said, ConsoleError> {
    let told = match &options.steer {
        None => plane.get("/api/routes").await?,
        Some(steer) => {
            let (method, path, body) = asked(steer)?;
            plane.send(method, &path, &body).await?
        }
    };
    let text = if options.remote.json {
        printed(&told)
    } else {
        match told["routes"].as_array() {
            Some(routes) if routes.is_empty() => "there are no routes\n".to_owned(),
            Some(routes) => listed(routes),
            None => listed(std::slice::from_ref(&told)),
        }
    };
    Ok(Said {
        text,
        remarks: String::new(),
    })
}

/// The method, path and body by which something is done.
fn asked(steer: &Steer) -> Result<(Method, String, Value), ConsoleError> {
    let path = |route: &String, verb: &str| format!("/api/routes/{}/{verb}", encoded(route));
    Ok(match steer {
        Steer::Drain {
            route,
            period,
            reason,
        } => {
            let seconds = period.as_deref().map(seconds).transpose()?;
            let body = json!({ "seconds": seconds, "reason": reason });
            (Method::POST, path(route, "drain"), body)
        }
        Steer::Undrain { route } => (Method::DELETE, path(route, "drain"), Value::Null),
        Steer::Pin {
            route,
            period,
            reason,
        } => {
            let body = json!({ "seconds": seconds(period)?, "reason": reason });
            (Method::POST, path(route, "pin"), body)
        }
        Steer::Unpin { route } => (Method::DELETE, path(route, "pin"), Value::Null),
        Steer::Release { route, reason } => {
            let body = json!({ "reason": reason });
            (Method::POST, path(route, "release"), body)
        }
        Steer::Limit {
            route,
            dimension,
            limit,
            reason,
        } => {
            let limit = match limit.as_str() {
                "none" => None,
                text => Some(text.parse::<u32>().map_err(|_| {
                    ConsoleError::Senseless(format!("{text:?} is no limit: a number, or none"))
                })?),
            };
            let ceiling = format!("ceilings/{}", encoded(dimension));
            let body = json!({ "limit": limit, "reason": reason });
            (Method::PUT, path(route, &ceiling), body)
        }
    })
}

fn listed(routes: &[Value]) -> String {
    let heads = [
        ("ROUTE", Side::Left),
        ("STATE", Side::Left),
        ("FAILURE", Side::Right),
        ("IN FLIGHT", Side::Right),
        ("SHARE", Side::Right),
        ("HOLD", Side::Left),
        ("STEERED", Side::Left),
    ];
    let row = |told: &Value| {
        let now = &told["now"];
        let percent = |value: &Value| {
            let part = value.as_f64();
            part.map_or(NONE.to_owned(), |part| format!("{:.1}%", 100.0 * part))
        };
        vec![
            told["route"].as_str().unwrap_or(NONE).to_owned(),
            now["state"].as_str().unwrap_or(NONE).to_owned(),
            percent(&now["failure"]),
            now["inflight"].as_u64().unwrap_or(0).to_string(),
            percent(&now["share"]),
            hold(&now["hold"]),
            steered(&now["steering"]),
        ]
    };
    let rows: Vec<Vec<String>> = routes.iter().map(row).collect();
    table(&heads, &rows)
}

fn hold(hold: &Value) -> String {
    match hold["reason"].as_str() {
        Some(reason) => format!("{reason}{}", left(hold)),
        None => NONE.to_owned(),
    }
}

fn steered(steering: &Value) -> String {
    let mut words = Vec::new();
    for word in ["drained", "pinned"] {
        if steering[word].is_object() {
            words.push(format!("{word}{}", left(&steering[word])));
        }
    }
    let limits = steering["limits"].as_object().into_iter().flatten();
    words.extend(limits.map(|(dimension, limit)| format!("{dimension} {limit}")));
    if words.is_empty() {
        return NONE.to_owned();
    }
    words.join(", ")
}

/// How long something goes on, if that is known.
fn left(of: &Value) -> String {
    let left = of["left_ms"].as_f64();
    left.map_or_else(String::new, |ms| format!(" {:.0}s", (ms / 1e3).ceil()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_shown_in_a_line() {
        let told = json!({
            "route": "p/m/k@eu",
            "now": {
                "state": "drained", "failure": 0.012, "inflight": 3, "share": 1.0,
                "hold": { "reason": "retry_after", "left_ms": 29_100.0 },
                "steering": {
                    "drained": { "left_ms": null }, "pinned": { "left_ms": 60_000.0 },
                    "limits": { "requests": 100 },
                },
            },
        });
        let expected = "ROUTE     STATE    FAILURE  IN FLIGHT   SHARE  HOLD             STEERED\n\
                        p/m/k@eu  drained     1.2%          3  100.0%  retry_after 30s  drained, pinned 60s, requests 100\n";
        assert_eq!(listed(&[told]), expected);
    }

    #[test]
    fn what_is_asked_is_what_was_written() {
        let route = || "p/m/k@eu".to_owned();
        let limit = |limit: &str| Steer::Limit {
            route: route(),
            dimension: "tokens".to_owned(),
            limit: limit.to_owned(),
            reason: None,
        };
        let (method, path, body) = asked(&limit("7")).unwrap();
        assert_eq!(method, Method::PUT);
        assert_eq!(path, "/api/routes/p%2Fm%2Fk%40eu/ceilings/tokens");
        assert_eq!(body["limit"], 7);
        assert_eq!(asked(&limit("none")).unwrap().2["limit"], Value::Null);
        assert!(asked(&limit("-1")).is_err());
        let pin = Steer::Pin {
            route: route(),
            period: "10m".to_owned(),
            reason: None,
        };
        assert_eq!(asked(&pin).unwrap().2["seconds"], 600);
    }
}
