//! A schema, ready to write and to read.

use std::fmt;

use bytes::Bytes;

use super::documents::Documents;
use super::history::History;
use super::newer::NewerPolicy;
use crate::codec::{Codec, SelfDescribing};
use crate::content_type::ContentType;
use crate::error::{Error, Kind, Result};
use crate::raw_entry::RawEntry;

/// Reads an older version's payload and brings its values up to `T`.
pub(super) type Read<T> =
    Box<dyn Fn(&ContentType, &Bytes, &mut dyn FnMut(T) -> Result<()>) -> Result<()> + Send + Sync>;

/// An older version of a schema.
pub(super) struct Older<T> {
    pub(super) version: u32,
    pub(super) jumped: bool,
    pub(super) read: Read<T>,
}

/// What is written today, and how everything older is read as today's type.
///
/// A schema has a current version, which is stamped on every entry it writes,
/// a codec, and a way up from each older version. It is built once, usually
/// into a `static`, and shared by all handles. Reading changes nothing that
/// is stored: an old entry stays as it is and is brought up on each read.
///
/// There are two kinds of history. Build one
///
/// * by [`Schema::typed`], if the old Rust types are kept: a step is a
///   function from one to the next, and one that does not fit its neighbours
///   does not compile;
/// * by [`Schema::documents`], if they are not: a step renames, removes and
///   fills in fields, or changes a [`Document`](crate::Document). It needs
///   an encoding with field names, such as [`Json`](crate::Json), and may go
///   on with typed steps.
///
/// ```
/// use std::sync::LazyLock;
///
/// use ledger_core::{ContentType, Json, Schema};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct OrderV1 { customer: String, amount: f64 }
///
/// #[derive(Serialize, Deserialize)]
/// struct OrderV2 { customer: String, cents: i64 }
///
/// #[derive(Serialize, Deserialize)]
/// struct Order { customer: String, cents: i64, currency: String }
///
/// static ORDERS: LazyLock<Schema<Order>> = LazyLock::new(|| {
///     Schema::typed(Json, 1)
///         .upcast(2, |o: OrderV1| OrderV2 {
///             customer: o.customer,
///             cents: (o.amount * 100.0).round() as i64,
///         })
///         .upcast(3, |o| Order {
///             customer: o.customer,
///             cents: o.cents,
///             currency: "EUR".into(),
///         })
///         .build()
///         .expect("versions ascend")
/// });
///
/// let stored = br#"{"customer":"ada","amount":12.5}"#[..].into();
/// let mut orders = Vec::new();
/// ORDERS.decode(1, &ContentType::JSON, &stored, &mut |order| Ok(orders.push(order)))?;
/// assert_eq!((orders[0].cents, orders[0].currency.as_str()), (1250, "EUR"));
///
/// let entry = ORDERS.encode(&orders[0])?;
/// assert_eq!(entry.schema_version, 3);
/// # Ok::<(), ledger_core::Error>(())
/// ```
///
/// The same without the old types:
///
/// ```
/// # use ledger_core::{ContentType, FieldMapper, Json, Schema};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)]
/// # struct Order { customer: String, cents: i64, currency: String }
/// let schema = Schema::documents(Json, 1)
///     .change(2, |order| {
///         let amount: f64 = order.take("amount")?.unwrap_or(0.0);
///         order.set("cents", &((amount * 100.0).round() as i64))
///     })
///     .fields(3, FieldMapper::new().default_value("currency", "EUR"))
///     .read_as::<Order>()
///     .build()?;
/// # let stored = br#"{"customer":"ada","amount":12.5}"#[..].into();
/// # let mut orders = Vec::new();
/// # schema.decode(1, &ContentType::JSON, &stored, &mut |order| Ok(orders.push(order)))?;
/// # assert_eq!((orders[0].cents, orders[0].currency.as_str()), (1250, "EUR"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Schema<T: 'static> {
    version: u32,
    codec: Box<dyn Codec<T>>,
    /// In ascending order.
    older: Box<[Older<T>]>,
    newer: NewerPolicy,
}

