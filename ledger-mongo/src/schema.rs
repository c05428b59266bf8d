//! Collections, indexes, and the document that says whose they are.

use std::collections::HashSet;

use futures_util::TryStreamExt;
use ledger_core::backend::{StoreId, event};
use ledger_core::{Error, Kind, Result};
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};
use mongodb::options::IndexOptions;
use mongodb::{Database, IndexModel};

use crate::BACKEND;
use crate::config::Config;
use crate::error::{During, code_of, convert, corrupt};

/// The format that this release writes.
pub(crate) const FORMAT: u32 = 1;

const NAMESPACE_EXISTS: i32 = 48;
pub(crate) const DUPLICATE_KEY: i32 = 11_000;

/// The names of the collections of a store.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) entries: String,
    pub(crate) streams: String,
    pub(crate) meta: String,
    pub(crate) checkpoints: String,
}

/// The index that keeps dedup keys unique: errors name it.
pub(crate) const DEDUP_INDEX: &str = "ledger_dedup";
const ORDER_INDEX: &str = "ledger_order";
const NUMBER_INDEX: &str = "ledger_number";

impl Names {
    pub(crate) fn of(config: &Config) -> Self {
        let name = |what: &str| format!("{}_{what}", config.prefix);
        Self {
            entries: name("entries"),
            streams: name("streams"),
            meta: name("meta"),
            checkpoints: name("checkpoints"),
        }
    }

    fn all(&self) -> [&String; 4] {
        [&self.entries, &self.streams, &self.meta, &self.checkpoints]
    }

