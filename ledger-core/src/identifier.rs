//! The one door for names of tables, collections and schemas.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, Result, Rule};
use crate::limits::check_len;

/// A checked identifier: `[a-z_][a-z0-9_]*`.
///
/// Backends build table, collection and schema names from this type only, so
/// that no unchecked text can reach a statement. It is lower case and needs no
/// quoting rules of its own; backends quote it all the same, since it may be a
/// keyword.
///
/// ```
/// use ledger_core::Identifier;
///
/// assert!(Identifier::prefix("billing").is_ok());
/// assert!(Identifier::prefix("Robert'); DROP TABLE students;--").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(Cow<'static, str>);

impl Identifier {
    /// The prefix of tables and collections unless another is chosen.
    pub const DEFAULT_PREFIX: Self = Self(Cow::Borrowed("ledger"));

    /// A prefix of table or collection names: at most 32 bytes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` that names the rule.
    pub fn prefix(text: impl Into<String>) -> Result<Self> {
        Self::checked("prefix", text.into(), 32)
    }

    /// The name of a database schema: at most 63 bytes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` that names the rule.
    pub fn schema(text: impl Into<String>) -> Result<Self> {
        Self::checked("schema name", text.into(), 63)
    }

    fn checked(field: &'static str, text: String, most: u64) -> Result<Self> {
        check_len(field, text.len(), 1, most)?;
        let first = !text.starts_with(|c: char| c.is_ascii_digit());
        let rest = text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if !(first && rest) {
            return Err(Error::invalid_input(field, Rule::Identifier, 0, 0));
        }
        Ok(Self(Cow::Owned(text)))
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Identifier;
    use crate::error::{Kind, Rule};

    fn rule(text: &str) -> Option<Rule> {
        match Identifier::prefix(text).err()?.kind() {
            Kind::InvalidInput { rule, .. } => Some(*rule),
            other => panic!("unexpected kind {other:?}"),
        }
    }

    #[test]
    fn only_lower_case_letters_digits_and_underscores_pass() {
        for good in ["a", "_", "ledger", "select", "a1_b2", &"a".repeat(32)] {
            assert_eq!(rule(good), None, "{good}");
        }
        for bad in [
            "1a", "A", "ä", "a-b", "a b", "a\"b", "a'b", "a;b", "a.b", "$a", "a\0b",
        ] {
            assert_eq!(rule(bad), Some(Rule::Identifier), "{bad:?}");
        }
        assert_eq!(rule(""), Some(Rule::AtLeastBytes));
        assert_eq!(rule(&"a".repeat(33)), Some(Rule::AtMostBytes));
        assert!(Identifier::schema("a".repeat(63)).is_ok());
        assert!(Identifier::schema("a".repeat(64)).is_err());
    }
}
