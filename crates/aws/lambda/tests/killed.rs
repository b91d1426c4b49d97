//! Goal: a function that dies between any two of its calls, to tables or gateway, leaves nothing half
//! done: each action of a twin is one event, so is each thin message that reached the inbox, records
//! are what the events make, and whoever missed a push notices and pulls.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use common::stage::{COUPLED, Death, PIPELINE, Stage};
use common::twin::Twin;
use common::{dynamodb, event, orders_of};
use serde_json::{Value, json};
use twinstore_lambda::Role;
use twinstore_protocol::StreamId;
use twinstore_server::log::Log;

#[tokio::test(flavor = "multi_thread")]
async fn coupled() {
    everywhere(COUPLED, 1, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipeline() {
    everywhere(PIPELINE, 1, 1).await;
}

/// More records than a transaction holds: they follow behind the events, one call like the other, so
/// that some of these stand for all, unless `TWINSTORE_EVERY_CALL` asks for each (some minutes).
#[tokio::test(flavor = "multi_thread")]
async fn while_records_follow() {
    let step = if std::env::var_os("TWINSTORE_EVERY_CALL").is_some() { 1 } else { 29 };
    everywhere(COUPLED, 100, step).await;
}

/// Each role in each of its invocations at each of its calls, or at every so many of them.
async fn everywhere(roles: &[Role], actions: u64, step: u32) {
    let mut stage = Stage::new(roles).await;
    for &role in roles {
        for arrives in [false, true] {
            let mut calls = Vec::new();
            for invocation in 0.. {
                let mut call = 1;
                while dies(&mut stage, Death { role, invocation, call, arrives }, actions).await {
                    call += step;
                }
                if stage.invocations(role) <= invocation {
                    break;
                }
                calls.push(call - 1);
            }
            println!("{role:?}: calls of each invocation {calls:?}");
            assert!(calls.iter().all(|&calls| calls > 0) && calls.len() > 1, "{calls:?}");
        }
    }
}

/// Whether a function came to die in a round, after which everything must be well.
async fn dies(stage: &mut Stage, death: Death, actions: u64) -> bool {
    let mut round = Round::new(stage.next_round());
    round.others_come(stage).await;
    let faults = stage.doom(death);
    round.play(stage, actions).await;
    stage.spare();
    round.check(stage, death, actions).await;
    faults.is_dead()
}

/// What happens in a stream of its own: one twin comes and sends, another and a thin client listen.
struct Round {
    stream: String,
    client: String,
    sender: Twin,
    /// Whether it had a socket.
    came: bool,
    /// Its sockets so far, those that did not open as well.
    sockets: u32,
    listener: Twin,
}

impl Round {
    fn new(number: u32) -> Self {
        let stream = format!("salesOrder/{number}");
        let client = format!("20261124-a{number}");
        let sender = Twin::new(&stream, &client);
        let listener = Twin::new(&stream, &format!("20261124-b{number}"));
        Self { stream, client, sender, came: false, sockets: 0, listener }
    }

    /// The names of connections.
    fn of_listener(&self) -> String {
        format!("{} listener", self.stream)
    }

    fn of_thin(&self) -> String {
        format!("{} thin", self.stream)
    }

    fn of_sender(&self) -> String {
        format!("{} sender {}", self.stream, self.sockets)
    }

    async fn play(&mut self, stage: &mut Stage, actions: u64) {
        for n in 1..=actions {
            self.sender.dispatch(create(&format!("a{n}")));
        }
        self.comes(stage).await;
        while self.sender.settled < actions {
            self.sends(stage).await;
            if self.sender.settled < actions {
                self.comes(stage).await;
            }
        }
        let thin = json!({ "body": create("thin").to_string() });
        stage.front(event("MESSAGE", &self.of_thin(), thin)).await;
        stage.run_streams().await;
        stage.front(event("DISCONNECT", &self.of_sender(), json!({}))).await;
        stage.world.lose(&self.of_sender());
    }

    async fn others_come(&mut self, stage: &mut Stage) {
        let listening = json!({ "queryStringParameters": { "stream": self.stream } });
        stage.front(event("CONNECT", &self.of_thin(), listening)).await;
        stage.front(event("CONNECT", &self.of_listener(), json!({}))).await;
        self.listener.opened();
        self.listens(stage).await;
    }

    /// The sender gets a socket.
    async fn comes(&mut self, stage: &mut Stage) {
        loop {
            self.sockets += 1;
            let answer = stage.front(event("CONNECT", &self.of_sender(), json!({}))).await;
            if answer.is_some_and(|answer| answer["statusCode"] == 200) {
                break;
            }
        }
        match std::mem::replace(&mut self.came, true) {
            false => self.sender.opened(),
            true => self.sender.reopened(),
        }
    }

    /// The sender says all it has to say, until a function dies of it.
    async fn sends(&mut self, stage: &mut Stage) {
        while let Some(frame) = self.sender.says() {
            let message = event("MESSAGE", &self.of_sender(), json!({ "body": frame }));
            if stage.front(message).await.is_none() {
                return;
            }
            stage.run_streams().await;
            for frame in stage.world.frames(&self.of_sender()) {
                self.sender.hears(&frame);
            }
        }
    }

    /// The listener says what it has to say and hears the answers.
    async fn listens(&mut self, stage: &mut Stage) {
        while let Some(frame) = self.listener.says() {
            let message = event("MESSAGE", &self.of_listener(), json!({ "body": frame }));
            stage.front(message).await;
            for frame in stage.world.frames(&self.of_listener()) {
                self.listener.hears(&frame);
            }
        }
    }

    async fn check(&mut self, stage: &mut Stage, death: Death, actions: u64) {
        let events = stage.world.events(&self.stream);
        let of_sender = events.iter().filter(|event| event.client.as_str() == self.client);
        let numbers: Vec<_> = of_sender.map(|event| event.n.0).collect();
        assert_eq!(numbers, (1..=actions).collect::<Vec<_>>(), "{death:?}: each once, in order");
        let thin = events.len() as u64 - actions;
        match death.role {
            Role::Reduce | Role::Push => assert_eq!(thin, 1, "{death:?}: what reached the inbox"),
            _ => assert!(thin <= 1, "{death:?}: at most once"),
        }
        let stream = StreamId::parse(&self.stream).unwrap();
        let owes = dynamodb::open(&stage.world.prefix).owes_records(&stream).unwrap();
        assert!(!owes || actions > 90, "{death:?}: records are there");
        // What was pushed; and what a ping's answer says that was not.
        for frame in stage.world.frames(&self.of_listener()) {
            self.listener.hears(&frame);
        }
        self.listener.waits();
        self.listens(stage).await;
        assert_eq!(
            self.listener.orders(),
            orders_of(&events),
            "{death:?}: the other one has it all"
        );
    }
}

fn create(id: &str) -> Value {
    json!({ "type": "create", "payload": { "id": id, "customer": "Ann" } })
}