    fn indexes(&self) -> [(&String, &'static str, Document, bool, Option<Document>); 3] {
        [
            (
                &self.entries,
                DEDUP_INDEX,
                doc! { "stream": 1, "dedup_key": 1 },
                true,
                Some(doc! { "dedup_key": { "$gt": "" } }),
            ),
            (
                &self.entries,
                ORDER_INDEX,
                doc! { "stream": 1, "order_key": 1, "_id": 1 },
                false,
                Some(doc! { "order_key": { "$gt": "" } }),
            ),
            (&self.streams, NUMBER_INDEX, doc! { "no": 1 }, true, None),
        ]
    }
}

/// The identity of the store, if one is there.
pub(crate) async fn look(database: &Database, names: &Names) -> Result<Option<StoreId>> {
    let meta = database.collection::<Document>(&names.meta);
    let found = meta.find_one(doc! { "_id": "store" }).await;
    let Some(found) = found.map_err(|e| convert(&e, During::Read))? else {
        return Ok(None);
    };
    let format = match found.get("format") {
        Some(Bson::Int32(n)) => u32::try_from(*n).ok(),
        Some(Bson::Int64(n)) => u32::try_from(*n).ok(),
        _ => None,
    };
    let format = format.ok_or_else(|| corrupt("the format of the store"))?;
    if format > FORMAT {
        let newer = Kind::NewerFormat {
            known: FORMAT,
            found: format,
        };
        return Err(Error::new(newer, ""));
    }
    let id = found.get_binary_generic("id").ok();
    let id = id.and_then(|bytes| <[u8; 16]>::try_from(bytes.as_slice()).ok());
    let id = id.ok_or_else(|| corrupt("the identity of the store"))?;
    Ok(Some(StoreId::from_bytes(id)))
}

/// Makes what is missing. Harmless where several do it at once: the document
/// that says that all is there is written last, by whoever comes first.
pub(crate) async fn migrate(database: &Database, names: &Names) -> Result<StoreId> {
    if let Some(id) = look(database, names).await? {
        return Ok(id);
    }
    let failed = |e: mongodb::error::Error| convert(&e, During::Read);
    let entries = database.collection::<Document>(&names.entries);
    if entries.find_one(doc! {}).await.map_err(failed)?.is_some() {
        return Err(Error::new(
            Kind::Misconfigured,
            "there are entries but nothing that says which store they are of: the collections are \
             not the ledger's, or one of them was lost; choose another prefix, or restore it",
        )
        .with("collection", &names.entries));
    }
    for name in names.all() {
        match database.create_collection(name).await {
            Err(e) if code_of(&e) == Some(NAMESPACE_EXISTS) => {}
            done => done.map_err(failed)?,
        }
    }
    for (collection, name, keys, unique, partial) in names.indexes() {
        let mut options = IndexOptions::default();
        options.name = Some(name.to_owned());
        options.unique = unique.then_some(true);
        options.partial_filter_expression = partial;
        let model = IndexModel::builder().keys(keys).options(options).build();
        let collection = database.collection::<Document>(collection);
        collection.create_index(model).await.map_err(failed)?;
    }
    let counter = database
        .collection::<Document>(&names.meta)
        .update_one(
            doc! { "_id": "streams" },
            doc! { "$setOnInsert": { "next": 0_i64 } },
        )
        .upsert(true)
        .await;
    match counter {
        Err(e) if code_of(&e) != Some(DUPLICATE_KEY) => return Err(failed(e)),
        _ => {}
    }
    let id = Binary {
        subtype: BinarySubtype::Generic,
        bytes: StoreId::random().as_bytes().to_vec(),
    };
    let written = database
        .collection::<Document>(&names.meta)
        .update_one(
            doc! { "_id": "store" },
            doc! { "$setOnInsert": { "format": i64::from(FORMAT), "id": id } },
        )
        .upsert(true)
        .await;
    match written {
        Ok(done) if done.upserted_id.is_some() => event::migrated(BACKEND, 0, FORMAT),
        Err(e) if code_of(&e) != Some(DUPLICATE_KEY) => return Err(failed(e)),
        _ => {}
    }
    let id = look(database, names).await?;
    id.ok_or_else(|| corrupt("the collections, which vanish while they are made"))
}

/// Checks what the promises depend on: plain collections that compare by
/// bytes, and the indexes. Nothing of it is changed here.
pub(crate) async fn check(database: &Database, names: &Names) -> Result<()> {
    let failed = |e: mongodb::error::Error| convert(&e, During::Read);
    let wanted: Vec<_> = names.all().into_iter().cloned().collect();
    let listed = database
        .list_collections()
        .filter(doc! { "name": { "$in": wanted } })
        .await;
    let listed: Vec<_> = listed
        .map_err(failed)?
        .try_collect()
        .await
        .map_err(failed)?;
    for name in names.all() {
        let Some(found) = listed.iter().find(|found| found.name == *name) else {
            return Err(missing("a collection of the store is missing").with("collection", name));
        };
        let options = &found.options;
        if options.collation.is_some()
            || options.capped == Some(true)
            || options.timeseries.is_some()
        {
            return Err(Error::new(
                Kind::Misconfigured,
                "a collection of the store is capped, a time series, or has a collation: let the \
                 ledger make its collections itself",
            )
            .with("collection", name));
        }
    }
    for (collection, name, keys, unique, _) in names.indexes() {
        let found = database
            .collection::<Document>(collection)
            .list_indexes()
            .await;
        let found: Vec<_> = found.map_err(failed)?.try_collect().await.map_err(failed)?;
        let fits = found.iter().any(|index| {
            let options = index.options.as_ref();
            index.keys.keys().collect::<HashSet<_>>() == keys.keys().collect()
                && options.and_then(|o| o.name.as_deref()) == Some(name)
                && options.and_then(|o| o.unique).unwrap_or(false) == unique
        });
        if !fits {
            return Err(missing("an index of the store is missing or changed").with("index", name));
        }
    }
    Ok(())
}

fn missing(what: &'static str) -> Error {
    Error::new(Kind::Misconfigured, what)
}

/// The same, as a script for `mongosh`.
pub(crate) fn script(names: &Names) -> String {
    use std::fmt::Write;

    let mut text = String::new();
    for name in names.all() {
        let _ = writeln!(text, "db.createCollection({name:?});");
    }
    for (collection, name, keys, unique, partial) in names.indexes() {
        let mut options = doc! { "name": name };
        if unique {
            options.insert("unique", true);
        }
        if let Some(partial) = partial {
            options.insert("partialFilterExpression", partial);
        }
        let (keys, options) = (Bson::from(keys), Bson::from(options));
        let _ = writeln!(
            text,
            "db.getCollection({collection:?}).createIndex({keys}, {options});"
        );
    }
    let _ = writeln!(
        text,
        "db.getCollection({:?}).insertOne({{_id: \"streams\", next: NumberLong(0)}});",
        names.meta
    );
    let id = StoreId::random().to_string().replace('-', "");
    let _ = writeln!(
        text,
        "db.getCollection({:?}).insertOne({{_id: \"store\", format: {FORMAT}, id: HexData(0, {id:?})}});",
        names.meta
    );
    text
}
