//! A topology whose functions are invoked as AWS would, one of which may die.

use serde_json::{Value, json};
use twinstore_lambda::{Function, Role};

use super::streams::Streams;
use super::{World, dynamodb};

const EVENTS: &str = "salesOrder_events";
const MODEL: &str = "salesOrder";

/// The functions of a topology; the first serves the gateway.
pub(crate) const COUPLED: &[Role] = &[Role::Coupled { push: true }];
pub(crate) const PIPELINE: &[Role] = &[Role::Ingest, Role::Reduce, Role::Push];

/// Where a function dies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    pub(crate) role: Role,
    /// In which of that role's invocations.
    pub(crate) invocation: usize,
    /// At which of its calls, which arrives or does not.
    pub(crate) call: u32,
    pub(crate) arrives: bool,
}

/// Functions that live, and one that does not.
pub(crate) struct Stage {
    pub(crate) world: World,
    roles: Vec<(Role, Function, usize)>,
    streams: Streams,
    doomed: Option<(Death, Function)>,
    round: u32,
}

impl Stage {
    pub(crate) async fn new(roles: &[Role]) -> Self {
        let world = World::new().await;
        world.prepare().await;
        let roles = roles.iter().map(|&role| (role, world.role(role), 0)).collect();
        let streams = Streams::new(&world.prefix);
        Self { world, roles, streams, doomed: None, round: 0 }
    }

    /// How often that role was invoked while one was doomed.
    pub(crate) fn invocations(&self, role: Role) -> usize {
        self.roles.iter().find(|(of, ..)| *of == role).unwrap().2
    }

    /// A number for what happens in a stream of its own.
    pub(crate) fn next_round(&mut self) -> u32 {
        self.round += 1;
        self.round
    }

    /// From here on a function dies, once.
    pub(crate) fn doom(&mut self, death: Death) -> dynamodb::Faults {
        self.roles.iter_mut().for_each(|(.., count)| *count = 0);
        let (function, faults) = self.world.mortal(death.role);
        faults.die_after(death.call, death.arrives);
        self.doomed = Some((death, function));
        faults
    }

    /// From here on none does.
    pub(crate) fn spare(&mut self) {
        self.doomed = None;
    }

    /// Invokes a role; none: it died.
    async fn invoke(&mut self, role: Role, event: Value) -> Option<Value> {
        let (_, function, count) = self.roles.iter_mut().find(|(of, ..)| *of == role).unwrap();
        *count += usize::from(self.doomed.is_some());
        match &self.doomed {
            Some((death, doomed)) if death.role == role && death.invocation + 1 == *count => {
                let answer = doomed.handle(event).await;
                let lives = self.world.sockets.lives();
                answer.ok().filter(|_| lives)
            }
            _ => Some(function.handle(event).await.unwrap()),
        }
    }

    /// The gateway's event.
    pub(crate) async fn front(&mut self, event: Value) -> Option<Value> {
        self.invoke(self.roles[0].0, event).await
    }

    /// Brings what the tables' streams show, again where a function died of it.
    pub(crate) async fn run_streams(&mut self) {
        if self.roles.len() == 1 {
            return;
        }
        for (table, role) in [(EVENTS, Role::Reduce), (MODEL, Role::Push)] {
            let changes = self.streams.filtered(table).await;
            while !changes.is_empty() {
                let answer = self.invoke(role, json!({ "Records": changes })).await;
                if answer.is_some_and(|answer| answer["batchItemFailures"] == json!([])) {
                    break;
                }
            }
        }
    }
}
