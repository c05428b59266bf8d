//! The cases, by group. The letters and numbers are stable: they are how a
//! report, a mutant and a document speak of a case.

mod a_basics;

use ledger_core::EntryId;

use crate::case::Case;

/// The one list of cases, handed to the macro named first together with the
/// arguments: the registry and the tests of `conformance!` are made from it.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    ([$($then:tt)+] { $($args:tt)* }) => {
        $($then)+! { { $($args)* }
            a_basics {
                a01_append_one_roundtrip "P1 P16",
                a02_append_batch_order "P1 P2 P7",
            }
        }
    };
}

macro_rules! registry {
    ({ $id:ident } $( $group:ident { $( $name:ident $promises:literal, )* } )*) => {
        vec![ $( $(
            Case {
                name: stringify!($name),
                promises: $promises,
                run: |lab| Box::pin($group::$name::<$id>(lab)),
            },
        )* )* ]
    };
}
use registry;

/// Every case of the suite, in the order of their names.
#[must_use]
pub fn all_cases<I: EntryId>() -> Vec<Case<I>> {
    crate::__cases!([registry] { I })
}

/// Makes a test of every case, on tokio's multi-thread and on its
/// current-thread runtime: `multi_thread::a01_append_one_roundtrip` and so on.
///
/// The argument is an expression that makes a [`Harness`](crate::Harness); it
/// is evaluated once for each test.
#[macro_export]
macro_rules! conformance {
    ($harness:expr) => {
        mod multi_thread {
            #[allow(unused_imports, reason = "the expression may name things from outside")]
            use super::*;
            $crate::__cases!([$crate::__tests] {
                MultiThread,
                $harness
            });
        }
        mod current_thread {
            #[allow(unused_imports, reason = "the expression may name things from outside")]
            use super::*;
            $crate::__cases!([$crate::__tests] {
                CurrentThread,
                $harness
            });
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ({ $runtime:ident, $harness:expr } $( $group:ident { $( $name:ident $promises:literal, )* } )*) => {
        $( $(
            #[test]
            fn $name() {
                let runtime = $crate::macros::Runtime::$runtime;
                $crate::macros::run($harness, stringify!($name), runtime);
            }
        )* )*
    };
}
