//! The embedded log passes the conformance suite: with segments as they are by
//! default, and with tiny ones and hashes of ten bits, so that every case goes
//! through sealed segments, their indexes and collisions.

mod gate;
mod hooks;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use ledger_core::{Capabilities, Error, Kind, Result, Store, StoreOrder, StreamName};
use ledger_file::sim::{folder, open_threaded};
use ledger_file::{FileOptions, FileStore};
use ledger_storetest::{Harness, Hold, Obstacle, Setup};
use tempfile::TempDir;

use self::gate::Gate;

/// Segments of this length, and these bits of the hashes of keys.
struct File(u64, u64);

/// One process has a store open, so "another process" is another handle of the
/// same store. Once none is left the folder is opened again.
struct Place {
    folder: TempDir,
    gate: Gate,
    handles: Mutex<Vec<Weak<FileStore>>>,
}

impl Place {
    fn another(&self, options: &FileOptions) -> Option<Result<FileStore>> {
        let handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let open = handles.iter().filter_map(Weak::upgrade);
        let another = open.map(|handle| handle.another(options.clone()));
        another
            .into_iter()
            .find(|made| !matches!(made, Err(e) if *e.kind() == Kind::Closed))
    }
}

#[async_trait]
impl Harness for File {
    type Id = i64;
    type Place = Place;

    async fn fresh(&self) -> Result<Place> {
        let folder = TempDir::new();
        let folder = folder.map_err(|e| Error::new(Kind::Io, "no folder").caused_by(e))?;
        Ok(Place {
            folder,
            gate: Gate::default(),
            handles: Mutex::default(),
        })
    }

    async fn open(&self, place: &Place, setup: &Setup) -> Result<Arc<dyn Store<i64>>> {
        let options = FileOptions::new()
            .with_segment_bytes(self.0)
            .with_clock(setup.clock.clone())
            .with_deadline(setup.deadline);
        let store = match place.another(&options) {
            Some(another) => another?,
            None => loop {
                // A handle that was dropped gives the folder free a little later.
                let fs = place.gate.fs(folder(place.folder.path()));
                match open_threaded(fs, options.clone(), self.1).await {
                    Err(e) if *e.kind() == Kind::Locked => {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    opened => break opened?,
                }
            },
        };
        let store = Arc::new(store);
        let handles = place.handles.lock();
        handles
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::downgrade(&store));
        Ok(store)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new()
            .with_store_order(StoreOrder::Total)
            .with_list(true)
            .with_trim(true)
            .with_detached_reads(true)
    }

    fn impossible_ids(&self) -> Vec<i64> {
        vec![-1, i64::MIN]
    }

    fn future_id(&self) -> Option<i64> {
        Some(i64::MAX)
    }

    async fn seed_version(
        &self,
        place: &Place,
        stream: &StreamName,
        version: u64,
    ) -> Option<Result<()>> {
        Some(hooks::seed(&place.folder, stream, version).await)
    }

    async fn hold_appends(&self, place: &Place) -> Option<Result<Box<dyn Hold>>> {
        Some(Ok(place.gate.shut()))
    }

    async fn open_over(
        &self,
        place: &Place,
        obstacle: Obstacle,
        setup: &Setup,
    ) -> Option<Result<Arc<dyn Store<i64>>>> {
        hooks::open_over(&place.folder, obstacle, setup).await
    }
}

mod usual_segments {
    use super::File;

    ledger_storetest::conformance!(File(1024 * 1024, u64::MAX));
}

mod tiny_segments {
    use super::File;

    ledger_storetest::conformance!(File(8 * 1024, 1023));
}
