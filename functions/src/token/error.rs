//! Why a token does not say who somebody is.

/// Why a token was not accepted. Nothing of the token is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no signed JSON Web Token, or longer than any is.
    #[error("token is malformed")]
    Malformed,
    /// It is signed by another algorithm than the one configured, or by none.
    #[error("token is signed by an algorithm that is not accepted")]
    WrongAlgorithm,
    /// It names a key that the issuer does not have, or names none though the
    /// issuer has several.
    #[error("token is signed with an unknown key")]
    UnknownKey,
    /// Its signature does not fit.
    #[error("token has a wrong signature")]
    WrongSignature,
    /// It is from somebody else.
    #[error("token is from another issuer")]
    WrongIssuer,
    /// It is for somebody else.
    #[error("token is for another audience")]
    WrongAudience,
    /// Its time is over.
    #[error("token has expired")]
    Expired,
    /// Its time has not come.
    #[error("token is not valid yet")]
    NotYetValid,
    /// A claim is missing that must be there, or is not what it should be. One
    /// that the configuration names is told by its meaning.
    #[error("{0} is missing from the token, or of the wrong kind")]
    InvalidClaim(&'static str),
    /// The issuer's keys could not be fetched: the token may be valid.
    #[error("keys to verify tokens with are unavailable")]
    KeysUnavailable,
}

impl TokenError {
    /// Returns the reason as a word for logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::UnknownKey => "unknown_key",
            Self::WrongSignature => "wrong_signature",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::InvalidClaim(_) => "invalid_claim",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }

    /// Whether it is the bearer's fault; if not, it is ours or the issuer's,
    /// and the same token may be accepted later.
    #[must_use]
    pub fn is_bearers_fault(&self) -> bool {
        match self {
            Self::Malformed
            | Self::WrongAlgorithm
            | Self::UnknownKey
            | Self::WrongSignature
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::Expired
            | Self::NotYetValid
            | Self::InvalidClaim(_) => true,
            Self::KeysUnavailable => false,
        }
    }
}
