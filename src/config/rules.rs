//! When does a request go to another model's routes?
//!
//! Rules as configured, with their CEL expressions compiled; [`routing`](crate::routing) evaluates them.
//!
//! # Invariants
//! - A rule has at least one condition, and its model exists.
//! - An expression names known variables and functions only, and has given true or false once, on made-up facts, unless a header was missing.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Program, Value};
use http::{HeaderName, HeaderValue};

use super::nearest::nearest;

/// Longest expression, bytes: a rule that needs more is several rules.
pub(super) const LONGEST_EXPRESSION: usize = 1_024;

/// Deepest brackets in an expression: what the parser is given. An open one counts wherever it stands.
const DEEPEST_BRACKETS: usize = 32;

/// Deepest tree of an expression, levels: evaluating one takes a worker's stack, up to 32 KiB a level where nothing is optimised.
const DEEPEST_TREE: usize = 24;

/// Stack for the parser, bytes: it takes up to 200 KiB a level where nothing is optimised.
const PARSER_STACK: usize = 64 << 20;

/// What an expression may name, and a value that each may have.
pub(super) const VARIABLES: [&str; 9] = [
    "model",
    "endpoint",
    "stream",
    "input_tokens",
    "max_tokens",
    "headers",
    "key",
    "team",
    "hour",
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
const FUNCTIONS: [&str; 12] = [
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

/// Headers that carry credentials: no rule sees them.
pub const CREDENTIALS: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
];

/// Sends the requests that meet all its conditions to another model's routes.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What must hold; all of it.
    pub conditions: Vec<Condition>,
    /// The model whose routes serve then, as an index.
    pub model: usize,
}

/// What must hold of a request.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A header of the client's has this value.
    Header(HeaderName, HeaderValue),
    /// The estimate of its input is at least so many tokens.
    AtLeast(u32),
    /// The estimate of its input is at most so many tokens.
    AtMost(u32),
    /// Whether it asks for a stream.
    Stream(bool),
    /// Who asks belongs to this team.
    Team(String),
    /// Who asks holds the key of this name.
    Key(String),
    /// The expression is true.
    Expression(Arc<Expression>),
}

/// A compiled expression of the Common Expression Language.
pub struct Expression {
    text: String,
    program: Program,
    /// Whether a failure was told.
    told: AtomicBool,
}

/// What is wrong with an expression.
#[derive(Debug)]
pub(super) struct Mistake {
    /// The bytes of the expression that are wrong, if they are known.
    pub(super) at: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) expected: String,
    pub(super) help: String,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl Expression {
    /// Compiles an expression and tries it out.
    pub(super) fn compile(text: &str) -> Result<Self, Mistake> {
        if text.len() > LONGEST_EXPRESSION {
            return Err(Mistake::of_all(format!(
                "the condition is longer than {LONGEST_EXPRESSION} bytes"
            )));
        }
        if brackets(text) > DEEPEST_BRACKETS {
            return Err(Mistake::too_deep());
        }
        // Why a thread: the parser is not ours; its stack and its panics must not be the process's.
        std::thread::scope(|scope| {
            std::thread::Builder::new()
                .name("condition".to_owned())
                .stack_size(PARSER_STACK)
                .spawn_scoped(scope, || Self::parse(text))
                .ok()
                .and_then(|thread| thread.join().ok())
        })
        .unwrap_or_else(|| Err(Mistake::of_all("the condition cannot be read")))
    }

    fn parse(text: &str) -> Result<Self, Mistake> {
        let program = env()
            .compile(text)
            .map_err(|errors| syntax(text, errors.errors.first()))?;
        let mut names = Names {
            text,
            program: &program,
            bound: Vec::new(),
            depth: 0,
            mistake: None,
        };
        names.walk(program.expression());
        if let Some(mistake) = names.mistake {
            return Err(mistake);
        }
        let expression = Self {
            text: text.to_owned(),
            program,
            told: AtomicBool::new(false),
        };
        expression.rehearse()?;
        Ok(expression)
    }

    /// Forgets what was written, which must not be shown.
    pub(super) fn without_text(self) -> Self {
        let text = "${...}".to_owned();
        Self { text, ..self }
    }

    /// The expression as it was written, unless something in it came from the environment.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the expression is true of these variables; a missing header makes it false.
    ///
    /// # Errors
    /// What went wrong, in words that hold nothing of the request.
    pub fn is_true(&self, variables: &dyn VariableResolver) -> Result<bool, &'static str> {
        match self.evaluate(variables) {
            Ok(Value::Bool(is)) => Ok(is),
            Ok(_) => Err("it gave neither true nor false"),
            Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            Err(error) => Err(told(&error)),
        }
    }

    /// Whether this is the first time that somebody asks: a failure is told once, not with each request.
    #[must_use]
    pub fn is_untold(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }

    fn evaluate(&self, variables: &dyn VariableResolver) -> Result<Value, ExecutionError> {
        let mut context = Context::with_env(Arc::clone(env()));
        context.set_variable_resolver(variables);
        self.program.execute(&context)
    }

    /// Evaluates the expression once, on facts that are made up: there is no other check of types.
    fn rehearse(&self) -> Result<(), Mistake> {
        let given = match self.evaluate(&Rehearsal) {
            Ok(Value::Bool(_)) => return Ok(()),
            Ok(other) => format!("it gives a value of type {}", other.type_of()),
            Err(
                error @ (ExecutionError::NoSuchOverload(_)
                | ExecutionError::UndeclaredReference(_)
                | ExecutionError::InvalidArgumentCount { .. }
                | ExecutionError::ValuesNotComparable(..)
                | ExecutionError::UnsupportedBinaryOperator(..)
                | ExecutionError::UnexpectedType { .. }),
            ) => told(&error).to_owned(),
            Err(_) => return Ok(()),
        };
        Err(Mistake {
            expected: "expected an expression that is true or false".to_owned(),
            help: "for example: input_tokens > 30000 && headers[\"x-tier\"] == \"gold\"".to_owned(),
            ..Mistake::of_all(format!("the condition cannot be decided: {given}"))
        })
    }
}

