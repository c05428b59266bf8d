//! What a codec of one's own has to keep: exact, or an error that is quiet.

use ledger_core::{Codec, ContentType, Kind, MemoryStore, Query, RawEntry, StoreExt, Stream};
use prost::Message;
use prost::bytes::Bytes;
use protobuf_codec::{ORDERS, Order, OrderV1, Protobuf, order::Payment};

fn order() -> Order {
    Order {
        customer: "é\0".to_owned(),
        cents: u64::MAX,
        currency: String::new(),
        payment: Some(Payment::Invoice("7".to_owned())),
    }
}

#[test]
fn messages_come_back() {
    let written = Protobuf.encode(&order()).unwrap();
    assert_eq!(written.content_type, Protobuf::CONTENT_TYPE);
    assert_eq!(written.payload, order().encode_to_vec());
    let read: Order = Protobuf
        .decode(&written.content_type, &written.payload)
        .unwrap();
    assert_eq!(read, order());
    assert!(!Codec::<Order>::accepts(&Protobuf, &ContentType::JSON));
}

#[test]
fn no_bytes_make_it_panic_and_errors_tell_no_values() {
    let written = Protobuf.encode(&order()).unwrap().payload;
    for cut in 0..written.len() {
        let _ = Codec::<Order>::decode(&Protobuf, &Protobuf::CONTENT_TYPE, &written.slice(..cut));
    }
    let wrong = Bytes::from_static(b"\x0a\x06s3cre\xff");
    let error = Codec::<Order>::decode(&Protobuf, &Protobuf::CONTENT_TYPE, &wrong).unwrap_err();
    assert_eq!(*error.kind(), Kind::Decode);
    assert!(!format!("{error:?}").contains("s3cre"), "{error:?}");
}

#[test]
fn the_first_release_is_brought_up_or_refused() {
    let read = |amount| -> ledger_core::Result<Vec<u64>> {
        let old = OrderV1 {
            customer: "ann".to_owned(),
            amount,
        };
        let stored = Bytes::from(old.encode_to_vec());
        let mut orders = Vec::new();
        ORDERS.decode(1, &Protobuf::CONTENT_TYPE, &stored, &mut |order| {
            orders.push(order.cents);
            Ok(())
        })?;
        Ok(orders)
    };
    assert_eq!(read(12.5).unwrap(), [1250]);
    for amount in [-1.0, f64::NAN, 1e300] {
        assert_eq!(*read(amount).unwrap_err().kind(), Kind::Decode);
    }
}

#[tokio::test]
async fn a_stream_says_whether_it_can_be_read() {
    let store = MemoryStore::new();
    let orders = Stream::<i64, Order, _>::with_schema(&store, "orders", &ORDERS);
    orders.append(order()).await.unwrap();
    store
        .stream::<String>("orders")
        .append("json".to_owned())
        .await
        .unwrap();
    let report = orders.check(Query::new()).await.unwrap();
    assert_eq!((report.entries, report.unreadable), (2, 1));
    let entry = ORDERS.encode(&order()).unwrap();
    assert!(matches!(
        entry,
        RawEntry {
            schema_version: 2,
            ..
        }
    ));
}
