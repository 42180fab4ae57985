//! Compiles an expression, tries it out and evaluates it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use cel::context::VariableResolver;
use cel::{Context, Env, ExecutionError, Program, Value};

use super::mistake::{Mistake, syntax};
use super::names::{self, VARIABLES};

/// Longest expression, bytes: a rule that needs more is several rules.
pub(super) const LONGEST_EXPRESSION: usize = 1_024;

/// Deepest brackets in an expression: what the parser is given. An open one counts wherever it stands.
const DEEPEST_BRACKETS: usize = 32;

/// Stack for the parser, bytes: it takes up to 200 KiB a level where nothing is optimised.
const PARSER_STACK: usize = 64 << 20;

/// A compiled expression of the Common Expression Language.
pub struct Expression {
    text: String,
    program: Program,
    /// Whether a failure was told.
    told: AtomicBool,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl Expression {
    /// Compiles an expression and tries it out.
    pub(in crate::config) fn compile(text: &str) -> Result<Self, Mistake> {
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
        names::check(text, &program)?;
        let expression = Self {
            text: text.to_owned(),
            program,
            told: AtomicBool::new(false),
        };
        expression.rehearse()?;
        Ok(expression)
    }

    /// Forgets what was written, which must not be shown.
    pub(in crate::config) fn without_text(self) -> Self {
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
pub(super) struct Rehearsal;

impl VariableResolver for Rehearsal {
    fn resolve<'b>(&'b self, variable: &str) -> Option<cel::common::value::CowVal<'b, 'b>> {
        let value: Value = match variable {
            "stream" => false.into(),
            "input_tokens" | "max_tokens" | "hour" => 1_i64.into(),
            "budget_left" => 1.0_f64.into(),
            "headers" => Value::from(std::collections::HashMap::<String, String>::new()),
            known if VARIABLES.contains(&known) => "".into(),
            _ => return None,
        };
        value.try_into().ok().map(cel::common::value::CowVal::Owned)
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
