//! Compression: what is left alone, what is refused, and dictionaries.

use bytes::Bytes;
use ledger_core::{Codec, ContentType, Error, Json, Kind, Raw, Result, SelfDescribing, Zstd};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

const JSON_ZSTD: ContentType = ContentType::from_static("application/json+zstd");
const RAW_ZSTD: ContentType = ContentType::from_static("application/octet-stream+zstd");

/// Trained on 2,000 orders each, by `zstd::dict::from_samples`.
const FIRST: &[u8] = include_bytes!("orders-1.zdict");
const SECOND: &[u8] = include_bytes!("orders-2.zdict");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    customer: String,
    cents: u64,
    currency: String,
    note: String,
}

fn order() -> Order {
    Order {
        customer: "customer-4711".into(),
        cents: 1_250,
        currency: "EUR".into(),
        note: "as last time".into(),
    }
}

fn compressed<C: Codec<T>, T>(codec: &C, value: &T) -> Option<Bytes> {
    let written = codec.encode(value).unwrap();
    let is_compressed = written.content_type.as_str().ends_with("+zstd");
    is_compressed.then_some(written.payload)
}

#[test]
fn what_is_small_or_does_not_become_smaller_is_left_alone() {
    let noise = |len: usize| {
        let mut seed = 1_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as u8
        };
        Bytes::from((0..len).map(|_| next()).collect::<Vec<u8>>())
    };
    let codec = Zstd::new(Raw);
    assert_eq!(compressed(&codec, &Bytes::from(vec![0; 63])), None);
    assert!(compressed(&codec, &Bytes::from(vec![0; 64])).is_some());
    assert_eq!(compressed(&codec, &noise(10_000)), None);
    assert_eq!(codec.encode(&noise(100)).unwrap().payload, noise(100));
}

#[test]
fn every_level_reads_every_other() {
    let value = vec!["the same again".to_owned(); 50];
    for level in [i32::MIN, -5, 0, 1, 22, i32::MAX] {
        let written = Zstd::new(Json).level(level).encode(&value).unwrap();
        // The fastest one of all finds nothing to repeat.
        let fastest = level == i32::MIN;
        assert_eq!(written.content_type == JSON_ZSTD, !fastest, "{level}");
        let read: Vec<String> = Zstd::new(Json)
            .decode(&written.content_type, &written.payload)
            .unwrap();
        assert_eq!(read, value);
    }
}

#[test]
fn only_what_the_inner_codec_reads_is_accepted() {
    let codec = Zstd::new(Json);
    let accepts = |text| {
        let content_type = ContentType::parse(text).unwrap();
        assert_eq!(
            Codec::<u8>::accepts(&codec, &content_type),
            codec.knows(&content_type)
        );
        codec.knows(&content_type)
    };
    assert!(accepts("application/json") && accepts("application/json+zstd"));
    assert!(!accepts("application/cbor+zstd") && !accepts("+zstd"));
    assert!(!accepts("application/json+zstd+zstd"));
    assert!(!Codec::<u8>::accepts(&Json, &JSON_ZSTD));
}

fn unpack(codec: &Zstd<Raw>, frame: &[u8]) -> Result<Bytes> {
    codec.decode(&RAW_ZSTD, &Bytes::copy_from_slice(frame))
}

#[track_caller]
fn is_refused(codec: &Zstd<Raw>, frame: &[u8], why: &str) -> Error {
    let error = unpack(codec, frame).unwrap_err();
    assert_eq!(*error.kind(), Kind::Decode);
    assert!(error.to_string().contains(why), "{error}");
    error
}

/// A few bytes that become 8 MiB are read, one more is refused unread.
#[test]
fn a_bomb_is_refused() {
    let roomy = Zstd::new(Raw).at_most(u64::MAX);
    let codec = Zstd::new(Raw);
    let most = Bytes::from(vec![0; 8 << 20]);
    let frame = compressed(&codec, &most).unwrap();
    assert!(frame.len() < 1000);
    assert_eq!(unpack(&codec, &frame).unwrap(), most);

    let bomb = Bytes::from(vec![0; (8 << 20) + 1]);
    assert_eq!(compressed(&codec, &bomb), None);
    let frame = compressed(&roomy, &bomb).unwrap();
    let error = is_refused(&codec, &frame, "greater than the limit");
    assert_eq!(error.context("limit"), Some("8388608"));
    assert_eq!(unpack(&roomy, &frame).unwrap(), bomb);

    // One whose head tells less than it holds.
    let mut liar = compressed(&codec, &most).unwrap().to_vec();
    let size = 4 << 20_u32;
    let at = liar
        .windows(4)
        .position(|bytes| bytes == (8_u32 << 20).to_le_bytes())
        .unwrap();
    liar[at..at + 4].copy_from_slice(&u32::to_le_bytes(size));
    is_refused(&codec, &liar, "damaged");
}

