//! Target: whatever text a client sends, and whatever a worker answers, a session of the server says and asks only
//! what it may: frames that are JSON, submissions within the limits, nothing after its end.

use std::sync::Arc;

use serde_json::Value;
use twinstore_protocol::{Chain, ClientId, Hello, LogId, Pull, Push, Seq, StreamId, tag};
use twinstore_server::action::ActionText;
use twinstore_server::limits::{Limits, WIRE};
use twinstore_server::log::StoredModel;
use twinstore_server::model::together;
use twinstore_server::session::{Input, Output, Session, Subscription, Wants};
use twinstore_server::stream::ask::{
    Answer, Ask, Joined, Missing, Number, Page, SessionId, Settled, State, Submission,
};
use twinstore_server::stream::commit::Commit;

use crate::chance::Chance;
use crate::frames::both_ways;
use crate::text::{self, CLIENTS};

const ACTIONS: &[&str] = &[
    r#"{"type":"add","payload":{"id":1},"meta":{"twin":{"id":"a","at":1,"client":"c","n":1}}}"#,
    r#"{"meta":{"twin":{}},"type":"\u0061dd","payload":[[[1]]]}"#,
];

/// Feeds frames and answers until the bytes are used up.
pub fn session(bytes: &[u8]) {
    let mut chance = Chance::new(bytes);
    while !chance.is_over() {
        if chance.one_in(3) {
            let session = thin(&mut chance);
            live(session, true, &mut chance);
        } else {
            let mut session = twin();
            if !chance.one_in(4) {
                join(&mut session);
            }
            live(session, false, &mut chance);
        }
    }
}

/// Feeds a session until it has closed, and once more.
fn live(mut session: Session, is_thin: bool, chance: &mut Chance<'_>) {
    let mut closed = false;
    while !chance.is_over() {
        let text = text::frame(chance, if is_thin { ACTIONS } else { CLIENTS });
        check_reading(&text);
        feed(&mut session, &text, chance);
        let outputs: Vec<_> = std::iter::from_fn(|| session.poll_output()).collect();
        if closed {
            return assert!(outputs.is_empty(), "a closed session says nothing: {outputs:?}");
        }
        for output in &outputs {
            check(output, is_thin);
            closed |= matches!(output, Output::Close(..));
        }
    }
}

fn feed(session: &mut Session, text: &str, chance: &mut Chance<'_>) {
    session.handle_input(match chance.roll(10) {
        0..=5 => Input::Frame(text),
        6 => Input::Answered(stream(), answer(chance)),
        7 => Input::Committed(commit()),
        8 => Input::CutOff(stream(), Seq(chance.number(1))),
        _ => match chance.roll(8) {
            0 => Input::Binary,
            1 => Input::TooLarge,
            _ => Input::Answered(stream(), Answer::Head(Seq(chance.number(1)))),
        },
    });
}

pub(crate) fn twin() -> Session {
    let model = StoredModel {
        hash: "5d41402abc4b2a76".to_owned(),
        name: "salesOrder".to_owned(),
        schema: 1,
        source: String::new(),
    };
    let models = together([model]).expect("one model");
    Session::twin(SessionId(1), Arc::new(models), Limits::DEFAULT)
}

/// As most sessions begin, so that most of what comes then is about a stream it has joined.
fn join(session: &mut Session) {
    session.handle_input(Input::Frame(CLIENTS[0]));
    let state = State { seq: Seq(0), chain: Chain(String::new()), state: "{}".into() };
    let missing = Missing::State(state);
    let joined = Joined { log: None, head: Seq(0), reset: false, rows: Vec::new(), missing };
    session.handle_input(Input::Answered(stream(), Answer::Joined(Box::new(joined))));
    while session.poll_output().is_some() {}
}

fn thin(chance: &mut Chance<'_>) -> Session {
    let wants = [Wants::Records, Wants::Events, Wants::State][chance.roll(3)];
    let subscription = Subscription { stream: stream(), wants, from_start: chance.roll(2) == 0 };
    Session::thin(SessionId(1), ClientId("c".to_owned()), subscription)
}

