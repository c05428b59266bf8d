//! A step that is left out: the next one takes a type nobody makes.

use ledger_core::{Json, Schema};

fn widen(v: u32) -> u64 {
    v.into()
}

fn main() {
    let _ = Schema::typed(Json, 1)
        .upcast(2, |v: u8| u16::from(v))
        .upcast(4, |v| widen(v))
        .build();
}
