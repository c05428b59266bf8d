//! Protobuf messages in an event stream, by a codec of one's own.
//!
//! [`Protobuf`] is all there is to it: it writes and reads any message of
//! `prost`. [`ORDERS`] is a schema that uses it, with two versions of its
//! message. The messages are declared in Rust, so no `protoc` is needed;
//! those that `prost-build` makes from `.proto` files work alike.

mod codec;
mod messages;

use std::sync::LazyLock;

pub use codec::Protobuf;
pub use messages::{Order, OrderV1, order};

use ledger_core::{Error, Kind, Result, Schema};

/// What is written today, and how the entries of the first release are read.
///
/// Protobuf does not name its fields in the payload, so the steps are typed:
/// the message of the first release stays in the code.
///
/// A field that is only *added* needs no new version; protobuf has defaults
/// for that. This one changed what an amount means.
pub static ORDERS: LazyLock<Schema<Order>> = LazyLock::new(|| {
    Schema::typed(Protobuf, 1)
        .try_upcast(2, upcast)
        .build()
        .expect("the versions ascend")
});

fn upcast(old: OrderV1) -> Result<Order> {
    let cents = (old.amount * 100.0).round();
    if !(0.0..=9e15).contains(&cents) {
        return Err(Error::new(Kind::Decode, "not an amount of money"));
    }
    Ok(Order {
        customer: old.customer,
        cents: cents as u64,
        currency: "EUR".to_owned(),
        payment: None,
    })
}
