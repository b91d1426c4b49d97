//! Actions as somebody makes them in the demo, with ids as random as theirs.

use serde_json::{Value, json};

use super::dynamodb::dice::Dice;

/// An action that makes an order.
pub(crate) fn create(dice: &mut Dice) -> Value {
    json!({ "type": "create", "payload": { "id": dice.text(11), "customer": customer(dice) } })
}

/// An order with two lines, then another name, and confirmed.
pub(crate) fn order(dice: &mut Dice) -> [Value; 5] {
    let (id, customer) = (dice.text(11), customer(dice));
    let mut line = || {
        let sku = dice.one_of(&["Tea, green", "Tea, black", "Cup, blue", "Pot, iron", "Filter"]);
        let (quantity, price) = (1 + dice.below(9), 100 + dice.below(9_000));
        let line = json!({ "id": dice.text(11), "sku": sku, "quantity": quantity, "price": price });
        json!({ "type": "addLine", "payload": { "id": id, "line": line } })
    };
    [
        json!({ "type": "create", "payload": { "id": id, "customer": customer } }),
        line(),
        line(),
        json!({ "type": "update", "payload": { "id": id, "customer": format!("{customer} & Co") } }),
        json!({ "type": "confirm", "payload": { "id": id } }),
    ]
}

/// As a page stamps it, some seconds after the one before.
pub(crate) fn stamped(mut action: Value, client: &str, n: u64, dice: &mut Dice) -> Value {
    let at = 1_795_428_000_000 + n * 8_000 + dice.below(8_000);
    let stamp = json!({ "id": dice.text(12), "at": at, "client": client, "n": n, "user": "ann" });
    action["meta"] = json!({ "twin": stamp });
    action
}

fn customer(dice: &mut Dice) -> &'static str {
    dice.one_of(&["Ann Berg", "Bo Lind", "Carla Novak", "Dmitri Orlov", "Eve Moreau", "Farid Amin"])
}
