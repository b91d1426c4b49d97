//! `--config`: the file, the flags over it, what is refused, and what `config` prints.

mod common;

use common::{Place, fails, post, text};

#[test]
fn a_server_runs_by_its_file() {
    let place = Place::new();
    std::fs::create_dir(place.path().join("etc")).expect("a directory");
    let file = "listen = '127.0.0.1:0'\nstore = 'sqlite:kept.db'\n[models]\nm = '../m.js'\n";
    place.file("etc/t.toml", file);
    let server = place.serve_by(&["serve", "--config", "etc/t.toml"], &[]);
    post(server.port, r#"{"type":"put","payload":{"id":"a"}}"#);
    assert_eq!(server.terminate().0, Some(0));
    // Its paths are seen from where it lies.
    assert!(place.path().join("etc/kept.db").exists());
}

#[test]
fn flags_win_and_the_rest_is_told() {
    let place = Place::new();
    let file = "listen = '0.0.0.0:1'\nstore = 'memory'\n[models]\nm = 'm.js'\nn = 'n.js'\n\
                [limits]\nsnapshot_every = 7\n";
    place.file("t.toml", file);
    let args = ["config", "--config", "t.toml", "--listen", "[::1]:2", "--model", "n=other.js"];
    let said = place.run(&args);
    assert!(said.status.success(), "{}", text(&said.stderr));
    let told: toml::Table = text(&said.stdout).parse().expect("it is TOML");
    assert_eq!(told["listen"].as_str(), Some("[::1]:2"));
    assert_eq!(told["store"].as_str(), Some("memory"));
    assert_eq!(told["models"]["m"].as_str(), Some("m.js"));
    assert_eq!(told["models"]["n"].as_str(), Some("other.js"));
    assert_eq!(told["limits"]["snapshot_every"].as_integer(), Some(7));
    assert_eq!(told["limits"]["stream_queue"].as_integer(), Some(4096));
}

#[test]
fn a_limit_by_flag() {
    let place = Place::new();
    place.file("t.toml", "[limits]\nsockets = 7\nsocket_frames = 8\n");
    let args =
        ["config", "--config", "t.toml", "--limit", "sockets=9", "--limit", "count_loopback=true"];
    let said = place.run(&args);
    assert!(said.status.success(), "{}", text(&said.stderr));
    let told: toml::Table = text(&said.stdout).parse().expect("it is TOML");
    assert_eq!(told["limits"]["sockets"].as_integer(), Some(9));
    assert_eq!(told["limits"]["socket_frames"].as_integer(), Some(8));
    assert_eq!(told["limits"]["count_loopback"].as_bool(), Some(true));
    for (limit, part) in
        [("sockets", "="), ("socks=1", "unknown field `socks`"), ("sockets=0", "nonzero")]
    {
        fails(&place, &["serve", "--limit", limit], 2, &["--limit", part]);
    }
}

#[test]
fn what_is_told_is_a_file_that_says_the_same() {
    let place = Place::new();
    let said = text(&place.run(&["config", "--model", "m=m.js"]).stdout);
    place.file("told.toml", &said);
    assert_eq!(text(&place.run(&["config", "--config", "told.toml"]).stdout), said);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let place = Place::new();
    let wrong = |name: &str, content: &str, parts: &[&str]| {
        place.file(name, content);
        fails(&place, &["serve", "--config", name], 2, parts);
    };
    wrong("a.toml", "store = 'memory'\nlissten = 'x'\n", &["a.toml", "line 2", "`lissten`"]);
    wrong("b.toml", "[limits]\nsockets_max = 1\n", &["line 2", "`sockets_max`"]);
    wrong("c.toml", "[limits]\nsnapshot_every = 0\n", &["line 2", "nonzero"]);
    wrong("d.toml", "store = 'disk'\n", &["line 1", "a store is sqlite:FILE"]);
    wrong("e.toml", "listen = \n", &["line 1"]);
    wrong("f.toml", "", &["there is no model"]);
    fails(&place, &["serve", "--config", "none.toml"], 2, &["cannot read none.toml"]);
}

#[test]
fn origins_by_file_and_flag() {
    let place = Place::new();
    place.file("t.toml", "listen = '127.0.0.1:0'\nstore = 'memory'\norigins = ['https://a.example']\n[models]\nm = 'm.js'\n");
    let told = |args: &[&str]| text(&place.run(&[&["config"], args].concat()).stdout);
    assert!(told(&["--config", "t.toml"]).contains("https://a.example"));
    let over = told(&["--config", "t.toml", "--origin", "https://b.example"]);
    assert!(over.contains("https://b.example") && !over.contains("https://a.example"), "{over}");
    let args = ["serve", "--config", "t.toml", "--origin", "b.example"];
    fails(&place, &args, 2, &["`b.example` is no origin"]);
}

#[test]
fn tls_by_file_and_flag() {
    let place = Place::new();
    place.file("t.toml", "store = 'memory'\n[models]\nm = 'm.js'\n[tls]\nkey = 'k.pem'\n");
    fails(&place, &["serve", "--config", "t.toml"], 2, &["TLS needs both files"]);
    let args = ["serve", "--config", "t.toml", "--tls-certificate", "none.pem"];
    fails(&place, &args, 1, &["cannot read a certificate in none.pem"]);
}
