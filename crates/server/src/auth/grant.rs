//! What a token allows.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use twinstore_protocol::StreamId;
use wildmatch::WildMatchPattern;

use crate::limits;

/// `*` stands for any characters, slashes too; names hold no control characters, so that nothing
/// stands for one.
type Pattern = WildMatchPattern<'*', '\0'>;

/// What a caller may do.
#[derive(Clone, Debug)]
pub struct Grant {
    subject: Option<Arc<str>>,
    /// Seconds since 1970; with the clocks' skew on top.
    expires: Option<u64>,
    write: Arc<[Pattern]>,
    read: Arc<[Pattern]>,
    admin: bool,
    claims: Arc<Value>,
}

/// What a caller may do with one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Hear of its events, have its state and records.
    pub read: bool,
    /// Send actions.
    pub write: bool,
}

impl Rights {
    /// All of them.
    pub const ALL: Self = Self { read: true, write: true };
}

/// The claims that mean something here. Others are the model's.
#[derive(Deserialize)]
struct Known {
    sub: String,
    exp: f64,
    #[serde(default)]
    streams: Vec<String>,
    #[serde(default)]
    read: Vec<String>,
    #[serde(default)]
    admin: bool,
}

impl Grant {
    /// What anyone may where no token is asked for.
    #[must_use]
    pub fn everything() -> Self {
        let all: Arc<[Pattern]> = [Pattern::new("*")].into();
        Self {
            subject: None,
            expires: None,
            write: Arc::clone(&all),
            read: all,
            admin: true,
            claims: Arc::default(),
        }
    }

    /// What the admin token allows: to read everything, and to write nothing.
    pub(crate) fn admin() -> Self {
        Self { write: Arc::default(), read: Arc::default(), ..Self::everything() }
    }

    /// What these claims allow. None: they are not what they must be.
    #[must_use]
    pub fn of(claims: Value) -> Option<Self> {
        let known = Known::deserialize(&claims).ok()?;
        if !(1..=limits::SUBJECT_BYTES).contains(&known.sub.len()) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let expires = (known.exp as u64).saturating_add(limits::CLOCK_SKEW.as_secs());
        Some(Self {
            subject: Some(known.sub.into()),
            expires: Some(expires),
            write: known.streams.iter().map(|pattern| Pattern::new(pattern)).collect(),
            read: known.read.iter().map(|pattern| Pattern::new(pattern)).collect(),
            admin: known.admin,
            claims: Arc::new(claims),
        })
    }

    pub(crate) fn rights(&self, stream: &StreamId) -> Rights {
        let any = |patterns: &[Pattern]| patterns.iter().any(|p| p.matches(stream.as_str()));
        let write = any(&self.write);
        Rights { read: write || self.admin || any(&self.read), write }
    }

    /// Who it is; none where no token was asked for, or the admin token was brought.
    #[must_use]
    pub fn subject(&self) -> Option<&Arc<str>> {
        self.subject.as_ref()
    }

    /// When it ends, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// Whether it may analyse: everyone's events, the past and statistics.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.admin
    }

    /// All claims of its token, the model's as well.
    #[must_use]
    pub fn claims(&self) -> &Value {
        &self.claims
    }
}
