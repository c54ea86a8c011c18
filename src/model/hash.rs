//! SHA-256 values: each kind of thing that is named by one has a type of its own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("invalid SHA-256 value {0:?}; expected 64 hexadecimal digits")]
pub struct HashParseError(String);

/// Defines a SHA-256 value; written as 64 lower-case hexadecimal digits.
macro_rules! sha256 {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The hash of these bytes.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                Self(Sha256::digest(bytes).into())
            }

            /// The first twelve digits: enough for people to tell two hashes apart.
            #[must_use]
            pub fn short(&self) -> String {
                hex::encode(&self.0[..6])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = HashParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(parse(text)?))
            }
        }

        impl TryFrom<String> for $name {
            type Error = HashParseError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(hash: $name) -> Self {
                hash.to_string()
            }
        }
    };
}

sha256! {
    /// The SHA-256 of some bytes that have no name of their own.
    Hash
}

sha256! {
    /// The state of the rows and tables of a database: two equal ones hold the same rows.
    Fingerprint
}

sha256! {
    /// The name of a chunk: the SHA-256 of its uncompressed bytes, type tag included. That of the root
    /// node is the root hash of its tree.
    ChunkId
}

sha256! {
    /// The name of a pack: the SHA-256 of the whole file.
    PackId
}

fn parse(text: &str) -> Result<[u8; 32], HashParseError> {
    let mut bytes = [0; 32];
    let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
    if upper || hex::decode_to_slice(text, &mut bytes).is_err() {
        return Err(HashParseError(text.chars().take(80).collect()));
    }
    Ok(bytes)
}
