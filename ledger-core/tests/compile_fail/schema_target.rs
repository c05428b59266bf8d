//! A history that does not end at the type of the stream.

use ledger_core::{Json, Schema, SchemaError};

fn main() {
    let _: Result<Schema<u64>, SchemaError> =
        Schema::typed(Json, 1).upcast(2, |v: u8| u16::from(v)).build();
}
