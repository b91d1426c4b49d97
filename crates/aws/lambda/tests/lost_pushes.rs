//! Goal: a push that is lost, late or brought twice is noticed by the client that lacks it, which pulls.

#![allow(clippy::unwrap_used, reason = "a part of tests")]

mod common;

use common::stage::{COUPLED, PIPELINE, Stage};
use common::twin::Twin;
use common::{event, orders_of};
use serde_json::{Value, json};
use twinstore_lambda::Role;

const STREAM: &str = "salesOrder/demo";
const PUSHES: usize = 4;

/// In which order pushes come, of those that do.
const ORDERS: [fn(Vec<Value>) -> Vec<Value>; 3] = [
    |pushes| pushes,
    |pushes| pushes.into_iter().rev().collect(),
    |pushes| pushes.into_iter().flat_map(|push| [push.clone(), push]).collect(),
];

#[tokio::test(flavor = "multi_thread")]
async fn coupled() {
    each_loss(COUPLED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipeline() {
    each_loss(PIPELINE).await;
}

/// Every choice of pushes that arrive, in each order: a listener for each of them.
async fn each_loss(roles: &[Role]) {
    let mut stage = Stage::new(roles).await;
    let mut listeners = Vec::new();
    for arriving in 0..1_usize << PUSHES {
        for order in ORDERS {
            let name = format!("b{}", listeners.len());
            let twin = Twin::new(STREAM, &format!("20261124-{name}"));
            let mut listener = Listener { name, twin };
            listener.comes(&mut stage).await;
            listeners.push((listener, arriving, order));
        }
    }
    let mut sender = Listener { name: "a".to_owned(), twin: Twin::new(STREAM, "20261124-a") };
    sender.comes(&mut stage).await;
    for push in 0..PUSHES {
        let payload = json!({ "id": format!("{push}"), "customer": "Ann" });
        sender.twin.dispatch(json!({ "type": "create", "payload": payload }));
        sender.talks(&mut stage).await;
    }
    let log = stage.world.events(STREAM);
    assert_eq!(log.len(), PUSHES);
    for (mut listener, arriving, order) in listeners {
        let pushes = stage.world.frames(&listener.name);
        assert_eq!(pushes.len(), PUSHES);
        let arrive = |(at, _): &(usize, Value)| arriving & (1 << at) != 0;
        let some = pushes.into_iter().enumerate().filter(arrive).map(|(_, push)| push).collect();
        for push in order(some) {
            listener.twin.hears(&push);
        }
        listener.talks(&mut stage).await;
        // What it cannot know of so far the next ping's answer says.
        listener.twin.waits();
        listener.talks(&mut stage).await;
        assert_eq!(listener.twin.orders(), orders_of(&log), "{arriving:04b}");
    }
}

struct Listener {
    name: String,
    twin: Twin,
}

impl Listener {
    async fn comes(&mut self, stage: &mut Stage) {
        stage.front(event("CONNECT", &self.name, json!({}))).await;
        self.twin.opened();
        self.talks(stage).await;
    }

    /// Says what it has to say and hears the answers, until it has nothing more to say.
    async fn talks(&mut self, stage: &mut Stage) {
        while let Some(frame) = self.twin.says() {
            stage.front(event("MESSAGE", &self.name, json!({ "body": frame }))).await;
            stage.run_streams().await;
            for frame in stage.world.frames(&self.name) {
                self.twin.hears(&frame);
            }
        }
    }
}
