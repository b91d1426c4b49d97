//! What the app gives to `createTwin`, checked.

use js_sys::{Array, Function};
use twinstore_engine::Limits;
use twinstore_protocol::{StreamId, WireLimits};
use wasm_bindgen::prelude::*;

use crate::error::error;
use crate::storage::Settings;
use crate::web::Fields;

/// The options of a twin.
pub(crate) struct Options {
    pub(crate) url: Option<String>,
    pub(crate) stream: StreamId,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) token: JsValue,
    pub(crate) reducer: Function,
    pub(crate) validate: Option<Function>,
    pub(crate) sync: Sync,
    pub(crate) server_routed: bool,
    pub(crate) schema: u32,
    pub(crate) snapshot: Option<JsValue>,
    pub(crate) storage: Settings,
    pub(crate) limits: Limits,
    pub(crate) wire: WireLimits,
    pub(crate) undecided: usize,
}

/// Which actions are twinned.
pub(crate) enum Sync {
    /// Those that change this twin's state.
    Changes,
    /// Those whose type begins with one of these.
    Prefixes(Vec<String>),
    /// Those that the app's predicate takes.
    Predicate(Function),
}

impl Sync {
    /// Whether the app's rule takes the action; none: there is no rule.
    pub(crate) fn takes(
        &self,
        action: &JsValue,
        action_type: &str,
    ) -> Result<Option<bool>, JsValue> {
        Ok(match self {
            Self::Changes => None,
            Self::Prefixes(prefixes) => {
                Some(prefixes.iter().any(|p| action_type.starts_with(p.as_str())))
            }
            Self::Predicate(predicate) => {
                Some(predicate.call1(&JsValue::UNDEFINED, action)?.is_truthy())
            }
        })
    }
}

impl Options {
    pub(crate) fn read(value: &JsValue) -> Result<Self, JsValue> {
        let given =
            Fields::of(value).ok_or_else(|| wrong("createTwin takes an object of options"))?;
        let stream = given
            .text("stream")
            .ok_or_else(|| wrong("`stream` must be given: `<model>/<name>`"))?;
        let stream =
            StreamId::parse(&stream).map_err(|e| wrong(&["`stream`: ", e.rule()].concat()))?;
        let storage = given.text("storage");
        let limits = given.object("limits").unwrap_or_default();
        Ok(Self {
            url: url(&given)?,
            name: given.text("name").unwrap_or_else(|| stream.as_str().to_owned()),
            user: given.text("user").unwrap_or_default(),
            token: given.get("token"),
            reducer: function(&given, "reducer")?.ok_or_else(|| {
                wrong("`reducer` must be given: the model's own (state, action) => state")
            })?,
            validate: function(&given, "validate")?,
            sync: sync(&given.get("sync"))?,
            server_routed: given.text("routing").as_deref() == Some("server"),
            schema: given.number("schema").and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            snapshot: given.object("snapshot").map(|s| s.get("state")),
            storage: Settings {
                memory: storage.as_deref() == Some("memory"),
                strict: given.text("durability").as_deref() == Some("strict"),
                burst: limit(&limits, "burst", 64),
            },
            limits: Limits {
                outbox_actions: limit(&limits, "outboxActions", Limits::default().outbox_actions),
                outbox_bytes: limit(&limits, "outboxBytes", Limits::default().outbox_bytes),
                ..Limits::default()
            },
            wire: WireLimits {
                action_bytes: small_limit(&limits, "actionBytes", WireLimits::DEFAULT.action_bytes),
                action_depth: small_limit(&limits, "actionDepth", WireLimits::DEFAULT.action_depth),
                ..WireLimits::DEFAULT
            },
            undecided: limit(&limits, "undecided", 1_000),
            stream,
        })
    }

    /// What tells stored data apart, and twins of one page: name, user and stream.
    pub(crate) fn key(&self) -> String {
        let part = |text: &str| String::from(js_sys::encode_uri_component(text));
        [&part(&self.name), "/", &part(&self.user), "/", &part(self.stream.as_str())].concat()
    }
}

fn wrong(message: &str) -> JsValue {
    error("bad-option", message)
}

fn url(given: &Fields) -> Result<Option<String>, JsValue> {
    let url = given.get("url");
    match url.as_string() {
        Some(url) => Ok(Some(url)),
        None if url.is_null() => Ok(None),
        None => Err(wrong(
            "`url` must be given: the server's ws:// or wss:// address, or null to never connect",
        )),
    }
}

fn function(given: &Fields, key: &str) -> Result<Option<Function>, JsValue> {
    let value = given.get(key);
    if value.is_undefined() || value.is_null() {
        return Ok(None);
    }
    let message = ["`", key, "` must be a function"].concat();
    value.dyn_into().map(Some).map_err(|_| wrong(&message))
}

fn sync(value: &JsValue) -> Result<Sync, JsValue> {
    if value.is_undefined() || value.is_null() {
        return Ok(Sync::Changes);
    }
    if let Some(prefix) = value.as_string() {
        return Ok(Sync::Prefixes(vec![prefix]));
    }
    if Array::is_array(value) {
        let prefixes = Array::from(value).iter().filter_map(|p| p.as_string()).collect();
        return Ok(Sync::Prefixes(prefixes));
    }
    let predicate = value.clone().dyn_into();
    predicate
        .map(Sync::Predicate)
        .map_err(|_| wrong("`sync` is a type prefix, a list of them, or a predicate"))
}

fn limit(limits: &Fields, key: &str, default: usize) -> usize {
    limits.number(key).and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
}

fn small_limit(limits: &Fields, key: &str, default: u32) -> u32 {
    limits.number(key).and_then(|n| u32::try_from(n).ok()).unwrap_or(default)
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}
