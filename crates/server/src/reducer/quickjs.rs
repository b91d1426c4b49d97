//! Models in JavaScript, each stream's in a QuickJS runtime of its own that keeps the state.
//!
//! Keeps I7 (steps, memory, stack) and I9 (`harness.js` fixes clock and dice). What crosses is
//! JSON text. A runtime that ran out of steps or memory is poisoned: whoever holds it drops it.

mod guard;

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use rquickjs::function::{Args, IntoArgs};
use rquickjs::promise::PromiseState;
use rquickjs::{
    CatchResultExt, CaughtError, Context, Ctx, Function, Module, Object, Persistent, Runtime, Value,
};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(crate) use guard::Guard;

use super::{Change, Decision, LoadError, Reducer, ReducerEngine, ReducerError, Step, Upcast};
use crate::limits;
use crate::log::StoredModel;

/// Opens models with QuickJS.
#[derive(Clone, Copy, Debug, Default)]
pub struct QuickJs;

impl ReducerEngine for QuickJs {
    fn open(&self, model: &StoredModel, name: &str) -> Result<Box<dyn Reducer>, ReducerError> {
        Ok(Box::new(QuickJsReducer::open(model, name)?))
    }
}

impl QuickJs {
    /// Loads a source once, to see whether it is a model, and gives its schema.
    ///
    /// # Errors
    /// [`LoadError`] says where and why it is none.
    pub fn inspect(&self, file: &str, source: &str) -> Result<u32, LoadError> {
        let model = StoredModel {
            hash: String::new(),
            name: file.to_owned(),
            schema: 0,
            source: source.to_owned(),
        };
        match QuickJsReducer::open(&model, "inspected") {
            Ok(reducer) => Ok(reducer.schema),
            Err(ReducerError::Load(error)) => Err(error),
            Err(other) => Err(LoadError { line: None, reason: other.to_string() }),
        }
    }
}

struct QuickJsReducer {
    calls: Calls,
    schema: u32,
    /// What dice begin with where no action is at work.
    seed: [u32; 4],
    authorizes: bool,
    budget: Rc<Budget>,
    // Dropped after the functions that live in it.
    context: Context,
    runtime: Runtime,
}

/// The harness's functions.
struct Calls {
    init: Call,
    upcast: Call,
    load: Call,
    migrate: Call,
    decide: Call,
    fold: Call,
    changes: Call,
    records: Call,
    state: Call,
    checksum: Call,
    authorize: Call,
}

type Call = Persistent<Function<'static>>;

/// What is left of the steps, and whether they ran out.
#[derive(Debug, Default)]
struct Budget {
    steps: Cell<u32>,
    until: Cell<Option<Instant>>,
    stopped: Cell<Stopped>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stopped {
    #[default]
    Not,
    Steps,
    Wall,
}

/// How much one call may take.
#[derive(Clone, Copy, Debug)]
enum Allowance {
    Load,
    Decide,
    Fold,
}

impl fmt::Debug for QuickJsReducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuickJsReducer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl QuickJsReducer {
    fn open(model: &StoredModel, name: &str) -> Result<Self, ReducerError> {
        let runtime = Runtime::new().map_err(|e| engine("make a runtime", &e))?;
        let budget = Rc::new(Budget::default());
        let handler = Rc::clone(&budget);
        runtime.set_interrupt_handler(Some(Box::new(move || handler.step())));
        let context = Context::full(&runtime).map_err(|e| engine("make a context", &e))?;
        allow(&runtime, &budget, Allowance::Load);
        let (calls, schema, authorizes) = context.with(|ctx| load_model(&ctx, model, name))?;
        let seed = super::seed(&format!("{}/{name}", model.name), "", 0);
        let reducer = Self { calls, schema, seed, authorizes, budget, context, runtime };
        reducer.initial(&model.name)?;
        Ok(reducer)
    }

    /// The initial state, always with the same dice and at time 0: it is nobody's action.
    fn initial(&self, model: &str) -> Result<(), ReducerError> {
        let [a, b, c, d] = self.seed;
        allow(&self.runtime, &self.budget, Allowance::Load);
        let call = self.calls.init.clone();
        self.context
            .with(|ctx| {
                let args = (0, a, b, c, d);
                let called = call.restore(&ctx).and_then(|f| f.call::<_, ()>(args));
                called.catch(&ctx).map_err(|e| load_error(&e, model))
            })
            .map_err(|reason| {
                ReducerError::Load(LoadError {
                    reason: format!("the model has no initial state: {}", reason.reason),
                    ..reason
                })
            })
    }

