//! `twinstore check`, `rebuild` and `backup` on a real store, whole and damaged.

mod common;

use common::{Place, fails, post, text};
use rusqlite::Connection;
use serde_json::json;

/// Three events by HTTP, and a server that is stopped.
fn three_events() -> Place {
    let place = Place::new();
    let server = place.serve();
    let put = |id: &str| json!({ "type": "put", "payload": { "id": id } });
    post(server.port, &json!([put("1"), put("2"), { "type": "bad" }]).to_string());
    assert_eq!(server.terminate().0, Some(0));
    place
}

fn sql(place: &Place, sql: &str) {
    let connection = Connection::open(place.path().join("twinstore.db")).expect("it opens");
    connection.execute_batch(sql).expect("it is done");
}

#[track_caller]
fn says(place: &Place, args: &[&str], expect: &str) {
    let output = place.run(args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), expect);
}

const CLEAN: &str = "m/x: clean up to 3: 3 events, 1 clients, 1 snapshots, 2 records\n";

#[test]
fn a_whole_store_is_clean_also_beside_a_running_server() {
    let place = three_events();
    says(&place, &["check"], CLEAN);
    let server = place.serve();
    says(&place, &["check", "m/x"], CLEAN);
    drop(server);
    fails(&place, &["check", "m/none"], 1, &["the store has no stream m/none"]);
    fails(&place, &["check", "--store", "sqlite:none.db"], 1, &["there is no store at none.db"]);
}

#[test]
fn what_is_made_from_the_log_is_found_wrong_and_made_anew() {
    let place = three_events();
    sql(
        &place,
        r#"UPDATE m SET record = '{}' WHERE key = '2'; INSERT INTO m VALUES ('m/x', '9', '1', 1);
           UPDATE twin_clients SET last = 7; UPDATE twin_snapshots SET state = '{}';"#,
    );
    let output = place.run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    for problem in [
        "client ",
        "the last number is 7, by the events it is 3",
        "record 2: is not what",
        "record 9: is in the store",
        "the snapshot at 3 is not",
        "m/x: NOT clean up to 3",
    ] {
        assert!(said.contains(problem), "`{problem}` is not in: {said}");
    }
    says(&place, &["rebuild"], "m/x: made anew from 3 events: 2 records, 1 clients\n");
    says(&place, &["check"], CLEAN);
    let server = place.serve();
    fails(&place, &["rebuild"], 1, &["another process has twinstore.db open for writing"]);
    drop(server);
    fails(&place, &["rebuild", "--store", "sqlite:none.db"], 1, &["there is no store at none.db"]);
}

#[test]
fn a_damaged_log_is_told_and_not_built_upon() {
    let place = three_events();
    sql(
        &place,
        r#"UPDATE m_events SET body = replace(body, '"id":"2"', '"id":"7"') WHERE seq = 2;"#,
    );
    fails(&place, &["check"], 1, &["4 problems", "a damaged log needs a backup"]);
    let said = text(&place.run(&["check"]).stdout);
    assert!(said.contains("m/x: event 2: the chain is "), "{said}");
    fails(&place, &["rebuild"], 1, &["m/x: the log itself is damaged", "event 2: the chain"]);
    sql(&place, "DELETE FROM m_events WHERE seq = 2;");
    let said = text(&place.run(&["check"]).stdout);
    assert!(said.contains("m/x: events 2 to 2 are not in the store"), "{said}");
}

#[test]
fn a_backup_is_a_store_of_its_own() {
    let place = three_events();
    let server = place.serve();
    post(server.port, r#"{"type":"put","payload":{"id":"3"}}"#);
    let output = place.run(&["backup", "--to", "copy.db"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    post(server.port, r#"{"type":"put","payload":{"id":"4"}}"#);
    says(
        &place,
        &["check", "--store", "sqlite:copy.db"],
        "m/x: clean up to 4: 4 events, 2 clients, 1 snapshots, 3 records\n",
    );
    fails(&place, &["backup", "--to", "copy.db"], 2, &["copy.db is there already"]);
    fails(
        &place,
        &["backup", "--store", "memory", "--to", "b.db"],
        2,
        &["a store in memory ends with its server"],
    );
    drop(server);
    let args = ["--store", "sqlite:copy.db"];
    let restored = place.serve_with(&args, &[]);
    post(restored.port, r#"{"type":"put","payload":{"id":"5"}}"#);
    assert_eq!(restored.terminate().0, Some(0));
    let said = text(&place.run(&["check", "--store", "sqlite:copy.db"]).stdout);
    assert!(said.contains("clean up to 5: 5 events"), "{said}");
}
