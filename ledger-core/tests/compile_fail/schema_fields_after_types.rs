//! A field step behind a typed one, which would have to write the value again.

use ledger_core::{FieldMapper, Json, Schema};

fn main() {
    let _ = Schema::typed(Json, 1)
        .upcast(2, |v: u8| u16::from(v))
        .fields(3, FieldMapper::new());
}