    /// Calls a function of the harness that answers in text. What it throws is `Err(message)`.
    fn call<A: for<'js> IntoArgs<'js>>(
        &self,
        call: &Call,
        args: A,
        allowance: Allowance,
    ) -> Result<String, String> {
        allow(&self.runtime, &self.budget, allowance);
        self.context.with(|ctx| {
            let called = call.clone().restore(&ctx).and_then(|function| {
                let mut list = Args::new(ctx.clone(), args.num_args());
                args.into_args(&mut list)?;
                function.call_arg::<Option<String>>(list)
            });
            called.catch(&ctx).map(Option::unwrap_or_default).map_err(|e| message(&e))
        })
    }

    /// Asks the model within the limits of a decision. What ran past them is decided by that.
    fn ask<A: for<'js> IntoArgs<'js>>(
        &self,
        call: &Call,
        args: A,
    ) -> Result<Result<String, Decision>, ReducerError> {
        let said = self.call(call, args, Allowance::Decide);
        match (said, self.budget.stopped.get()) {
            (_, Stopped::Wall) => Err(ReducerError::Wall),
            (_, Stopped::Steps) => {
                Ok(Err(Decision::Limit("the model ran for too long".to_owned())))
            }
            (Err(reason), Stopped::Not) => Ok(Err(Decision::Limit(limit_reason(&reason)))),
            (Ok(said), Stopped::Not) => Ok(Ok(said)),
        }
    }

    fn text(&self, what: &'static str, call: &Call) -> Result<String, ReducerError> {
        let called = self.call(call, (), Allowance::Fold);
        called.map_err(|reason| self.failed(what, reason))
    }

    fn failed(&self, what: &'static str, reason: String) -> ReducerError {
        match self.budget.stopped.get() {
            Stopped::Wall => ReducerError::Wall,
            Stopped::Steps | Stopped::Not => ReducerError::Engine { what, reason },
        }
    }
}

impl Reducer for QuickJsReducer {
    fn load(&mut self, state: Option<&str>) -> Result<(), ReducerError> {
        let Some(state) = state else { return Ok(()) };
        let loaded = self.call(&self.calls.load, (state,), Allowance::Fold);
        loaded.map(drop).map_err(|reason| self.failed("load a state", reason))
    }

    fn migrate(&mut self, state: &str, schema: u32) -> Result<(), ReducerError> {
        let [a, b, c, d] = self.seed;
        let migrated =
            self.call(&self.calls.migrate, (state, schema, 0, a, b, c, d), Allowance::Fold);
        migrated.map(drop).map_err(|reason| self.failed("migrate a state", reason))
    }

    fn upcast(&mut self, step: Step<'_>, schema: u32) -> Result<Upcast, ReducerError> {
        let (action, now, a, b, c, d) = args(step);
        let said = self.ask(&self.calls.upcast, (action, schema, now, a, b, c, d))?;
        Ok(match said {
            Ok(said) if said.is_empty() => Upcast::Same,
            Ok(said) => match said.strip_prefix('=') {
                Some(action) => Upcast::Action(action.to_owned()),
                None => Upcast::Failed(decision(&said)?),
            },
            Err(limit) => Upcast::Failed(limit),
        })
    }

    fn decide(&mut self, step: Step<'_>) -> Result<Decision, ReducerError> {
        match self.ask(&self.calls.decide, args(step))? {
            Ok(said) => decision(&said),
            Err(limit) => Ok(limit),
        }
    }

    fn fold(&mut self, step: Step<'_>) -> Result<(), ReducerError> {
        match self.call(&self.calls.fold, args(step), Allowance::Fold) {
            Ok(reason) if reason.is_empty() => Ok(()),
            Ok(reason) => Err(ReducerError::Fold(reason)),
            Err(_) if self.budget.stopped.get() == Stopped::Wall => Err(ReducerError::Wall),
            Err(reason) => Err(ReducerError::Fold(reason)),
        }
    }

    fn changes(&mut self) -> Result<Vec<Change>, ReducerError> {
        let text = self.text("compare records", &self.calls.changes)?;
        let rows = parse::<Vec<(String, Option<&RawValue>)>>("compare records", &text)?;
        let owned = rows.into_iter().map(|(key, json)| (key, json.map(|j| j.get().to_owned())));
        Ok(sorted(owned.collect()))
    }

    fn records(&mut self) -> Result<Vec<(String, String)>, ReducerError> {
        let text = self.text("list records", &self.calls.records)?;
        let rows = parse::<Vec<(String, &RawValue)>>("list records", &text)?;
        let owned = rows.into_iter().map(|(key, json)| (key, json.get().to_owned()));
        Ok(sorted(owned.collect()))
    }