/// The standard functions and macros, built once.
fn env() -> &'static Arc<Env> {
    static ENV: OnceLock<Arc<Env>> = OnceLock::new();
    ENV.get_or_init(|| Arc::new(Env::stdlib()))
}

/// What went wrong, without any value: values are the client's, and may be secret.
const fn told(error: &ExecutionError) -> &'static str {
    match error {
        ExecutionError::NoSuchOverload(_)
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::UnexpectedType { .. } => "its types do not go together",
        ExecutionError::ValuesNotComparable(..) => "it compares values of different types",
        ExecutionError::UndeclaredReference(_) => "it names something unknown",
        ExecutionError::InvalidArgumentCount { .. } => {
            "a function has too many or too few arguments"
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "it divides by zero"
        }
        ExecutionError::Overflow(..) => "a number became too large",
        ExecutionError::IndexOutOfBounds(_) => "an index is out of bounds",
        _ => "it cannot be evaluated",
    }
}

/// Made-up facts.
struct Rehearsal;

impl VariableResolver for Rehearsal {
    fn resolve<'b>(&'b self, variable: &str) -> Option<cel::common::value::CowVal<'b, 'b>> {
        let value: Value = match variable {
            "stream" => false.into(),
            "input_tokens" | "max_tokens" | "hour" => 1_i64.into(),
            "headers" => Value::from(std::collections::HashMap::<String, String>::new()),
            known if VARIABLES.contains(&known) => "".into(),
            _ => return None,
        };
        value.try_into().ok().map(cel::common::value::CowVal::Owned)
    }
}

impl Mistake {
    fn too_deep() -> Self {
        Self {
            help: "write it as several rules, or its conditions beside each other".to_owned(),
            ..Self::of_all("the condition is nested too deeply")
        }
    }

    fn of_all(message: impl Into<String>) -> Self {
        Self {
            at: None,
            message: message.into(),
            expected: "expected an expression in CEL".to_owned(),
            help: String::new(),
        }
    }
}

