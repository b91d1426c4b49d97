//! Golden frames through a session, and sessions without sockets.

use twinstore_protocol::{LogId, tag};

use super::*;
use crate::log::StoredModel;
use crate::stream::ask::{Ask, Joined, Missing, Page};
use crate::stream::commit::events_frame;

fn golden(name: &str) -> String {
    let path = format!("{}/../../tests/wire/v1/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the golden frame is there")
}

fn twin() -> Session {
    let model = StoredModel {
        hash: "5d41402abc4b2a76".to_owned(),
        name: "salesOrder".to_owned(),
        schema: 1,
        source: String::new(),
    };
    let models = crate::model::together([model]).expect("one model");
    Session::twin(SessionId(1), Arc::new(models), Limits::DEFAULT)
}

fn outputs(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

/// What a session asks when it hears a golden frame, after a hello where it needs one.
#[track_caller]
fn asks(frame: &str, after_hello: bool) -> Ask {
    let mut session = twin();
    if after_hello {
        session.handle_input(Input::Frame(&golden("hello-new")));
        outputs(&mut session);
    }
    session.handle_input(Input::Frame(&golden(frame)));
    match outputs(&mut session).as_slice() {
        [Output::Ask(stream, ask)] if stream.as_str() == "salesOrder/demo" => ask.clone(),
        other => panic!("{frame}: {other:?}"),
    }
}

#[test]
fn golden_frames_of_clients() {
    assert!(matches!(asks("hello-new", false), Ask::Join(join) if join.cursor.is_none()));
    assert!(matches!(asks("hello", false), Ask::Join(join) if join.clients.len() == 1));
    assert!(matches!(asks("pull", true), Ask::Join(join) if join.cursor.is_some()));
    assert!(matches!(asks("pull-snapshot", true), Ask::Join(join) if join.empty_too));
    assert!(matches!(asks("ping", true), Ask::Head));
    assert!(matches!(asks("leave", true), Ask::Leave));
    let Ask::Submit(submission) = asks("push", true) else { panic!("a push submits") };
    assert_eq!(submission.entries[1].action.kind(), "addLine");
}

#[test]
fn an_empty_welcome_is_the_golden_one() {
    let mut session = twin();
    session.handle_input(Input::Frame(&golden("hello-new")));
    outputs(&mut session);
    let page = Page { log: None, after: Seq(0), events: Vec::new(), live: true, check: None };
    let joined = Joined {
        log: None,
        head: Seq(0),
        reset: false,
        rows: Vec::new(),
        missing: Missing::Events(page),
    };
    session.handle_input(answer(Answer::Joined(Box::new(joined))));
    let frames = outputs(&mut session);
    let [Output::Send(welcome)] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!(welcome.as_str(), golden("welcome-empty").trim());
}

#[test]
fn a_checksum_travels_as_in_the_golden_frame() {
    let check = twinstore_protocol::Check { schema: 1, sum: 3_174_602_933_189_321 };
    let log = LogId("Vq3nX0b1TzK9".to_owned());
    let texts = [r#"{"seq":3,"chain":"c0ffee5a1b2d3e4f"}"#];
    let frame = events_frame(&stream(), &log, Seq(2), texts.into_iter(), Some(check));
    assert_eq!(frame, golden("events-check").trim());
}

#[test]
fn answers_to_what_was_asked_before_a_second_hello_are_not_sent() {
    let mut session = twin();
    for frame in ["hello-new", "ping", "hello-new", "ping"] {
        session.handle_input(Input::Frame(&golden(frame)));
    }
    outputs(&mut session);
    let page =
        || Page { log: Some(log()), after: Seq(0), events: Vec::new(), live: true, check: None };
    let joined = || Joined {
        log: Some(log()),
        head: Seq(0),
        reset: false,
        rows: Vec::new(),
        missing: Missing::Events(page()),
    };
    let mut sent = Vec::new();
    for _ in 0..2 {
        session.handle_input(answer(Answer::Joined(Box::new(joined()))));
        session.handle_input(answer(Answer::Head(Seq(0))));
        sent.push(outputs(&mut session).len());
    }
    assert_eq!(sent, [0, 2]);
}

#[test]
fn commits_are_not_heard_before_the_answer_they_lie_in() {
    let mut session = twin();
    session.handle_input(Input::Frame(&golden("hello-new")));
    outputs(&mut session);
    let commit = || Arc::new(Commit::new(stream(), log(), Seq(0), Vec::new()));
    session.handle_input(Input::Committed(commit()));
    assert!(outputs(&mut session).is_empty());
    let page = Page { log: None, after: Seq(0), events: Vec::new(), live: true, check: None };
    session.handle_input(answer(Answer::Page(page)));
    session.handle_input(Input::Committed(commit()));
    assert_eq!(outputs(&mut session).len(), 1);
    // Cut off, it is told the head, hears no more, and a pull brings it back.
    session.handle_input(Input::CutOff(stream(), Seq(9)));
    session.handle_input(Input::Committed(commit()));
    let frames = outputs(&mut session);
    let [Output::Send(pong)] = frames.as_slice() else { panic!("{frames:?}") };
    assert!(pong.contains(tag::PONG) && pong.contains(r#""head":9"#), "{pong}");
}

#[test]
fn a_closed_session_hears_nothing() {
    let mut session = twin();
    session.handle_input(Input::Binary);
    let last = outputs(&mut session);
    let [Output::Send(_), Output::Refused(code::BAD_MESSAGE), Output::Close(close::BAD_DATA, _)] =
        last.as_slice()
    else {
        panic!("{last:?}")
    };
    session.handle_input(Input::Frame(&golden("hello-new")));
    assert!(outputs(&mut session).is_empty());
}

fn answer(answer: Answer) -> Input<'static> {
    Input::Answered(stream(), answer)
}

fn stream() -> StreamId {
    StreamId::parse("salesOrder/demo").expect("a stream")
}

fn log() -> LogId {
    LogId("l".to_owned())
}

#[test]
fn a_session_goes_on_where_another_left_off() {
    let mut first = twin();
    first.handle_input(Input::Frame(&golden("hello-new")));
    outputs(&mut first);
    let demo = StreamId::parse("salesOrder/demo").expect("a name");
    assert_eq!(first.remembered(&demo), None, "it does not listen yet");
    let page = Page { log: None, after: Seq(0), events: Vec::new(), live: true, check: None };
    let (head, rows, missing) = (Seq(0), Vec::new(), Missing::Events(page));
    let joined = Joined { log: None, head, reset: false, rows, missing };
    first.handle_input(answer(Answer::Joined(Box::new(joined))));
    let remembered = first.remembered(&demo).expect("it listens");
    let mut second = twin().remembering(&demo, remembered.clone());
    second.handle_input(Input::Frame(&golden("push")));
    assert!(matches!(outputs(&mut second).as_slice(), [Output::Ask(_, Ask::Submit(_))]));
    assert!(second.remembered(&demo).is_some_and(|now| now.named.len() > remembered.named.len()));
    second.handle_input(Input::Frame(&golden("leave")));
    assert_eq!(second.remembered(&demo), None);
}