    fn state(&mut self) -> Result<String, ReducerError> {
        self.text("write the state", &self.calls.state)
    }

    fn checksum(&mut self) -> Option<u64> {
        self.call(&self.calls.checksum, (), Allowance::Fold).ok()?.parse().ok()
    }
}

impl Budget {
    /// One call of the interrupt handler; true stops the model.
    fn step(&self) -> bool {
        let steps = self.steps.get();
        if self.stopped.get() == Stopped::Not {
            if steps == 0 {
                self.stopped.set(Stopped::Steps);
            } else if self.until.get().is_some_and(|until| Instant::now() > until) {
                self.stopped.set(Stopped::Wall);
            }
        }
        self.steps.set(steps.saturating_sub(1));
        self.stopped.get() != Stopped::Not
    }
}

fn allow(runtime: &Runtime, budget: &Budget, allowance: Allowance) {
    let (steps, memory, stack) = match allowance {
        // Models are also loaded on threads with an ordinary stack.
        Allowance::Load => (limits::LOAD_STEPS, limits::FOLD_MEMORY, limits::REDUCER_STACK),
        Allowance::Decide => (limits::REDUCER_STEPS, limits::REDUCER_MEMORY, limits::REDUCER_STACK),
        Allowance::Fold => (limits::FOLD_STEPS, limits::FOLD_MEMORY, limits::FOLD_STACK),
    };
    runtime.set_memory_limit(memory);
    runtime.set_max_stack_size(stack);
    budget.steps.set(steps);
    budget.stopped.set(Stopped::Not);
    budget.until.set(Some(Instant::now() + limits::REDUCER_WALL));
}

fn args(step: Step<'_>) -> (&str, f64, u32, u32, u32, u32) {
    let [a, b, c, d] = step.seed;
    // Times are below 2^53, where every whole number is exact.
    #[expect(clippy::cast_precision_loss, reason = "see above")]
    let now = step.now as f64;
    (step.action, now, a, b, c, d)
}

fn decision(said: &str) -> Result<Decision, ReducerError> {
    #[derive(Deserialize)]
    struct Said {
        code: Code,
        reason: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Code {
        Invalid,
        Threw,
        Limit,
    }
    if said.is_empty() {
        return Ok(Decision::Accepted);
    }
    let said: Said = parse("read a decision", said)?;
    Ok(match said.code {
        Code::Invalid => Decision::Invalid(said.reason),
        Code::Threw => Decision::Threw(said.reason),
        Code::Limit => Decision::Limit(limit_reason(&said.reason)),
    })
}

fn limit_reason(engine: &str) -> String {
    if engine.contains("out of memory") || engine == "null" {
        "the model used too much memory".to_owned()
    } else if engine.contains("stack") {
        "the model recursed too deeply".to_owned()
    } else {
        format!("the model could not go on: {engine}")
    }
}

fn parse<'a, T: Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T, ReducerError> {
    serde_json::from_str(text).map_err(|e| ReducerError::Engine { what, reason: e.to_string() })
}

fn sorted<T>(mut rows: Vec<(String, T)>) -> Vec<(String, T)> {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    rows
}

fn engine(what: &'static str, error: &rquickjs::Error) -> ReducerError {
    ReducerError::Engine { what, reason: error.to_string() }
}

/// Evaluates harness and model, and gives the calls and the model's schema.
fn load_model(
    ctx: &Ctx<'_>,
    model: &StoredModel,
    name: &str,
) -> Result<(Calls, u32, bool), ReducerError> {
    let namespace = evaluate(ctx, model).map_err(ReducerError::Load)?;
    let schema = schema_of(&namespace.1).map_err(ReducerError::Load)?;
    let authorizes =
        namespace.1.get::<_, Value<'_>>("authorize").is_ok_and(|value| value.is_function());
    let calls = surround(namespace, name).catch(ctx);
    let calls = calls.map_err(|e| ReducerError::Engine { what: "set up", reason: message(&e) })?;
    Ok((calls, schema, authorizes))
}

/// The harness first, which fixes the intrinsics, then the model's module.
fn evaluate<'js>(
    ctx: &Ctx<'js>,
    model: &StoredModel,
) -> Result<(Function<'js>, Object<'js>), LoadError> {
    let harness: Function<'js> =
        ctx.eval(harness_source()).catch(ctx).map_err(|e| load_error(&e, &model.name))?;
    let declared = Module::declare(ctx.clone(), model.name.as_str(), model.source.as_str());
    let declared = declared.catch(ctx).map_err(|e| load_error(&e, &model.name))?;
    let (module, promise) = declared.eval().catch(ctx).map_err(|e| load_error(&e, &model.name))?;
    while ctx.execute_pending_job() {}
    match promise.state() {
        PromiseState::Pending => {
            return Err(unfit("it awaits something at its top level, which a model must not"));
        }
        PromiseState::Rejected => {
            let thrown = promise.result::<Value<'js>>().unwrap_or(Err(rquickjs::Error::Unknown));
            thrown.catch(ctx).map_err(|e| load_error(&e, &model.name))?;
        }
        PromiseState::Resolved => {}
    }
    let namespace = module.namespace().catch(ctx).map_err(|e| load_error(&e, &model.name))?;
    if !namespace.get::<_, Value<'js>>("default").is_ok_and(|value| value.is_function()) {
        return Err(unfit("a model's default export is its reducer, a function; there is none"));
    }
    Ok((harness, namespace))
}

