//! Documents of an encoding that is not known to have field names.

use ledger_core::{Codec, Schema};

fn history<C: Codec<u8> + Clone + 'static>(codec: C) {
    let _ = Schema::documents(codec, 1);
}

fn main() {}
