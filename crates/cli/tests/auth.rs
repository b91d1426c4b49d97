//! Tokens of `twinstore token` at a server that is guarded by its settings.

mod common;

use common::{Place, fails, request_by, text};

const SECRET: &str = "a secret of thirty-two bytes or more";

fn minted(place: &Place, args: &[&str]) -> String {
    let said = place.run(&[&["token", "--sub", "ann"], args].concat());
    assert!(said.status.success(), "{}", text(&said.stderr));
    text(&said.stdout).trim().to_owned()
}

#[test]
fn a_minted_token_opens_what_it_says() {
    let place = Place::new();
    place.file("secret", &format!("{SECRET}\n"));
    let settings = "[auth]\nsecret_file = 'secret'\nissuer = 'dev'\naudience = ['m']\n";
    place.file("t.toml", settings);
    let server = place.serve_with(&["--store", "memory", "--config", "t.toml"], &[]);
    let token = minted(&place, &["--config", "t.toml", "--streams", "m/a*", "--expires", "5m"]);
    let state = |token: &str, stream: &str| {
        request_by(token, server.port, "GET", &format!("/streams/m%2F{stream}/state"), "").0
    };
    assert_eq!([state(&token, "acme"), state(&token, "b"), state("", "acme")], [200, 403, 401]);
    let admin = minted(&place, &["--config", "t.toml", "--admin"]);
    assert_eq!(request_by(&admin, server.port, "GET", "/stats", "").0, 200);
    // Another issuer's: the secret alone is not enough.
    let other = minted(&place, &["--secret-file", "secret", "--streams", "*"]);
    assert_eq!(state(&other, "acme"), 401);
}

#[test]
fn keys_of_each_kind_and_no_confusion_of_them() {
    let place = Place::new();
    let keys = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/keys");
    let public = ["rsa", "ec", "ed"].map(|kind| format!("'{keys}/{kind}.pub.pem'")).join(", ");
    place.file("t.toml", &format!("[auth]\npublic_key_files = [{public}]\n"));
    let server = place.serve_with(&["--store", "memory", "--config", "t.toml"], &[]);
    let state = |token: &str| request_by(token, server.port, "GET", "/streams/m%2Fx/state", "").0;
    for kind in ["rsa", "ec", "ed"] {
        let key = format!("{keys}/{kind}.pem");
        assert_eq!(state(&minted(&place, &["--streams", "*", "--key", &key])), 200, "{kind}");
        // What is public is no secret.
        let public = std::fs::read_to_string(format!("{keys}/{kind}.pub.pem")).expect("a key");
        for secret in [public.as_str(), public.trim()] {
            let forged = minted(&place, &["--streams", "*", &format!("--secret={secret}")]);
            assert_eq!(state(&forged), 401, "{kind}");
        }
    }
}

#[test]
fn a_server_without_auth_says_so() {
    let place = Place::new();
    place.file("secret", SECRET);
    let said = |listen: &str, more: &[&str]| {
        let args = ["serve", "--model", "m=m.js", "--store", "memory", "--listen", listen];
        place.serve_by(&[&args, more].concat(), &[]).terminate().1
    };
    let here = said("127.0.0.1:0", &[]);
    assert!(here.contains("no [auth]") && !here.contains("WARN"), "{here}");
    let everywhere = said("0.0.0.0:0", &[]);
    assert!(everywhere.contains("WARN") && everywhere.contains("NO AUTH"), "{everywhere}");
    let guarded = said("0.0.0.0:0", &["--auth-secret-file", "secret"]);
    assert!(!guarded.to_lowercase().contains("auth"), "{guarded}");
}

#[test]
fn secrets_are_not_told() {
    let place = Place::new();
    let admin = "an admin token of thirty-two bytes or more";
    place.file("t.toml", &format!("[auth]\nsecret = '{SECRET}'\nadmin_token = '{admin}'\n"));
    let said = text(&place.run(&["config", "--config", "t.toml"]).stdout);
    assert!(!said.contains(SECRET) && !said.contains(admin), "{said}");
    assert!(said.contains("secret = \"(hidden)\"") && said.contains("admin_token = \"(hidden)\""));
}

#[test]
fn what_is_wrong_ends_in_2() {
    let place = Place::new();
    place.file("short", "too short");
    let serve = |more: &str, parts: &[&str]| {
        place.file("t.toml", &format!("store = 'memory'\n[models]\nm = 'm.js'\n[auth]\n{more}\n"));
        fails(&place, &["serve", "--listen", "127.0.0.1:0", "--config", "t.toml"], 2, parts);
    };
    serve("secret_file = 'short'", &["at least 32 bytes"]);
    serve("secret_file = 'none'", &["cannot read none"]);
    serve("admin_token = 'short'", &["at least 32 bytes"]);
    serve("public_key_files = ['short']", &["short is no public key in PEM"]);
    serve("jwks_file = 'short'", &["short is no JWK set"]);
    serve("jwks_url = 'http://example.com/keys'", &["fetched by https"]);
    serve("sekret = 'x'", &["line 5", "`sekret`"]);
    fails(&place, &["token", "--sub", "ann"], 2, &["--secret-file"]);
    fails(&place, &["token", "--sub", "ann", "--key", "short"], 2, &["no private key"]);
}
