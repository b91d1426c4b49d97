//! Every failure as the app sees it: a `TwinError` with a stable code and a message that says the rule, what
//! was received and what to do.

use twinstore_engine::InputError;
use wasm_bindgen::JsValue;

use crate::web::twin_error;

/// A `TwinError`.
pub(crate) fn error(code: &str, message: &str) -> JsValue {
    twin_error(code, message, &JsValue::UNDEFINED)
}

pub(crate) fn not_plain(code: &str, path: &str) -> JsValue {
    let rule = match code {
        "too-deep" => "a twinned action may not be nested this deeply; the limit was met at ",
        _ => "a twinned action must be plain JSON, which is not the case at ",
    };
    error(code, &[rule, path].concat())
}

pub(crate) fn refused_input(error_: InputError) -> JsValue {
    match error_ {
        InputError::OutboxFull => error(
            "outbox-full",
            "the outbox holds as much as its limits allow: the action was not taken. Connect, drop actions, or raise limits.outboxActions and limits.outboxBytes",
        ),
        InputError::NotPending => error("not-pending", "the outbox holds no such action"),
        InputError::AlreadySent => error(
            "already-sent",
            "only an action that was never sent, or is held, can be dropped: the server may have taken this one",
        ),
        // Of the engine's own kinds only `Closed` can reach an app; `NotDrained` would be a fault of the driver.
        _ => error("closed", "the twin is closed: make it anew with createTwin"),
    }
}
