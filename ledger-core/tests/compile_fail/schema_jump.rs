//! A jump to a version that the history has not reached.

use ledger_core::{Json, Schema};

fn main() {
    let _ = Schema::typed(Json, 1)
        .upcast(2, |v: u8| u16::from(v))
        .jump(1, |v: u8| u32::from(v))
        .build();
}
