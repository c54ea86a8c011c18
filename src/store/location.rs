//! Where a store is: a folder, or a prefix of an S3 bucket.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;

use crate::store::StoreError;
use crate::store::backend::files::Files;
use crate::store::backend::s3::{self, S3Options};

/// The place of a store. Holds no secret: credentials come from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of S3 or of anything that speaks like it; `AWS_*` variables say how to reach it.
    S3 {
        bucket: String,
        /// The prefix of all keys; may be empty.
        prefix: String,
        /// Settings of the connection to the server.
        options: S3Options,
    },
    /// This process's memory: gone with the last [`crate::store::Store`] that was opened on it.
    Memory,
}

/// Position of two places to each other, as far as their names tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Same,
    /// One lies inside the other.
    Nested,
    Apart,
}

impl FromStr for Location {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || StoreError::MalformedLocation(text.chars().take(200).collect());
        let Some(rest) = text.strip_prefix("s3://") else {
            let folder = !text.is_empty() && !text.contains("://");
            return if folder { Ok(Self::Folder(text.into())) } else { Err(malformed()) };
        };
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let options = options.parse().map_err(StoreError::MalformedOptions)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // A user part would be a secret in the wrong place.
        if bucket.is_empty() || bucket.contains(['@', ':']) {
            return Err(malformed());
        }
        let prefix = prefix.trim_matches('/').to_owned();
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix, options })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::S3 { bucket, prefix, .. } => write!(f, "s3://{bucket}/{prefix}"),
            Self::Memory => f.write_str("memory"),
        }
    }
}

impl Location {
    /// Names the server and the bucket, without secrets. The same bucket may have several names.
    pub(in crate::store) fn server(&self) -> Option<String> {
        let Self::S3 { bucket, options, .. } = self else { return None };
        Some(format!("{}/{bucket}", s3::server(&AmazonS3Builder::from_env(), options)))
    }

    /// Returns how the two places lie to each other. A folder need not exist; links are followed.
    #[must_use]
    pub fn relation(&self, other: &Self) -> Relation {
        match (self, other) {
            (Self::Folder(one), Self::Folder(other)) => relation(&real(one), &real(other)),
            (Self::S3 { prefix: one, .. }, Self::S3 { prefix: two, .. })
                if self.server() == other.server() =>
            {
                relation(Path::new(one), Path::new(two))
            }
            _ => Relation::Apart,
        }
    }

    /// The objects there. A folder must exist; `durable` makes every write wait for the disk.
    pub(in crate::store) fn objects(
        &self,
        durable: bool,
    ) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let failed = StoreError::object(format!("opening {self}"));
        match self {
            Self::Folder(path) => {
                let opening = || format!("opening the folder {}", path.display());
                let files = Files::below(path, durable).map_err(StoreError::io(opening()))?;
                Ok(Arc::new(files))
            }
            Self::S3 { bucket, prefix, options } => {
                let s3 = s3::connect(AmazonS3Builder::from_env(), bucket, options);
                Ok(Arc::new(PrefixStore::new(s3.map_err(failed)?, prefix.as_str())))
            }
            Self::Memory => Ok(Arc::new(InMemory::new())),
        }
    }
}

fn relation(one: &Path, other: &Path) -> Relation {
    if one == other {
        Relation::Same
    } else if one.starts_with(other) || other.starts_with(one) {
        Relation::Nested
    } else {
        Relation::Apart
    }
}

/// The folder without links, as far as it exists.
fn real(folder: &Path) -> PathBuf {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let found = folder
        .ancestors()
        .find_map(|above| Some(above.canonicalize().ok()?.join(folder.strip_prefix(above).ok()?)));
    found.unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_folder_and_s3_has_a_bucket_and_a_prefix() {
        let parse = |text: &str| text.parse::<Location>();
        assert_eq!(parse("/a/b").expect("a folder"), Location::Folder("/a/b".into()));
        let s3 = parse("s3://bucket/some/prefix/").expect("a bucket");
        assert_eq!(s3.to_string(), "s3://bucket/some/prefix");
        let asked = parse("s3://bucket/x?addressing=path&timeout=9").expect("a bucket");
        assert_eq!(asked.to_string(), "s3://bucket/x");
        assert!(parse("s3://bucket/x?timeout=soon").is_err());
        for wrong in ["", "s3://", "s3:///prefix", "s3://key:secret@bucket/x", "ftp://x"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
    #[test]
    fn two_places_are_apart_unless_one_is_in_the_other() {
        let relation = |one: &str, other: &str| {
            let parse = |text: &str| text.parse::<Location>().expect("a place");
            let (one, other) = (parse(one), parse(other));
            assert_eq!(one.relation(&other), other.relation(&one));
            one.relation(&other)
        };
        for (one, other, expected) in [
            ("/nowhere/a", "/nowhere/./a/", Relation::Same),
            ("/nowhere/a", "/nowhere/a/b/c", Relation::Nested),
            ("/nowhere/a", "/nowhere/ab", Relation::Apart),
            ("s3://b/x", "s3://b/x/", Relation::Same),
            ("s3://b/x", "s3://b/x/y", Relation::Nested),
            ("s3://b", "s3://b/y", Relation::Nested),
            ("s3://b/x", "s3://b/xy", Relation::Apart),
            ("s3://b/x", "s3://c/x", Relation::Apart),
            ("s3://b/x?endpoint=http://a", "s3://b/x?endpoint=http://b", Relation::Apart),
            ("s3://b/x?endpoint=http://a", "s3://b/x?endpoint=http://a&timeout=9", Relation::Same),
            ("/nowhere/a", "s3://b/nowhere/a", Relation::Apart),
        ] {
            assert_eq!(relation(one, other), expected, "{one} {other}");
        }
    }
}
