//! Which names does an expression have that nobody knows?

use std::ops::Range;

use cel::Program;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};

use super::mistake::Mistake;
use crate::config::nearest::nearest;
use crate::config::rules::CREDENTIALS;

/// Deepest tree of an expression, levels: evaluating one takes a worker's stack, up to 32 KiB a level where nothing is optimised.
const DEEPEST_TREE: usize = 24;

/// What an expression may name, and a value that each may have.
pub(super) const VARIABLES: [&str; 10] = [
    "model",
    "endpoint",
    "stream",
    "input_tokens",
    "max_tokens",
    "headers",
    "key",
    "team",
    "hour",
    "budget_left",
];

/// Names of types, which an expression may compare with.
const TYPES: [&str; 9] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "uint",
];

/// What an expression may call, besides operators and macros.
pub(super) const FUNCTIONS: [&str; 12] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// Looks through a whole expression.
///
/// # Errors
/// The first unknown name, hopeless header or level too deep.
pub(super) fn check(text: &str, program: &Program) -> Result<(), Mistake> {
    let mut names = Names {
        text,
        program,
        bound: Vec::new(),
        depth: 0,
        mistake: None,
    };
    names.walk(program.expression());
    names.mistake.map_or(Ok(()), Err)
}

/// A walk through an expression that looks for names nobody knows.
struct Names<'p> {
    text: &'p str,
    program: &'p Program,
    /// Names that the macros around have bound.
    bound: Vec<&'p str>,
    /// How deep the walk is.
    depth: usize,
    mistake: Option<Mistake>,
}

impl<'p> Names<'p> {
    fn walk(&mut self, node: &'p IdedExpr) {
        if self.depth == DEEPEST_TREE {
            self.mistake.get_or_insert_with(Mistake::too_deep);
        }
        if self.mistake.is_some() {
            return;
        }
        self.depth += 1;
        self.visit(node);
        self.depth -= 1;
    }

    fn visit(&mut self, node: &'p IdedExpr) {
        match &node.expr {
            Expr::Ident(name) => self.variable(node, name),
            Expr::Call(call) => self.call(node, call),
            Expr::Select(select) => self.walk(&select.operand),
            Expr::List(list) => list.elements.iter().for_each(|it| self.walk(it)),
            Expr::Map(map) => map.entries.iter().for_each(|it| self.entry(&it.expr)),
            Expr::Struct(one) => one.entries.iter().for_each(|it| self.entry(&it.expr)),
            Expr::Comprehension(loops) => self.comprehension(loops),
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn entry(&mut self, entry: &'p EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.walk(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.walk(&entry.key);
                self.walk(&entry.value);
            }
        }
    }

    fn comprehension(&mut self, loops: &'p ComprehensionExpr) {
        self.walk(&loops.iter_range);
        self.walk(&loops.accu_init);
        let outside = self.bound.len();
        self.bound.extend([&*loops.iter_var, &*loops.accu_var]);
        self.bound.extend(loops.iter_var2.as_deref());
        self.walk(&loops.loop_cond);
        self.walk(&loops.loop_step);
        self.walk(&loops.result);
        self.bound.truncate(outside);
    }

    fn variable(&mut self, node: &IdedExpr, name: &'p str) {
        let known = VARIABLES.contains(&name) || TYPES.contains(&name);
        if known || self.bound.contains(&name) {
            return;
        }
        self.unknown(node, ("variable", name), &VARIABLES);
    }

    fn call(&mut self, node: &'p IdedExpr, call: &'p CallExpr) {
        let name = &*call.func_name;
        if name.bytes().all(|byte| byte.is_ascii_alphabetic()) && !FUNCTIONS.contains(&name) {
            return self.unknown(node, ("function", name), &FUNCTIONS);
        }
        if let ("_[_]", [of, by]) | ("@in", [by, of]) = (name, &*call.args)
            && let Expr::Ident(map) = &of.expr
            && map == "headers"
            && let Expr::Literal(LiteralValue::String(header)) = &by.expr
        {
            self.header(by, header.inner());
        }
        call.target.iter().for_each(|target| self.walk(target));
        call.args.iter().for_each(|it| self.walk(it));
    }

    fn header(&mut self, node: &IdedExpr, name: &str) {
        let lower = name.to_ascii_lowercase();
        let (message, expected) = if lower != name {
            (
                format!("the header {name:?} is never there: names are in lower case here"),
                format!("expected {lower:?}"),
            )
        } else if CREDENTIALS.contains(&name) {
            (
                format!("the header {name:?} carries a credential, which no rule sees"),
                "expected another header".to_owned(),
            )
        } else {
            return;
        };
        self.mistake.get_or_insert(Mistake {
            at: self.place(node),
            expected,
            ..Mistake::of_all(message)
        });
    }

    fn unknown(&mut self, node: &IdedExpr, (kind, name): (&str, &str), known: &[&str]) {
        let meant = nearest(name, known.iter().copied());
        let help = match (meant, name) {
            (Some(meant), _) => format!("did you mean {meant:?}?"),
            (None, "matches") => {
                "there are no regular expressions; use startsWith, endsWith or contains".to_owned()
            }
            (None, _) => format!("the {kind}s are {}", known.join(", ")),
        };
        // A call's own place is its parenthesis.
        let at = match kind {
            "function" => self.text.find(name).map(|at| at..at + name.len()),
            _ => self.place(node).map(|at| at.start..at.start + name.len()),
        };
        self.mistake.get_or_insert(Mistake {
            at,
            expected: format!("not a {kind} of conditions"),
            help,
            message: format!("the condition names the unknown {kind} {name:?}"),
        });
    }

    fn place(&self, node: &IdedExpr) -> Option<Range<usize>> {
        let (start, stop) = self.program.source_info().offset_for(node.id)?;
        // Why: the last byte is named, not the one after it.
        let (start, stop) = (start as usize, stop as usize + 1);
        (self.text.is_ascii() && start < stop && stop <= self.text.len()).then_some(start..stop)
    }
}
