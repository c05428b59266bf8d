//! The tables, and opening them.

use ledger_core::backend::{StoreId, event};
use ledger_core::{Error, Kind, Result};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use crate::BACKEND;
use crate::error::{convert, corrupt};

/// The format of the tables below. In a table of its own, so that a release
/// can read it whatever a later one does to the others.
pub(crate) const FORMAT: TableDefinition<'_, (), u32> = TableDefinition::new("ledger_format");

/// The one row of facts about the store: its id, the highest entry id and the
/// highest stream number ever given out. Neither is taken from the entries:
/// after a trim of the newest one it would go back.
pub(crate) const META: TableDefinition<'_, (), MetaRow> = TableDefinition::new("ledger_meta");
type MetaRow = (&'static [u8; 16], i64, u64);

/// Stream by name: number, version, and when the last entry was recorded (µs).
/// redb compares texts by their bytes, which is the order of listings.
pub(crate) const STREAMS: TableDefinition<'_, &str, (u64, u64, i64)> =
    TableDefinition::new("ledger_streams");

/// Name by stream number, for reading the whole store.
pub(crate) const NAMES: TableDefinition<'_, u64, &str> = TableDefinition::new("ledger_names");

/// Entry by id, in the form of `record.rs`: the order of the whole store.
pub(crate) const ENTRIES: TableDefinition<'_, i64, &[u8]> = TableDefinition::new("ledger_entries");

/// Version by stream number and id: the order of each stream.
pub(crate) const INDEX: TableDefinition<'_, (u64, i64), u64> = TableDefinition::new("ledger_index");

/// Id by stream number and dedup key, of retained entries.
pub(crate) const DEDUP: TableDefinition<'_, (u64, &str), i64> =
    TableDefinition::new("ledger_dedup");

/// The format that this release writes, and the newest it reads.
const KNOWN: u32 = 1;

/// The row of [`META`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meta {
    pub(crate) store: StoreId,
    pub(crate) last_id: i64,
    pub(crate) last_stream: u64,
}

impl Meta {
    pub(crate) fn load(table: &impl ReadableTable<(), MetaRow>) -> Result<Self> {
        let row = table.get(()).map_err(convert)?;
        let row = row.ok_or_else(|| corrupt("the facts about the store are missing"))?;
        let (store, last_id, last_stream) = row.value();
        Ok(Self {
            store: StoreId::from_bytes(*store),
            last_id,
            last_stream,
        })
    }

    pub(crate) fn save(&self, table: &mut redb::Table<'_, (), MetaRow>) -> Result<()> {
        let row = (self.store.as_bytes(), self.last_id, self.last_stream);
        table.insert((), row).map_err(convert)?;
        Ok(())
    }
}

/// Creates the tables in a new file; otherwise checks the format.
pub(crate) fn prepare(db: &Database) -> Result<StoreId> {
    if let Some(store) = check(db)? {
        return Ok(store);
    }
    let tx = db.begin_write().map_err(convert)?;
    // Another handle may have been faster; from here on none can be.
    if tx.list_tables().map_err(convert)?.next().is_none() {
        let store = StoreId::random();
        tx.open_table(STREAMS).map_err(convert)?;
        tx.open_table(NAMES).map_err(convert)?;
        tx.open_table(ENTRIES).map_err(convert)?;
        tx.open_table(INDEX).map_err(convert)?;
        tx.open_table(DEDUP).map_err(convert)?;
        let meta = Meta {
            store,
            last_id: 0,
            last_stream: 0,
        };
        meta.save(&mut tx.open_table(META).map_err(convert)?)?;
        let mut format = tx.open_table(FORMAT).map_err(convert)?;
        format.insert((), KNOWN).map_err(convert)?;
        drop(format);
        tx.commit().map_err(convert)?;
        event::migrated(BACKEND, 0, KNOWN);
        return Ok(store);
    }
    drop(tx);
    check(db)?.ok_or_else(|| {
        let why = "the file holds other tables and no ledger; give the ledger a file of its own";
        Error::new(Kind::Misconfigured, why)
    })
}

/// The id of the store in this file, if there is one.
pub(crate) fn check(db: &Database) -> Result<Option<StoreId>> {
    let tx = db.begin_read().map_err(convert)?;
    let format = match tx.open_table(FORMAT) {
        Ok(table) => table.get(()).map_err(convert)?.map(|row| row.value()),
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(e) => return Err(convert(e)),
    };
    match format {
        None | Some(0) => Err(corrupt("the format of the store is missing")),
        Some(KNOWN) => Ok(Some(
            Meta::load(&tx.open_table(META).map_err(convert)?)?.store,
        )),
        Some(found) => Err(Error::new(
            Kind::NewerFormat {
                known: KNOWN,
                found,
            },
            "",
        )),
    }
}
