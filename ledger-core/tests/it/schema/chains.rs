//! Steps compose: the way from version 1 to 3 is the one from 1 to 2, written
//! down, and then the one from 2 to 3. For fields, documents and types.

use ledger_core::{Document, Error, History, Json, Kind, Schema};
use proptest::prelude::*;

use super::engines::{Fields, Op, mapper, specified, step, stored};
use super::{documents, read};

/// A step of a history of lists of numbers.
#[derive(Clone, Copy, Debug)]
enum Typed {
    /// Adds a mark to each list.
    Mark(u8),
    /// Refuses lists that begin with it.
    Refuse(u8),
    /// One value for each number of the list: none of an empty one.
    Split(u8),
    /// Drops lists with an even sum.
    DropEven,
}

type Numbers = Vec<u8>;

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        3 => any::<u8>().prop_map(Typed::Mark),
        1 => (0..6_u8).prop_map(Typed::Refuse),
        2 => any::<u8>().prop_map(Typed::Split),
        1 => Just(Typed::DropEven),
    ]
}

fn even(list: &Numbers) -> bool {
    list.iter()
        .map(|n| u32::from(*n))
        .sum::<u32>()
        .is_multiple_of(2)
}

fn split(list: &Numbers, mark: u8) -> Vec<Numbers> {
    list.iter().map(|n| vec![*n, mark]).collect()
}

/// What a step makes of one value; `None` if it refuses.
fn meant(value: Numbers, step: Typed) -> Option<Vec<Numbers>> {
    match step {
        Typed::Mark(mark) => Some(vec![[value, vec![mark]].concat()]),
        Typed::Refuse(first) if value.first() == Some(&first) => None,
        Typed::Split(mark) => Some(split(&value, mark)),
        Typed::DropEven if even(&value) => Some(vec![]),
        Typed::Refuse(_) | Typed::DropEven => Some(vec![value]),
    }
}

fn all_meant(value: Numbers, steps: &[Typed]) -> Option<Vec<Numbers>> {
    steps.iter().try_fold(vec![value], |values, step| {
        let parts = values.into_iter().map(|value| meant(value, *step));
        Some(parts.collect::<Option<Vec<_>>>()?.concat())
    })
}

fn extend(history: History<Numbers, Json>, steps: &[Typed], from: u32) -> Schema<Numbers> {
    let history = (from + 1..)
        .zip(steps)
        .fold(history, |history, (to, step)| match *step {
            Typed::Mark(mark) => history.upcast(to, move |v: Numbers| [v, vec![mark]].concat()),
            Typed::Refuse(first) => history.try_upcast(to, move |v: Numbers| match v.first() {
                Some(found) if *found == first => Err(Error::new(Kind::Decode, "refused")),
                _ => Ok(v),
            }),
            Typed::Split(mark) => history.split(to, move |v: Numbers| split(&v, mark)),
            Typed::DropEven => history.split(to, |v: Numbers| (!even(&v)).then_some(v)),
        });
    history.build().unwrap()
}

/// Versions `from`, `from + 1`, … by the steps.
fn chain(steps: &[Typed], from: u32) -> Schema<Numbers> {
    extend(Schema::typed(Json, from), steps, from)
}

/// The values of a payload, each written down again; `None` if refused.
fn rewritten<T: 'static>(schema: &Schema<T>, version: u32, payload: &str) -> Option<Vec<String>> {
    let values = read(schema, version, payload).ok()?;
    let written = values
        .iter()
        .map(|value| schema.encode(value).unwrap().payload);
    let texts = written.map(|payload| String::from_utf8(payload.to_vec()).unwrap());
    Some(texts.collect())
}

/// What a closure does to a document.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set(&'static str, u8),
    Remove(&'static str),
    Move(&'static str, &'static str),
    /// Refuses a document with this field.
    Refuse(&'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let name = || prop::sample::select(&["a", "b", "c", "long"][..]);
    prop_oneof![
        (name(), any::<u8>()).prop_map(|(name, value)| Change::Set(name, value)),
        name().prop_map(Change::Remove),
        (name(), name()).prop_map(|(from, to)| Change::Move(from, to)),
        name().prop_map(Change::Refuse),
    ]
}

fn apply(change: Change, document: &mut Document<'_>) -> ledger_core::Result<()> {
    match change {
        Change::Set(name, value) => document.set(name, &value),
        Change::Remove(name) => {
            document.remove(name);
            Ok(())
        }
        Change::Move(from, to) => match document.take::<Box<serde_json::value::RawValue>>(from)? {
            Some(value) => document.set(to, &value),
            None => Ok(()),
        },
        Change::Refuse(name) if document.has(name) => {
            Err(Error::new(Kind::Decode, "a field that must not be there"))
        }
        Change::Refuse(_) => Ok(()),
    }
}

/// A step of a history of documents.
#[derive(Clone, Debug)]
enum Step {
    Fields(Vec<Op>),
    Change(Change),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        step().prop_map(Step::Fields),
        change().prop_map(Step::Change),
    ];
    prop::collection::vec(one, 1..6)
}

