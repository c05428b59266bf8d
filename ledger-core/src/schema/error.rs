//! Why a history is not one.

use std::fmt;

/// A schema whose history contradicts itself; found when it is built.
///
/// Gaps, cycles and steps that do not fit each other's types never get here:
/// they do not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaError {
    /// A version that no entry can carry: 0, or above 2³¹−1.
    VersionOutOfRange {
        /// The version.
        version: u32,
    },
    /// A step that does not lead to a greater version.
    NotAscending {
        /// The version before the step.
        after: u32,
        /// The version the step should lead to.
        version: u32,
    },
    /// A jump from a version that is not an older one of this history.
    UnknownJump {
        /// The version to jump from.
        from: u32,
    },
    /// A second jump from the same version.
    RepeatedJump {
        /// The version to jump from.
        from: u32,
    },
    /// A [`FieldMapper`](crate::FieldMapper) that contradicts itself.
    Fields {
        /// The version its step leads to.
        version: u32,
        /// The name of the field.
        field: String,
        /// What is wrong.
        conflict: FieldConflict,
    },
}

/// Two operations of one [`FieldMapper`](crate::FieldMapper) that cannot both
/// be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldConflict {
    /// Renamed twice.
    RenamedTwice,
    /// Two fields renamed to it.
    RenamedToTwice,
    /// Renamed to its own name.
    RenamedToItself,
    /// Renamed and removed.
    RenamedAndRemoved,
    /// Removed twice.
    RemovedTwice,
    /// Two defaults.
    DefaultTwice,
    /// A default that cannot be written as JSON, such as NaN.
    UnwritableDefault,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VersionOutOfRange { version } => {
                write!(
                    f,
                    "schema version {version} is not between 1 and 2147483647"
                )
            }
            Self::NotAscending { after, version } => {
                write!(
                    f,
                    "a step from version {after} cannot lead to version {version}"
                )
            }
            Self::UnknownJump { from } => {
                write!(
                    f,
                    "a jump from version {from}, which is not an older version of the schema"
                )
            }
            Self::RepeatedJump { from } => write!(f, "a second jump from version {from}"),
            Self::Fields {
                version,
                field,
                conflict,
            } => {
                write!(
                    f,
                    "in the step to version {version}, field `{field}` {conflict}"
                )
            }
        }
    }
}

impl fmt::Display for FieldConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RenamedTwice => "is renamed twice",
            Self::RenamedToTwice => "is the new name of two fields",
            Self::RenamedToItself => "is renamed to itself",
            Self::RenamedAndRemoved => "is both renamed and removed",
            Self::RemovedTwice => "is removed twice",
            Self::DefaultTwice => "has two defaults",
            Self::UnwritableDefault => "has a default that JSON cannot hold",
        })
    }
}

impl std::error::Error for SchemaError {}
