//! The sales orders of `examples/sales-order`, in Rust: the same states, records and reasons, which
//! `tests/same_as_javascript.rs` shows.
//!
//! Prices are integer cents.

mod action;

use serde::{Deserialize, Serialize};
use twinstore_reducer::{Ctx, Entities, Model, Records};

pub use action::{Action, Change};

/// The model.
#[derive(Debug)]
pub struct SalesOrder;

/// The orders of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    /// By their ids.
    pub entities: Entities<Order>,
}

/// An order. The order of the fields is that of the records people see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub customer: String,
    /// How far it is.
    pub status: Status,
    /// What is ordered.
    pub lines: Vec<Line>,
    /// The sum of its lines, in cents.
    pub total: u64,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It can be changed.
    Draft,
    /// It was placed.
    Confirmed,
    /// It was given up.
    Cancelled,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its id within the order.
    pub id: String,
    /// The article.
    pub sku: String,
    /// How many.
    pub quantity: u64,
    /// The price of one, in cents.
    pub price: u64,
}

impl Model for SalesOrder {
    const NAME: &'static str = "salesOrder";
    const VERSION: u32 = 1;
    type State = Orders;
    type Action = Action;

    fn validate(state: &Orders, Action { id, change }: &Action) -> Result<(), String> {
        let order = state.entities.get(id);
        match (order, change) {
            (None, Change::Create { .. }) => Ok(()),
            (Some(_), Change::Create { .. }) => Err(format!("order {id} exists already")),
            (None, _) => Err(format!("there is no order {id}")),
            (Some(_), Change::Delete) => Ok(()),
            (Some(order), change) if order.status == Status::Draft => allowed(order, change),
            (Some(order), _) => Err(format!("order {id} is {}", order.status.as_str())),
        }
    }

    fn reduce(state: &mut Orders, Action { id, change }: &Action, _: &mut Ctx) {
        let orders = &mut state.entities;
        if let Change::Create { customer } = change {
            if orders.get(id).is_none() {
                orders.insert(id.clone(), Order::new(id, customer));
            }
        } else if *change == Change::Delete {
            orders.remove(id);
        } else if let Some(order) = orders.get_mut(id) {
            order.apply(change);
        }
    }

    fn records(state: &mut Orders) -> &mut dyn Records {
        &mut state.entities
    }
}

/// What a draft does not allow.
fn allowed(order: &Order, change: &Change) -> Result<(), String> {
    let id = &order.id;
    match change {
        Change::Confirm if order.lines.is_empty() => Err(format!("order {id} has no lines")),
        Change::AddLine(line) if order.has_line(&line.id) => {
            Err(format!("order {id} has a line {} already", line.id))
        }
        Change::RemoveLine { line_id } if !order.has_line(line_id) => {
            Err(format!("order {id} has no line {line_id}"))
        }
        _ => Ok(()),
    }
}

impl Order {
    fn new(id: &str, customer: &str) -> Self {
        Self {
            id: id.to_owned(),
            customer: customer.to_owned(),
            status: Status::Draft,
            lines: Vec::new(),
            total: 0,
        }
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Update { customer } => self.customer.clone_from(customer),
            Change::AddLine(line) if !self.has_line(&line.id) => self.lines.push(line.clone()),
            Change::RemoveLine { line_id } => self.lines.retain(|line| line.id != *line_id),
            Change::Confirm => self.status = Status::Confirmed,
            Change::Cancel => self.status = Status::Cancelled,
            Change::AddLine(_) | Change::Create { .. } | Change::Delete => {}
        }
        self.total = self.lines.iter().map(|line| line.quantity * line.price).sum();
    }

    fn has_line(&self, id: &str) -> bool {
        self.lines.iter().any(|line| line.id == id)
    }
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
        }
    }
}