fn check(output: &Output, is_thin: bool) {
    match output {
        Output::Send(text) => {
            let frame: Value = serde_json::from_str(text).expect("a frame is JSON");
            assert!(frame.is_object(), "{frame}");
            assert!(is_thin || frame["t"].is_string(), "{frame}");
            let error = if is_thin { &frame["error"] } else { &frame };
            let failed = if is_thin { !error.is_null() } else { frame["t"] == tag::ERROR };
            assert!(!failed || error["code"].is_string(), "an error has a code: {frame}");
        }
        Output::Ask(stream, ask) => {
            assert_eq!(stream.model(), "salesOrder", "another model's stream is not asked");
            if let Ask::Submit(submission) = ask {
                check_submission(submission);
            }
        }
        Output::Authenticate(_) | Output::Admit(_) => panic!("no tokens here: {output:?}"),
        Output::Refused(_) | Output::Close(..) => {}
    }
}

fn check_submission(submission: &Submission) {
    assert!(submission.entries.len() <= WIRE.batch_actions as usize);
    for entry in &submission.entries {
        if let Number::Given { n, from } = &entry.number {
            let from = from.unwrap_or(*n);
            assert!((1..=Seq::MAX.0).contains(&n.0) && from.0 >= 1 && from <= *n, "{entry:?}");
        }
        assert!((1..=200).contains(&entry.client.as_str().len()), "{entry:?}");
        check_action(entry.action.as_str(), &entry.action);
    }
}

/// The pass over an action's text and serde agree on what it is, and it bears the server's stamp.
fn check_action(text: &str, action: &ActionText) {
    let value: Value = serde_json::from_str(text).expect("an action that is taken is JSON");
    assert!(
        text.len() <= WIRE.action_bytes as usize && depth(&value) <= WIRE.action_depth as usize
    );
    assert_eq!(value["type"].as_str(), Some(action.kind()), "{text}");
    let client = value["meta"]["twin"]["client"].as_str();
    assert_eq!(action.stamp().client.as_deref(), client, "{text}");
    if let Ok(stamped) = action.stamped(5, "me", 7) {
        let value: Value =
            serde_json::from_str(stamped.as_str()).expect("a stamped action is JSON");
        assert_eq!(value["meta"]["twin"]["client"], "me", "{}", stamped.as_str());
        assert_eq!(value["meta"]["twin"]["n"], 7, "{}", stamped.as_str());
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Frames of clients are read as what they were written as; of any JSON the pass over an action keeps its word.
fn check_reading(text: &str) {
    let Ok(frame) = serde_json::from_str::<Value>(text) else { return };
    both_ways::<Hello>(frame.clone());
    both_ways::<Pull>(frame.clone());
    both_ways::<Push<Value>>(frame);
    if let Ok(action) = ActionText::inspect(text, &WIRE) {
        check_action(text, &action);
    }
}

fn answer(chance: &mut Chance<'_>) -> Answer {
    let seq = Seq(chance.number(1));
    let log = chance.one_in(2).then(|| LogId("l".to_owned()));
    let live = chance.one_in(2);
    let page = Page { log: log.clone(), after: seq, events: Vec::new(), live, check: None };
    let state = text::any(chance).to_string();
    match chance.roll(8) {
        0 | 1 => {
            let chain = Chain(String::new());
            let state = State { seq, chain, state: state.into() };
            let missing =
                if chance.one_in(2) { Missing::State(state) } else { Missing::Events(page) };
            let reset = chance.one_in(2);
            Answer::Joined(Box::new(Joined { log, head: seq, reset, rows: Vec::new(), missing }))
        }
        2 => Answer::Page(page),
        3 => Answer::Watching { seq, records: vec![("k".to_owned(), state)] },
        4 => Answer::Settled(Settled { outcomes: Vec::new(), refused: None }),
        5 => Answer::State { seq, state: state.into() },
        6 => Answer::Unavailable,
        _ => Answer::Halted,
    }
}

fn commit() -> Arc<Commit> {
    Arc::new(Commit::new(stream(), LogId("l".to_owned()), Seq(0), Vec::new()))
}

fn stream() -> StreamId {
    StreamId::parse("salesOrder/demo").expect("a stream")
}
