//! Histories that contradict themselves.

use ledger_core::{FieldConflict, FieldMapper, Json, Result, Schema, SchemaError};

use super::history::{V1, V3, V4};
use super::{documents, nothing};

fn fault<T>(built: Result<Schema<T>, SchemaError>) -> SchemaError {
    match built {
        Ok(schema) => panic!("{schema:?} was built"),
        Err(e) => e,
    }
}

#[test]
fn versions_must_ascend_within_their_range() {
    let to = |to| fault(Schema::typed(Json, 3).upcast(to, |v: V1| V3(v.0)).build());
    assert_eq!(
        to(3),
        SchemaError::NotAscending {
            after: 3,
            version: 3
        }
    );
    assert_eq!(
        to(2),
        SchemaError::NotAscending {
            after: 3,
            version: 2
        }
    );
    assert_eq!(to(0), SchemaError::VersionOutOfRange { version: 0 });
    assert_eq!(
        to(1 << 31),
        SchemaError::VersionOutOfRange { version: 1 << 31 }
    );

    let first = |first| Schema::<V1>::typed(Json, first).build();
    assert_eq!(
        fault(first(0)),
        SchemaError::VersionOutOfRange { version: 0 }
    );
    assert_eq!(
        fault(first(u32::MAX)),
        SchemaError::VersionOutOfRange { version: u32::MAX }
    );
    assert_eq!(first((1 << 31) - 1).unwrap().version(), i32::MAX as u32);

    let document = |to| fault(documents().change(to, nothing).read_as::<V1>().build());
    assert_eq!(
        document(1),
        SchemaError::NotAscending {
            after: 1,
            version: 1
        }
    );
}

#[test]
fn the_first_fault_is_the_one_that_is_told() {
    let built = documents()
        .fields(1, FieldMapper::new())
        .fields(0, FieldMapper::new().remove("a").remove("a"))
        .read_as::<V1>()
        .jump(7, |v: V1| v)
        .build();
    assert_eq!(
        fault(built),
        SchemaError::NotAscending {
            after: 1,
            version: 1
        }
    );
}

#[test]
fn a_jump_must_start_at_an_older_version_and_only_once() {
    let history = || Schema::typed(Json, 1).upcast(3, |v: V1| V3(v.0));
    for from in [0, 2, 3, 4] {
        let built = history().jump(from, |v: V1| V3(v.0)).build();
        assert_eq!(fault(built), SchemaError::UnknownJump { from });
    }
    let built = history()
        .jump(1, |v: V1| V3(v.0))
        .upcast(4, |v| V4(v.0))
        .jump(1, |v: V1| V4(v.0));
    assert_eq!(fault(built.build()), SchemaError::RepeatedJump { from: 1 });
}

#[test]
fn a_mapper_must_not_contradict_itself() {
    use FieldConflict::*;
    let new = FieldMapper::new;
    let cases = [
        (new().rename("a", "b").rename("a", "c"), "a", RenamedTwice),
        (new().rename("a", "c").rename("b", "c"), "c", RenamedToTwice),
        (new().rename("a", "a"), "a", RenamedToItself),
        (new().rename("a", "b").remove("a"), "a", RenamedAndRemoved),
        (new().remove("a").remove("a"), "a", RemovedTwice),
        (
            new().default_value("a", 1).default_value("a", 1),
            "a",
            DefaultTwice,
        ),
        (new().default_value("a", f64::NAN), "a", UnwritableDefault),
        (
            new().default_value("a", [Some(f32::INFINITY)]),
            "a",
            UnwritableDefault,
        ),
    ];
    for (mapper, field, conflict) in cases {
        let error = fault(documents().fields(2, mapper).read_as::<V1>().build());
        let expected = SchemaError::Fields {
            version: 2,
            field: field.into(),
            conflict,
        };
        assert_eq!(error, expected);
        assert!(
            error.to_string().contains("step to version 2, field `"),
            "{error}"
        );
    }
}

#[test]
fn what_looks_like_a_contradiction_but_is_not_is_built() {
    let new = FieldMapper::new;
    let mappers = [
        new().rename("a", "b").rename("b", "a"),
        new().remove("b").rename("a", "b"),
        new().rename("a", "b").default_value("b", 1),
        new().rename("a", "b").default_value("a", 1),
        new().remove("a").default_value("a", 1),
    ];
    for mapper in mappers {
        documents()
            .fields(2, mapper)
            .read_as::<V1>()
            .build()
            .unwrap();
    }
}