impl<T: 'static> Schema<T> {
    /// Starts a history whose old versions have Rust types. `version` is the
    /// first version that was ever written, from 1 on.
    pub fn typed<C>(codec: C, version: u32) -> History<T, C>
    where
        C: Codec<T> + Clone + 'static,
    {
        History::start(codec, version)
    }

    pub(super) fn new(
        version: u32,
        codec: Box<dyn Codec<T>>,
        older: Vec<Older<T>>,
        newer: NewerPolicy,
    ) -> Self {
        Self {
            version,
            codec,
            older: older.into(),
            newer,
        }
    }

    /// The current version, which every entry is stamped with.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether entries of this version are left out, by
    /// [`NewerPolicy::Skip`].
    #[must_use]
    pub fn skips(&self, version: u32) -> bool {
        self.newer == NewerPolicy::Skip && version > self.version
    }

    /// An entry of the current version.
    ///
    /// # Errors
    ///
    /// Those of [`Codec::encode`].
    pub fn encode(&self, value: &T) -> Result<RawEntry> {
        let written = self.codec.encode(value)?;
        Ok(RawEntry::new(
            written.content_type,
            self.version,
            written.payload,
        ))
    }

    /// Reads a stored payload of any known version and hands its values, in
    /// order, to `out`: exactly one, unless the history
    /// [splits](History::split) the version, and then any number. None of a
    /// version that is [skipped](Self::skips).
    ///
    /// It takes a look-up of the version (logarithmic in their number) and
    /// the steps from there on; the payload is parsed once.
    ///
    /// # Errors
    ///
    /// * [`NewerVersion`](Kind::NewerVersion) above the current version: a
    ///   newer release wrote it, and what it means is not known here; unless
    ///   the schema has another [policy](NewerPolicy).
    /// * [`Decode`](Kind::Decode) for an older version that the history does
    ///   not declare, for a content type that the codec does not accept
    ///   (context `"content_type"`), and for what the codec or a step
    ///   refuses. They carry the context `"schema_version"`.
    /// * What `out` answers, as it is; reading then stops.
    ///
    /// `out` may have been called before an error comes.
    pub fn decode(
        &self,
        version: u32,
        content_type: &ContentType,
        payload: &Bytes,
        out: &mut dyn FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let known = Known {
            current: self.version,
            older: &self.older,
            newer: self.newer,
        };
        read_version(&*self.codec, known, version, (content_type, payload), out)
    }
}

impl Schema<()> {
    /// Starts a history whose old versions are documents. `version` is the
    /// first version that was ever written, from 1 on.
    ///
    /// The codec must write field names ([`SelfDescribing`]).
    pub fn documents<C>(codec: C, version: u32) -> Documents<C>
    where
        C: SelfDescribing + Clone + 'static,
    {
        Documents::start(codec, version)
    }
}

impl<T: 'static> fmt::Debug for Schema<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let older: Vec<u32> = self.older.iter().map(|older| older.version).collect();
        f.debug_struct("Schema")
            .field("version", &self.version)
            .field("older", &older)
            .finish_non_exhaustive()
    }
}

/// Decodes if the codec accepts the content type.
pub(super) fn decode<T>(
    codec: &(impl Codec<T> + ?Sized),
    content_type: &ContentType,
    payload: &Bytes,
) -> Result<T> {
    if !codec.accepts(content_type) {
        return Err(not_accepted(content_type));
    }
    codec.decode(content_type, payload)
}

#[cold]
pub(super) fn not_accepted(content_type: &ContentType) -> Error {
    Error::new(Kind::Decode, "the codec does not read this content type")
        .with("content_type", content_type)
}

/// The versions that a schema knows, and what it does with others.
pub(super) struct Known<'s, T> {
    pub(super) current: u32,
    pub(super) older: &'s [Older<T>],
    pub(super) newer: NewerPolicy,
}

/// What [`Schema::decode`] says.
pub(super) fn read_version<T>(
    codec: &dyn Codec<T>,
    Known {
        current,
        older,
        newer,
    }: Known<'_, T>,
    version: u32,
    (content_type, payload): (&ContentType, &Bytes),
    out: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    if version == current || (version > current && newer == NewerPolicy::ReadAsCurrent) {
        let value = decode(codec, content_type, payload);
        return out(value.map_err(|e| e.with("schema_version", version))?);
    }
    if version > current && newer == NewerPolicy::Skip {
        return Ok(());
    }
    if version > current {
        return Err(Error::new(
            Kind::NewerVersion {
                known: current,
                found: version,
            },
            "",
        ));
    }
    let Ok(at) = older.binary_search_by_key(&version, |older| older.version) else {
        return Err(undeclared(version, current, older));
    };
    // The answer of `out` goes around the steps, which know only their own.
    let mut answer = Ok(());
    let read = (older[at].read)(content_type, payload, &mut |value| {
        out(value).map_err(|e| {
            answer = Err(e);
            Error::new(Kind::Internal, "the reader stopped")
        })
    });
    answer?;
    read.map_err(|e| e.with("schema_version", version))
}

#[cold]
fn undeclared<T>(version: u32, current: u32, older: &[Older<T>]) -> Error {
    let known: Vec<String> = older
        .iter()
        .map(|older| older.version.to_string())
        .collect();
    let message = if known.is_empty() {
        format!("the schema reads version {current} only")
    } else {
        format!(
            "the schema reads versions {} and {current} only",
            known.join(", ")
        )
    };
    Error::new(Kind::Decode, message).with("schema_version", version)
}