fn harness_source() -> String {
    let harness = include_str!("harness.js");
    // The browser's own file, evaluated here as a script.
    let checksum = include_str!("../../../../src/checksum.js").replace("export class", "class");
    let reason = limits::REASON_CHARS;
    let depth = limits::STATE_DEPTH;
    format!(
        "{harness}\n({{ reasonChars: {reason}, stateDepth: {depth}, \
         Checksums: (() => {{ {checksum}\nreturn Checksums }})() }})"
    )
}

fn schema_of(namespace: &Object<'_>) -> Result<u32, LoadError> {
    let value: Value<'_> = namespace.get("schema").map_err(|e| unfit(&e.to_string()))?;
    if value.is_undefined() {
        return Ok(1);
    }
    let number = value.as_number().filter(|n| n.fract() == 0.0 && *n >= 1.0 && *n < 1e9);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    number.map(|n| n as u32).ok_or_else(|| unfit("`schema` is a whole number from 1"))
}

fn surround<'js>(
    (harness, model): (Function<'js>, Object<'js>),
    name: &str,
) -> rquickjs::Result<Calls> {
    let ctx = harness.ctx().clone();
    let calls: Object<'js> = harness.call((model, name))?;
    let call = |name: &str| -> rquickjs::Result<Call> {
        Ok(Persistent::save(&ctx, calls.get::<_, Function<'js>>(name)?))
    };
    Ok(Calls {
        init: call("init")?,
        upcast: call("upcast")?,
        load: call("load")?,
        migrate: call("migrate")?,
        decide: call("decide")?,
        fold: call("fold")?,
        changes: call("changes")?,
        records: call("records")?,
        state: call("state")?,
        checksum: call("checksum")?,
        authorize: call("authorize")?,
    })
}

fn unfit(reason: &str) -> LoadError {
    LoadError { line: None, reason: reason.to_owned() }
}

fn message(error: &CaughtError<'_>) -> String {
    match error {
        CaughtError::Exception(exception) => exception.message().unwrap_or_default(),
        CaughtError::Value(value) => format!("{value:?}"),
        CaughtError::Error(error) => error.to_string(),
    }
}

/// What was thrown while a model was loaded, with its line and, for an import, the way out.
fn load_error(error: &CaughtError<'_>, file: &str) -> LoadError {
    let reason = message(error);
    let line = match error {
        CaughtError::Exception(exception) => exception.stack().and_then(|s| line_of(&s, file)),
        CaughtError::Value(_) | CaughtError::Error(_) => None,
    };
    if reason.contains("could not load module") || reason.contains("Error resolving module") {
        return LoadError { line, reason: import_reason(&reason) };
    }
    LoadError { line, reason }
}

fn import_reason(reason: &str) -> String {
    format!(
        "{reason}: a model is one self-contained module. Bundle it first: \
         npx esbuild MODEL.js --bundle --format=esm --platform=neutral \
         --main-fields=module,main --conditions=import \
         '--define:process.env.NODE_ENV=\"production\"' --outfile=MODEL.bundle.js"
    )
}

/// The line of the first place in that file that a stack names: `    at name (FILE:LINE:COLUMN)`.
fn line_of(stack: &str, file: &str) -> Option<u32> {
    let places = stack.lines().filter_map(|line| line.rsplit_once(&format!("{file}:")));
    places.filter_map(|(_, place)| place.split(':').next()?.parse().ok()).next()
}

#[cfg(test)]
mod tests;
