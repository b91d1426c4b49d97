//! docs/ANALYSIS.md: its tables are the store's, and each of its queries answers what it asks.

mod common;

use std::collections::BTreeMap;

use common::{Place, request};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Value, json};

const PAGE: &str = include_str!("../../../docs/ANALYSIS.md");
const MODEL: &str = include_str!("../../../examples/sales-order/reducer.js");

/// 18:00 of the day of these tests; event 1 is decided a minute later, event 2 two, and so on.
const BEGIN: u64 = 1_795_456_800_000;

/// What each query answers: the names of its columns, then its rows.
const ANSWERS: [&[&str]; 10] = [
    &["type|events|rejected|percent", "create|4|1|25.0", "confirm|2|1|50.0", "addLine|1|0|0.0"],
    &[
        "code|reason|times|last",
        "invalid|order 1 exists already|1|2026-11-23 18:06:00",
        "invalid|order 1 has no lines|1|2026-11-23 18:02:00",
    ],
    &["hour|accepted|rejected", "2026-11-23 18:00|5|2"],
    &[
        "client|user|events|rejected|first|last",
        "20261123-ann|Ann|4|1|18:01:00|18:04:00",
        "20261123-bo||2|1|18:05:00|18:06:00",
        "*||1|0|18:07:00|18:07:00",
    ],
    &[
        "type|actions|half_ms|longest_ms",
        "addLine|1|180000|180000",
        "confirm|2|120000|240000",
        "create|3|300000|360000",
    ],
    &[
        "seq|client|type|verdict",
        "1|20261123-ann|create|accepted",
        "2|20261123-ann|confirm|order 1 has no lines",
        "3|20261123-ann|addLine|accepted",
        "4|20261123-ann|confirm|accepted",
        "6|20261123-bo|create|order 1 exists already",
    ],
    &["name|model|schema|first|last|events", "salesOrder|*|1|1|7|7"],
    &["id|seconds", "1|180"],
    &["rejected|next|times", "confirm|addLine|1", "create|(nothing)|1"],
    &["status|orders|total", "confirmed|1|9.0", "draft|2|0.0"],
];

/// The store of a real server. Only the server's times are then set, so that answers are known.
fn store() -> (Place, Connection) {
    let place = Place::new();
    place.file("orders.js", MODEL);
    let server = place.serve_with(&["--model", "salesOrder=orders.js"], &[]);
    let by = |client: &str, n: u32, user: Option<&str>, action: &Value| {
        let mut action = action.clone();
        action["meta"] = json!({ "twin": { "id": format!("{client}{n}x"), "at": BEGIN,
            "client": client, "n": n } });
        if let Some(user) = user {
            action["meta"]["twin"]["user"] = user.into();
        }
        action
    };
    let create = |id: &str| json!({ "type": "create", "payload": { "id": id, "customer": "Cy" } });
    let confirm = json!({ "type": "confirm", "payload": { "id": "1" } });
    let line = json!({ "sku": "pen", "quantity": 3, "price": 300 });
    let add = json!({ "type": "addLine", "payload": { "id": "1", "line": line } });
    let ann = |n, action: &Value| by("20261123-ann", n, Some("Ann"), action);
    let bo = |n, action: &Value| by("20261123-bo", n, None, action);
    let actions = json!([
        ann(1, &create("1")),
        ann(2, &confirm),
        ann(3, &add),
        ann(4, &confirm),
        bo(1, &create("2")),
        bo(2, &create("1")),
        create("3"),
    ]);
    let path = "/streams/salesOrder%2Fdemo/actions";
    assert_eq!(request(server.port, "POST", path, &actions.to_string()).0, 200);
    assert_eq!(server.terminate().0, Some(0));
    let store = Connection::open(place.path().join("twinstore.db")).expect("a store");
    let times = format!("UPDATE salesOrder_events SET at = {BEGIN} + 60000 * seq");
    assert_eq!(store.execute(&times, []).expect("it writes"), 7);
    (place, store)
}

fn queries() -> Vec<&'static str> {
    let blocks = PAGE.split("```sql\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("a block ends")).collect()
}

/// Names of columns, then rows, with bars between values.
fn answer(store: &Connection, query: &str) -> Vec<String> {
    let mut statement = store.prepare(query).unwrap_or_else(|error| panic!("{error}: {query}"));
    let names = statement.column_names().collect::<Vec<_>>().join("|");
    let count = statement.column_count();
    let rows = statement.query_map([], |row| {
        let value = |i| row.get_ref(i).map(shown);
        (0..count).map(value).collect::<Result<Vec<_>, _>>()
    });
    let rows = rows.expect("it runs").map(|row| row.expect("a row").join("|"));
    [names].into_iter().chain(rows).collect()
}

fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => format!("{number:?}"),
        ValueRef::Text(text) | ValueRef::Blob(text) => common::text(text),
    }
}

#[test]
fn each_query_answers_what_it_asks() {
    let (_place, store) = store();
    let queries = queries();
    assert_eq!(queries.len(), ANSWERS.len(), "ten queries");
    for (query, expect) in queries.into_iter().zip(ANSWERS) {
        let found = answer(&store, query);
        assert_eq!(found.len(), expect.len(), "{found:#?}\n{query}");
        for (found, expect) in found.iter().zip(expect) {
            let (found, expect): (Vec<_>, Vec<_>) =
                (found.split('|').collect(), expect.split('|').collect());
            let same = found.len() == expect.len()
                && found.iter().zip(&expect).all(|(f, e)| f == e || *e == "*");
            assert!(same, "{found:?} is not {expect:?}\n{query}");
        }
    }
}

#[test]
fn the_tables_are_those_of_the_page() {
    let (_place, store) = store();
    let page = PAGE.split("## The tables").nth(1).expect("a chapter");
    let page = page.split("\n## ").next().expect("it ends");
    let names =
        |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeMap<_, _> = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').collect();
            (names(cells[1]).concat(), names(cells[2]))
        })
        .collect();
    let tables = answer(
        &store,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('m', 'm_events')",
    );
    let columns = |table: &String| {
        let columns = answer(&store, &format!("SELECT name FROM pragma_table_info('{table}')"));
        (table.clone(), columns[1..].to_vec())
    };
    assert_eq!(told, tables[1..].iter().map(columns).collect());
    assert_eq!(answer(&store, "PRAGMA user_version")[1], "2");
}
