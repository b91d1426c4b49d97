//! Why someone is not let in, as it is told.

use twinstore_protocol::code;

/// Why someone is not let in. It says nothing about what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is none.
    #[error("a token is needed here")]
    NoToken,
    /// It is none, or its signature, issuer, audience or time is wrong.
    #[error("the token is not good here")]
    BadToken,
    /// No key that is known here signed it.
    #[error("the token is not good here")]
    UnknownKey,
    /// It was good once.
    #[error("the token has expired: bring a new one")]
    Expired,
    /// The token does not allow it, or the model does not.
    #[error("the token does not allow this")]
    Forbidden,
    /// A socket is one subject's.
    #[error("this socket is another subject's: open one for each")]
    OtherSubject,
}

impl Denied {
    /// Its code on the wire.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoToken | Self::BadToken | Self::UnknownKey => code::UNAUTHORIZED,
            Self::Expired => code::EXPIRED,
            Self::Forbidden | Self::OtherSubject => code::FORBIDDEN,
        }
    }
}
