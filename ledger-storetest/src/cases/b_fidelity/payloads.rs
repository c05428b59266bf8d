//! Payloads.

use ledger_core::{ContentType, EntryId, RawEntry};

use super::comes_back;
use crate::case::Verdict;
use crate::lab::Lab;

/// Payloads of JSON, which nobody but a reader may look into.
fn json<T: AsRef<str>>(texts: &[T]) -> Vec<RawEntry> {
    let texts = texts.iter().map(|text| text.as_ref().to_owned());
    texts
        .map(|text| RawEntry::new(ContentType::JSON, 1, text))
        .collect()
}

/// Every byte, alone and among all others, nothing at all, and long noise come
/// back as they are, whatever the content type says. Catches payloads that are
/// kept as text and columns that end early.
pub(crate) async fn b01_payload_bytes_exact<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let mut payloads: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    payloads.push((0..=255).collect());
    payloads.push((0..=255).rev().collect());
    payloads.push(Vec::new());
    let mut rng = lab.rng();
    for length in [255, 256, 65_535, 65_536, 65_537, 1 << 20] {
        let noise = std::iter::repeat_with(|| rng.u8(..));
        payloads.push(noise.take(length).collect());
        payloads.push(vec![0; length]);
    }
    let mut sent = Vec::new();
    for payload in payloads {
        for content_type in [ContentType::BYTES, ContentType::JSON] {
            sent.push(RawEntry::new(content_type, 1, payload.clone()));
        }
    }
    comes_back(lab, "b01", &sent).await
}

/// JSON keeps its text: the order of keys, keys that are there twice, white
/// space, escapes and the way numbers are written. Catches columns of a JSON
/// type and payloads that are decoded on their way.
pub(crate) async fn b02_json_text_not_rewritten<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let long = format!("[{}]", "1234567890".repeat(40));
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let texts = [
        r#"{"b":1,"a":2,"B":3,"aa":4}"#,
        r#"{"a":1,"a":2,"a":1}"#,
        "{ \"a\" : [ 1 , 2 ] }",
        "\n{\r\n\t\"a\":1\n}\n",
        " null ",
        "{}",
        "[]",
        "null",
        "true",
        r#""""#,
        r#""text""#,
        r#"["\u0041\/\u00e9é\"\\\b\f\n\r\t"]"#,
        r#"["\ud83d\udcd2", "📒", "\uD83D\uDCD2"]"#,
        r#"["\ud800", "\udc00"]"#,
        r#"{"":"", "\u0000":1, "$numberLong":"1", "_id":{"$oid":"x"}}"#,
        r#"{"a.b":1,"a":{"b":2}}"#,
        "1.0",
        "[1.0, 1.00, 1e2, 1E+2, 100, -0, 0.0, -0.0]",
        &long,
        &deep,
        "{\"not\": json",
        "",
        "\u{feff}{}",
    ];
    comes_back(lab, "b02", &json(&texts)).await
}

/// U+0000 and the other control characters come back from inside a payload,
/// as bytes and as escapes; all but U+0000 do from names, keys and metadata
/// too. Catches texts that end at a zero and drivers that strip controls.
pub(crate) async fn b03_nul_and_controls<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let mut sent = json(&[
        r#""\u0000""#,
        r#"{"a\u0000b":"\u0000","c":"\\u0000"}"#,
        r#"["\u0001\u001f\u007f\u0080"]"#,
        "\0",
        "\0\0\"text\"\0",
        "a\0b",
    ]);
    let controls = (1..32).chain(127..160).filter_map(char::from_u32);
    let controls: Vec<char> = controls.chain(['\u{2028}', '\u{2029}']).collect();
    for control in &controls {
        let text = format!("{control}a{control}b{control}");
        let metadata = [(text.clone(), text.clone()), ("c".into(), text.clone())];
        sent.push(
            RawEntry::new(ContentType::JSON, 1, text.clone())
                .with_order_key(text.clone())
                .with_dedup_key(text)
                .with_metadata(metadata.into_iter().collect()),
        );
    }
    let all: String = controls.iter().collect();
    comes_back(lab, &format!("b03{all}"), &sent).await
}

/// Numbers at the edges of every type keep their digits, alone and inside a
/// document. Catches numbers that pass through floats or signed integers.
pub(crate) async fn b10_numbers<I: EntryId>(lab: &Lab<I>) -> Verdict {
    let numbers = [
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "4294967296",
        "2147483648",
        "9007199254740993",
        "-9007199254740993",
        "0",
        "-0",
        "-0.0",
        "0.0",
        "1.0",
        "1.10",
        "0.1",
        "5e-324",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "1e400",
        "1E5",
        "100000000000000000000000000000000000000.5",
        "0.30000000000000000000000000000000000001",
    ];
    let inside: Vec<String> = numbers
        .iter()
        .map(|number| format!("{{\"n\":{number},\"all\":[{number}]}}"))
        .collect();
    let sent = [json(&numbers), json(&inside)].concat();
    comes_back(lab, "b10", &sent).await
}