/// Versions `from`, `from + 1`, … by the steps.
fn document_chain(steps: &[Step], from: u32) -> Schema<Fields> {
    let history = Schema::documents(Json, from);
    let history = (from + 1..)
        .zip(steps)
        .fold(history, |history, (to, step)| match step {
            Step::Fields(ops) => history.fields(to, mapper(ops)),
            Step::Change(change) => {
                let change = *change;
                history.change(to, move |document| apply(change, document))
            }
        });
    history.read_as().build().unwrap()
}

/// The chain cut anywhere, with what the first half made written down and read
/// by the second, is the chain; `None` where a step refuses.
fn composes(
    whole: &Option<Vec<String>>,
    halves: impl Fn(usize) -> Option<Vec<String>>,
    cuts: usize,
) -> Result<(), TestCaseError> {
    for cut in 0..=cuts {
        prop_assert_eq!(&halves(cut), whole, "cut at {}", cut);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(super::cases(400)))]

    /// Catches a step that is left out, applied twice or in the wrong order,
    /// also behind a split that made many values or none.
    #[test]
    fn typed_steps_compose(
        stored in prop::collection::vec(0..6_u8, 0..5),
        steps in prop::collection::vec(typed(), 0..7),
    ) {
        let text = serde_json::to_string(&stored).unwrap();
        let last = u32::try_from(steps.len()).unwrap() + 1;
        let schema = chain(&steps, 1);
        prop_assert_eq!(read(&schema, 1, &text).ok(), all_meant(stored, &steps));
        composes(
            &rewritten(&schema, 1, &text),
            |cut| {
                let middle = u32::try_from(cut).unwrap() + 1;
                let (first, second) = (chain(&steps[..cut], 1), chain(&steps[cut..], middle));
                assert_eq!(second.version(), last);
                let halfway = rewritten(&first, 1, &text)?;
                let parts = halfway.iter().map(|text| rewritten(&second, middle, text));
                Some(parts.collect::<Option<Vec<_>>>()?.concat())
            },
            steps.len(),
        )?;
        // The versions in between are known to the whole chain as well.
        for cut in 0..steps.len() {
            let middle = u32::try_from(cut).unwrap() + 1;
            let second = chain(&steps[cut..], middle);
            prop_assert_eq!(read(&schema, middle, &text).ok(), read(&second, middle, &text).ok());
        }
    }

    /// The same for mappers of fields, each alone and with all of them fused.
    #[test]
    fn field_steps_compose(
        stored in stored(),
        steps in prop::collection::vec(step(), 1..6),
    ) {
        let steps: Vec<_> = steps.into_iter().map(Step::Fields).collect();
        documents_compose(&stored, &steps)?;
    }

    /// The same for closures, and for any mix of them with mappers.
    #[test]
    fn document_steps_compose(stored in stored(), steps in steps()) {
        documents_compose(&stored, &steps)?;
    }

    /// A typed step behind documents takes what they made, whatever the
    /// version that was stored.
    #[test]
    fn typed_steps_go_on_behind_documents(
        stored in prop::collection::btree_map("[ab]", any::<u8>(), 0..3),
        ops in step(),
        steps in prop::collection::vec(typed(), 0..4),
    ) {
        let text = serde_json::to_string(&stored).unwrap();
        let numbers = |fields: std::collections::BTreeMap<String, u8>| -> Numbers {
            fields.into_values().collect()
        };
        let fields = stored.iter().map(|(name, n)| (name.clone(), n.to_string())).collect();
        let mapped = specified(Fields(fields), &ops).map(|Fields(fields)| {
            fields.into_iter().map(|(name, json)| (name, json.parse::<u8>().unwrap())).collect()
        });
        let history = documents().fields(2, mapper(&ops)).read_as().upcast(3, numbers);
        let schema = extend(history, &steps, 3);
        let meant = |fields: Option<_>| all_meant(numbers(fields?), &steps);
        prop_assert_eq!(read(&schema, 1, &text).ok(), meant(mapped));
        prop_assert_eq!(read(&schema, 2, &text).ok(), meant(Some(stored)));
    }
}

fn documents_compose(stored: &Fields, steps: &[Step]) -> Result<(), TestCaseError> {
    let text = serde_json::to_string(stored).unwrap();
    let schema = document_chain(steps, 1);
    composes(
        &rewritten(&schema, 1, &text),
        |cut| {
            let middle = u32::try_from(cut).unwrap() + 1;
            let (first, second) = (
                document_chain(&steps[..cut], 1),
                document_chain(&steps[cut..], middle),
            );
            let halfway = rewritten(&first, 1, &text)?;
            rewritten(&second, middle, &halfway[0])
        },
        steps.len(),
    )
}
