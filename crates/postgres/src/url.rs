//! How a database is named, and what may not be shown of it.

use std::fmt;
use std::str::FromStr;

use tokio_postgres::Config;
use twinstore_server::log::BackendError;

use crate::OpenError;

/// Where a database is: a URL, `postgres://USER@HOST/DATABASE`, or libpq's `host=… user=…`.
///
/// Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(String);

impl Url {
    /// As `tokio_postgres` reads it.
    pub(crate) fn config(&self) -> Result<Config, OpenError> {
        // `require` looks at the certificate and at the name in it: it is all three.
        let text = ["verify-full", "verify-ca"].iter().fold(self.0.clone(), |text, mode| {
            text.replace(&format!("sslmode={mode}"), "sslmode=require")
        });
        Config::from_str(&text).map_err(|error| OpenError::Url(said(error)))
    }
}

impl FromStr for Url {
    type Err = OpenError;

    /// With or without `postgres:` before it.
    fn from_str(text: &str) -> Result<Self, OpenError> {
        let scheme = |text: &str| text.split_once(':').map(|(scheme, _)| scheme.to_owned());
        let is_ours = |scheme: &str| matches!(scheme, "postgres" | "postgresql");
        let rest = match text.split_once(':') {
            Some((first, rest)) if is_ours(first) && !rest.starts_with("//") => rest,
            _ => text,
        };
        let is_url = scheme(rest).is_some_and(|scheme| is_ours(&scheme));
        if !is_url && (rest.contains("://") || !rest.contains('=')) {
            return Err(OpenError::Url("it is neither a URL nor host=… user=…".into()));
        }
        let url = Self(rest.to_owned());
        url.config()?;
        Ok(url)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        let is_open = |word: &&str| !word.trim_start().starts_with("password");
        return text.split_whitespace().filter(is_open).collect::<Vec<_>>().join(" ");
    };
    let (rest, options) = rest.split_once('?').map_or((rest, None), |(r, o)| (r, Some(o)));
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => {
            format!("{}@{host}", user.split_once(':').map_or(user, |(user, _)| user))
        }
        None => rest.to_owned(),
    };
    let options: Vec<_> = options
        .into_iter()
        .flat_map(|options| options.split('&'))
        .filter(|option| !option.starts_with("password="))
        .collect();
    match options.is_empty() {
        true => format!("{scheme}://{rest}"),
        false => format!("{scheme}://{rest}?{}", options.join("&")),
    }
}

/// An error with its causes.
fn said(error: tokio_postgres::Error) -> BackendError {
    let cause = error.into_source();
    cause.unwrap_or_else(|| "it cannot be read".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_a_user_types() {
        let shown = |text: &str| text.parse::<Url>().map(|url| url.to_string()).unwrap();
        for url in ["postgres://ann@db/app", "postgresql://ann@db:5433/app?sslmode=require"] {
            assert_eq!(shown(url), url);
            assert_eq!(shown(&format!("postgres:{url}")), url);
        }
        assert_eq!(shown("postgres:host=db user=ann"), "host=db user=ann");
        for wrong in ["postgres:", "postgres:app", "postgres:mysql://x/y", "http://x", ""] {
            assert!(wrong.parse::<Url>().is_err(), "{wrong}");
        }
        assert!("postgres://ann@db/app?wrong=1".parse::<Url>().is_err());
    }

    #[test]
    fn a_password_is_not_shown() {
        for url in [
            "postgres://ann:secret@db/app?sslmode=require",
            "postgres://ann@db/app?password=secret&sslmode=require",
            "postgres:host=db password=secret user=ann",
            "postgres://ann:se@cret@db/app",
        ] {
            let Ok(url) = url.parse::<Url>() else { continue };
            assert!(!format!("{url} {url:?}").contains("cret"), "{url}");
        }
    }

    #[test]
    fn all_that_verifies_is_require() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url: Url = format!("postgres://db/app?sslmode={mode}").parse().unwrap();
            assert_eq!(
                url.config().unwrap().get_ssl_mode(),
                tokio_postgres::config::SslMode::Require
            );
        }
    }
}