/// How deep brackets are nested.
fn brackets(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The first thing that the parser did not understand.
fn syntax(text: &str, error: Option<&cel::ParseError>) -> Mistake {
    let Some(error) = error else {
        return Mistake::of_all("the condition cannot be read");
    };
    let (line, column) = error.pos;
    let before: usize = usize::try_from(line - 1).map_or(0, |lines| {
        text.split_inclusive('\n').take(lines).map(str::len).sum()
    });
    let at = before + usize::try_from(column - 1).unwrap_or(0);
    let at = (text.is_ascii() && at <= text.len()).then(|| at..(at + 1).min(text.len()).max(at));
    // Why: what the parser expects is a list of all its tokens.
    let why = error.msg.trim_start_matches("Syntax error: ");
    let why = why.split(" expecting ").next().unwrap_or(why);
    let why = why.replace("'<EOF>'", "its end");
    let unfit = [
        "mismatched input ",
        "extraneous input ",
        "no viable alternative at input ",
    ];
    let unfit = unfit.iter().find_map(|kind| why.strip_prefix(kind));
    let why = unfit.map_or(why.clone(), |what| format!("{what} does not fit here"));
    Mistake {
        at,
        ..Mistake::of_all(format!("the condition is not CEL: {why}"))
    }
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

/// A workflow: a model with requests that are partly written already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workflow {
    /// What is put into every request, by name: the JSON text of each value.
    pub parameters: BTreeMap<String, String>,
    /// Instructions that stand before the client's.
    pub system: Option<String>,
    /// How much may be asked of it.
    pub limits: Limits,
    /// The fallbacks that are its own, whichever model a rule chooses; none if it takes those of the model.
    pub fallbacks: Option<Vec<usize>>,
}

/// How much may be asked of a workflow; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a minute; as many may come at once after a quiet minute.
    pub requests_per_minute: Option<u32>,
    /// Requests in flight.
    pub concurrency: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_rehearsed() {
        for name in VARIABLES {
            assert!(Rehearsal.resolve(name).is_some(), "{name}");
        }
        for name in FUNCTIONS {
            let known = Expression::compile(&format!("{name}(\"1\") == {name}(\"1\") || true"));
            assert!(known.is_ok(), "{name}: {known:?}");
        }
    }

    #[test]
    fn mistakes_have_their_place() {
        let check = |text: &str, marked: &str, message: &str| {
            let mistake = Expression::compile(text).unwrap_err();
            let at = mistake.at.clone().map(|at| &text[at]);
            assert_eq!(at.unwrap_or("-"), marked, "{mistake:?}");
            assert!(mistake.message.contains(message), "{mistake:?}");
        };
        check("input_tokens > ", "", "not CEL");
        check("input_tokens >> 5", ">", "not CEL");
        check(
            "stream && tokens > 5",
            "tokens",
            "unknown variable \"tokens\"",
        );
        check("headers[\"X-A\"] == \"b\"", "\"X-A\"", "lower case");
        check("\"cookie\" in headers", "\"cookie\"", "credential");
        check(
            "stream && model.matches(\"a\")",
            "matches",
            "unknown function",
        );
        check(
            "headers.exists(h, i == \"x\")",
            "i",
            "unknown variable \"i\"",
        );
        check("model", "-", "type string");
        check("input_tokens + \"a\" == \"b\"", "-", "types do not go");
        check(&"1".repeat(3_000), "-", "longer than");
    }

    /// The parser and the interpreter are not ours; what is long or deep must end all the same.
    #[test]
    fn no_text_is_fatal() {
        let many = |piece: &str| piece.repeat(LONGEST_EXPRESSION / piece.len());
        for piece in [
            "(", "[", "{", "!", "-", "stream?", "a.", "has(", "\"", "1+", "1", "[]", "f(",
        ] {
            assert!(Expression::compile(&many(piece)).is_err(), "{piece}");
        }
        // What is accepted must be evaluated on a usual stack.
        let deep = |count: usize, (before, last, after): (&str, &str, &str)| {
            let text = [&*before.repeat(count), last, &*after.repeat(count)].concat();
            Expression::compile(&text).is_ok_and(|it| it.is_true(&Rehearsal).is_ok())
        };
        for pieces in [
            ("!(", "stream", ")"),
            ("!(1<", "2", ")"),
            ("[", "1", "][0]"),
            ("[1].exists(x,", "stream", ")"),
            ("stream&&", "stream", ""),
            ("stream?stream:", "stream", ""),
            ("(stream?stream:", "stream", ")"),
            ("string(", "\"\"", ")"),
            ("-(", "1", ")"),
            ("1+", "1", ""),
        ] {
            let accepted = (1..40).filter(|&count| deep(count, pieces)).count();
            // The parser balances these, and only these.
            let flat = pieces.0 == "stream&&";
            assert!(flat || accepted < 30, "{pieces:?}: {accepted}");
        }
        let all = |piece: &str, last: &str| {
            let _ = Expression::compile(
                &(many(piece)[..1_000 / piece.len() * piece.len()].to_owned() + last),
            );
        };
        for (piece, last) in [
            ("stream||", "stream"),
            ("1+", "1==1"),
            ("stream?stream:", "stream"),
            ("!", "stream"),
            ("headers.exists(h,", "true"),
            ("[1].map(x,", "x)"),
        ] {
            all(piece, last);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(256))]
        #[test]
        fn garbage_is_refused(text in "[a-z0-9 ().,?:!&|\\[\\]{}\"'<>=+*/%@`\\\\é-]{0,60}") {
            let _ = Expression::compile(&text);
        }
    }

    #[test]
    fn good_conditions_compile() {
        for text in [
            "input_tokens > 30000",
            "headers[\"x-tier\"] == \"gold\" || team in [\"a\", \"b\"]",
            "headers.exists(h, h.startsWith(\"x-b\"))",
            "has(headers.accept) && hour >= 22 || hour < 6",
            "type(max_tokens) == int && size(model) > 3",
            "stream ? endpoint == \"chat\" : key != \"\"",
        ] {
            assert!(
                Expression::compile(text).is_ok(),
                "{text}: {:?}",
                Expression::compile(text)
            );
        }
    }
}
