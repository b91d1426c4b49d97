//! The password where the URL has none: `PGPASSWORD`, else libpq's file (`PGPASSFILE`, `~/.pgpass`).

use std::env;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

const USUAL_PORT: u16 = 5432;

/// The password for these settings.
pub(crate) fn password(config: &Config) -> Option<String> {
    if let Ok(password) = env::var("PGPASSWORD") {
        return Some(password);
    }
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".pgpass"));
    let file = env::var_os("PGPASSFILE").map(PathBuf::from).or_else(home)?;
    in_file(&std::fs::read_to_string(file).ok()?, config)
}

/// The password of the first line `host:port:database:user:password` that is about them.
fn in_file(text: &str, config: &Config) -> Option<String> {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(_)) | None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().unwrap_or(&USUAL_PORT).to_string();
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    let wanted = [&host, &port, database, user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (password, keys) = fields.split_last().filter(|(_, keys)| keys.len() == 4)?;
        let is_meant = keys.iter().zip(wanted).all(|(key, wanted)| key == "*" || key == wanted);
        is_meant.then(|| password.clone())
    })
}

/// Separated by colons; a backslash takes the meaning from the character behind it.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let last = fields.last_mut().expect("there is one from the beginning");
        match c {
            ':' => fields.push(String::new()),
            '\\' => last.extend(chars.next()),
            other => last.push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_is_meant() {
        let file = "# passwords\nother:*:*:*:no\ndb:5432:app:ann:s\\:ecret\n*:*:*:*:any\n";
        let of = |url: &str| in_file(file, &url.parse().unwrap());
        assert_eq!(of("postgres://ann@db/app").as_deref(), Some("s:ecret"));
        assert_eq!(of("postgres://bob@db/app").as_deref(), Some("any"));
        assert_eq!(in_file("db:5432:app:ann", &"postgres://ann@db/app".parse().unwrap()), None);
    }
}
