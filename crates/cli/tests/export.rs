//! `twinstore export` of a real store, read back.

mod common;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use common::{Place, fails, post, text};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Row, RowAccessor};
use serde_json::{Value, json};

/// So many events by ann, stamped; each tenth is rejected.
fn events(count: u32) -> Place {
    let place = Place::new();
    let server = place.serve();
    let action = |n: u32| {
        let kind = if n.is_multiple_of(10) { "bad" } else { "put" };
        json!({ "type": kind, "payload": { "id": format!("ü{n}") },
            "meta": { "twin": { "id": "x", "client": "ann", "n": n, "at": 1_000 + n } } })
    };
    let all: Vec<_> = (1..=count).map(action).collect();
    for batch in all.chunks(400) {
        post(server.port, &json!(batch).to_string());
    }
    assert_eq!(server.terminate().0, Some(0));
    place
}

fn export(place: &Place, args: &[&str]) -> String {
    let output = place.run(&[&["export", "m/x"], args].concat());
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(text(&output.stdout), "");
    said
}

fn rows(place: &Place, name: &str) -> Vec<Row> {
    let file = File::open(place.path().join(name)).expect("a file");
    let reader = SerializedFileReader::new(file).expect("Parquet");
    let rows = reader.get_row_iter(None).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

#[test]
fn ndjson_is_what_events_prints() {
    let place = events(25);
    let said = export(&place, &["--to", "all.ndjson"]);
    assert_eq!(said, "25 events in all.ndjson\n");
    let file = fs::read_to_string(place.path().join("all.ndjson")).expect("a file");
    assert_eq!(file, text(&place.run(&["events", "m/x"]).stdout));
    export(&place, &["--to", "some.ndjson", "--rejected", "--first", "11", "--last", "20"]);
    let some = fs::read_to_string(place.path().join("some.ndjson")).expect("a file");
    assert_eq!(some.lines().count(), 1);
    assert!(some.contains(r#""seq":20"#), "{some}");
}

#[test]
fn parquet_holds_every_event_with_its_fields() {
    let place = events(1_203);
    assert_eq!(export(&place, &["--to", "all.parquet"]), "1203 events in all.parquet\n");
    let rows = rows(&place, "all.parquet");
    assert_eq!(rows.len(), 1_203);
    let printed = text(&place.run(&["events", "m/x"]).stdout);
    for (row, line) in rows.iter().zip(printed.lines()) {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let text = |column| row.get_string(column).ok().map(String::as_str);
        assert_eq!((text(0), text(2)), (Some("m/x"), Some("ann")));
        assert_eq!(row.get_long(1).ok(), event["seq"].as_i64());
        assert_eq!(row.get_long(3).ok(), event["n"].as_i64());
        assert_eq!(row.get_timestamp_millis(5).ok(), event["at"].as_i64());
        let dispatched = event["action"]["meta"]["twin"]["at"].as_i64();
        assert_eq!(row.get_timestamp_millis(6).ok(), dispatched);
        assert_eq!(text(7), event["action"]["type"].as_str());
        assert_eq!((text(8), row.get_int(9).ok()), (event["model"].as_str(), Some(1)));
        assert_eq!(text(10), event["error"]["code"].as_str());
        assert_eq!(text(11), event["error"]["reason"].as_str());
        let action: Value = serde_json::from_str(text(12).expect("an action")).expect("JSON");
        assert_eq!(action, event["action"]);
        assert_eq!(text(13), event["chain"].as_str());
    }
    export(&place, &["--to", "bad.parquet", "--type", "bad"]);
    assert_eq!(self::rows(&place, "bad.parquet").len(), 120);
}

#[test]
fn a_file_is_there_once_it_is_whole() {
    let place = events(3);
    export(&place, &["--to", "x.parquet"]);
    let before = fs::read(place.path().join("x.parquet")).expect("a file");
    let there = ["x.parquet is there already", "--replace"];
    fails(&place, &["export", "m/x", "--to", "x.parquet"], 2, &there);
    assert_eq!(fs::read(place.path().join("x.parquet")).expect("a file"), before);
    export(&place, &["--to", "x.parquet", "--replace", "--last", "2"]);
    assert_eq!(rows(&place, "x.parquet").len(), 2);
    let mode = |name| fs::metadata(place.path().join(name)).expect("a file").permissions().mode();
    assert_eq!(mode("x.parquet"), mode("m.js"), "as any new file");
    let names = fs::read_dir(place.path()).expect("a directory");
    let names = names.map(|entry| entry.expect("a file").file_name().into_string().expect("text"));
    assert!(names.into_iter().all(|name| !name.contains(".part")), "nothing is left behind");
}

#[test]
fn what_cannot_be_exported() {
    let place = events(3);
    let export = |args: &[&str], code, parts: &[&str]| {
        fails(&place, &[&["export"], args].concat(), code, parts);
    };
    export(&["m/x", "--to", "x.csv"], 2, &["x.csv", ".ndjson or .parquet"]);
    export(&["m/x", "--to", "none/x.parquet"], 1, &["cannot write none/x.parquet", "directory"]);
    export(&["m/x", "--to", "m.js/x.ndjson"], 1, &["cannot write m.js/x.ndjson", "directory"]);
    export(&["m/none", "--to", "x.parquet"], 1, &["no stream m/none"]);
    export(&["m/x", "--to", "x.parquet", "--first", "4"], 2, &["ends at 3", "no event 4"]);
    export(&["m/x"], 2, &["--to"]);
    assert!(!place.path().join("x.parquet").exists());
}

#[test]
fn a_disk_that_is_full_leaves_nothing_behind() {
    let place = events(1_200);
    // The system lets it write 40 KiB a file (SQLite takes 32), and says so by an error instead of a signal.
    let limited = "trap '' XFSZ; ulimit -f 40; exec \"$0\" \"$@\"";
    for name in ["x.ndjson", "x.parquet"] {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", limited, env!("CARGO_BIN_EXE_twinstore")]);
        command.args(["export", "m/x", "--to", name]).current_dir(place.path());
        let output = command.output().expect("it runs");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot write x.") && said.contains("too large"), "{said}");
        let left = fs::read_dir(place.path()).expect("a directory");
        let left =
            left.map(|entry| entry.expect("a file").file_name().into_string().expect("text"));
        // Whoever reads a store may leave SQLite's own files beside it.
        let left: Vec<_> = left.filter(|file| !file.starts_with("twinstore.db")).collect();
        assert_eq!(left, ["m.js"]);
    }
}