#[test]
fn what_is_no_frame_or_more_than_one_is_refused() {
    let codec = Zstd::new(Raw);
    let frame = compressed(&codec, &Bytes::from(vec![7; 1000])).unwrap();
    is_refused(&codec, b"", "not a Zstandard frame");
    is_refused(&codec, b"not compressed at all", "not a Zstandard frame");
    is_refused(&codec, &frame[..frame.len() - 1], "damaged");
    is_refused(&codec, &[&frame[..], b"x"].concat(), "more behind it");
    is_refused(&codec, &[&frame[..], &frame].concat(), "more behind it");
    // A frame to be skipped, which the library would overlook.
    let skipped = b"\x50\x2a\x4d\x18\x01\0\0\0x";
    is_refused(&codec, &[&frame[..], skipped].concat(), "more behind it");
    is_refused(&codec, skipped, "");
}

#[test]
fn a_dictionary_makes_small_entries_smaller() {
    let plain = Zstd::new(Json);
    let trained = Zstd::new(Json).dictionary(FIRST).unwrap();
    let without = plain.encode(&order()).unwrap();
    let with = trained.encode(&order()).unwrap();
    assert_eq!(with.content_type, JSON_ZSTD);
    assert!(
        with.payload.len() * 2 < without.payload.len(),
        "{} and {}",
        with.payload.len(),
        without.payload.len()
    );
    // What was written before there was a dictionary is still read.
    for written in [with, without] {
        let read: Order = trained
            .decode(&written.content_type, &written.payload)
            .unwrap();
        assert_eq!(read, order());
    }
}

#[test]
fn a_dictionary_can_be_changed_and_a_missing_one_is_named() {
    let first = Zstd::new(Json).dictionary(FIRST).unwrap();
    let second = Zstd::new(Json).dictionary(SECOND).unwrap().level(19);
    let both = second.clone().former_dictionary(FIRST).unwrap();
    let old = first.encode(&order()).unwrap().payload;
    let new = both.encode(&order()).unwrap().payload;
    for payload in [&old, &new] {
        let read: Order = both.decode(&JSON_ZSTD, payload).unwrap();
        assert_eq!(read, order());
    }
    let read: Result<Order> = second.decode(&JSON_ZSTD, &old);
    let error = read.unwrap_err();
    assert!(
        error.to_string().contains("dictionary that is not there"),
        "{error}"
    );
    assert!(error.context("dictionary").is_some());
    let read: Result<Order> = Zstd::new(Json).decode(&JSON_ZSTD, &new);
    assert!(read.is_err());
}

#[test]
fn a_dictionary_without_an_id_is_refused() {
    for bytes in [&b""[..], b"raw content as a dictionary", &FIRST[1..]] {
        let error = Zstd::new(Json).dictionary(bytes).unwrap_err();
        assert_eq!(*error.kind(), Kind::Misconfigured);
    }
}

proptest! {
    #[test]
    fn whatever_is_compressed_comes_back(
        pieces in prop::collection::vec((any::<u8>(), 0_usize..500), 0..20),
        level in -10..20,
    ) {
        let bytes: Vec<u8> = pieces.iter().flat_map(|(byte, n)| vec![*byte; *n]).collect();
        let bytes = Bytes::from(bytes);
        let codec = Zstd::new(Raw).level(level).dictionary(FIRST).unwrap();
        let written = codec.encode(&bytes).unwrap();
        prop_assert!(written.payload.len() <= bytes.len());
        let read: Bytes = codec.decode(&written.content_type, &written.payload).unwrap();
        prop_assert_eq!(read, bytes);
    }

    /// Frames with bytes changed: an error or something, never too much.
    #[test]
    fn damaged_frames_are_survived(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let codec = Zstd::new(Raw).at_most(10_000);
        let mut frame = compressed(&codec, &Bytes::from(vec![7; 5000])).unwrap().to_vec();
        let at = at.index(frame.len());
        frame[at] = byte;
        if let Ok(read) = unpack(&codec, &frame) {
            prop_assert!(read.len() <= 10_000);
        }
    }
}
