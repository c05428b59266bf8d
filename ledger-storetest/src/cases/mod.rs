//! The cases, by group. The letters and numbers are stable: they are how a
//! report, a mutant and a document speak of a case.

mod a_basics;
mod a_iterating;
mod a_reading;
mod b_fidelity;
mod c_clock;
mod c_cursors;
mod c_no_skip;
mod c_order;
mod d_expected;
mod d_limits;
mod d_races;
mod e_dedup;
mod e_remembered;
mod e_retry;
mod f_atomic;
mod f_dropped;
mod g_limits;
mod h_dropping;
mod h_held;
mod i_errors;
mod i_lifecycle;
mod i_opening;
mod m_trim_list;
mod n_typed;
mod o_transactions;
mod r_random;

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
                a03_append_returns_what_is_stored "P1 P2 P4",
                a04_empty_batch "P7",
                a05_read_missing_stream "P16",
                a06_stream_isolation_content "P16",
                a07_read_from_every_place "P1 P3",
                a08_read_desc_exact "P3 P18",
            }
            a_reading {
                a09_limit_is_honoured "P3 P18",
                a10_head_and_last "P1 P4",
                a11_filters_in_combination "P3 P16",
                a12_read_all_equals_merge "P3 P6",
            }
            a_iterating {
                a13_empty_batch_expects_nothing "P7",
                a14_append_while_iterating "P3 P11",
                a15_append_while_iterating_all "P3 P11",
            }
            b_fidelity {
                b01_payload_bytes_exact "P16",
                b02_json_text_not_rewritten "P16",
                b03_nul_and_controls "P16",
                b04_unicode_names_distinct "P16",
                b05_case_sensitive_everything "P16",
                b06_whitespace_preserved "P16",
                b07_like_and_regex_metachars "P16",
                b08_metadata_keys_odd "P16 P18",
                b09_metadata_full_size "P16 P18",
                b10_numbers "P16",
                b11_nan_rejected "P16 P24",
                b12_deep_nesting "P16 P24",
                b13_timestamps "P17",
                b14_none_vs_empty "P16 P18",
            }
            c_cursors {
                c01_cursor_exclusive_and_total "P3",
                c02_store_cursor_roundtrip "P1 P3",
            }
            c_no_skip {
                c03_nothing_appears_behind_a_reader "P3 P5",
                c04_many_writers_one_tail "P1 P3 P4",
                c05_failed_appends_no_stall "P3 P8",
            }
            c_order {
                c08_ids_not_reused_after_trim "P1 P2 P3",
                c09_order_across_handles "P6",
            }
            c_clock {
                c10_clock_turned "P1 P3 P6 P17",
                c11_same_timestamp_ties "P3",
            }
            c_order {
                c12_desc_paging_under_appends "P3 P4",
                c13_store_head "P3",
            }
            c_cursors {
                c14_stream_cursor_ahead "P1 P3 P18",
            }
            d_expected {
                d01_all_modes_table "P8",
                d02_conflict_has_no_effect "P1 P3 P8 P9",
                d03_stale_low_and_high "P8",
            }
            d_races {
                d04_exactly_one_winner "P8",
                d05_any_never_conflicts "P1 P4 P8",
                d06_create_race "P8",
                d07_counter_by_cas "P8",
            }
            d_limits {
                d08_version_near_limits "P1 P8 P18",
            }
            e_dedup {
                e01_repeat_returns_original "P9",
                e02_concurrent_same_key "P9",
                e03_scope_is_the_stream "P9",
                e04_content_mismatch "P9",
                e05_in_batch_repeat "P1 P9",
            }
            e_retry {
                e06_partly_repeated_batch "P7 P8 P9",
                e07_dedup_beats_expected_version "P8 P9",
            }
            e_remembered {
                e08_survives_reopen "P9",
                e09_trim_frees_keys "P9 P19",
            }
            e_dedup {
                e10_no_key_never_dedups "P9 P16",
            }
            e_retry {
                e11_racing_retries_never_conflict "P8 P9",
            }
            f_atomic {
                f01_bad_entry_anywhere "P7 P9 P18",
                f02_reader_never_sees_half "P5 P7",
                f03_large_batch "P7 P16 P18",
                f04_violation_in_the_middle "P7 P9",
                f06_positions_of_batch "P1 P7",
            }
            f_dropped {
                f07_dropped_append_is_whole_or_absent "P7 P10 P11",
                f08_dropped_append_retried "P9 P11",
                f09_refusals_spare_neighbours "P7 P8 P10",
            }
            g_limits {
                g01_limits_table_exact "P18",
                g02_long_names_whatever_they_hold "P16 P18",
                g03_payload_edges "P16 P18",
                g04_names_refused "P16 P18",
                g05_bad_input_does_not_poison "P18 P20",
                g08_weird_cursors_and_ranges "P18",
                g09_page_bytes "P18",
            }
            h_dropping {
                h01_drop_at_every_poll "P7 P10 P11 P19",
            }
            h_held {
                h03_dropped_while_held "P10 P11",
            }
            h_dropping {
                h04_abort_storm "P7 P10 P11",
                h05_dropped_iteration "P3 P11",
            }
            h_held {
                h06_deadline_and_outcome "P9 P10 P20 P21",
            }
            i_errors {
                i01_error_taxonomy "P20",
                i02_not_applied_is_final "P8 P10",
            }
            h_held {
                i03_pool_exhausted "P10 P20 P21",
            }
            i_errors {
                i04_nested_use_no_deadlock "P11",
            }
            i_lifecycle {
                i05_close_semantics "P10 P22",
            }
            i_opening {
                i06_second_process "P13 P25",
                i07_newer_or_damaged "P25",
                i08_weak_settings_refused "P13",
            }
            i_lifecycle {
                i09_unsupported_is_said "P20",
            }
            m_trim_list {
                m01_trim_exact_end "P19",
                m02_trim_keeps_versions "P1 P2 P8",
                m03_read_into_trimmed_range "P3 P19",
                m04_trim_during_read "P3 P5 P19",
                m05_trim_all_then_append "P2 P3 P19",
                m06_list_byte_order "P16",
                m07_list_under_creation "P3 P4 P16",
            }
            n_typed {
                n01_codec_roundtrip_law "P16 P24",
                n02_chain_order_and_completeness "P24",
                n03_newer_than_known "P24",
                n05_poison_position "P24",
                n06_upcast_does_not_rewrite "P16",
                n08_content_type_mismatch "P24",
                n09_facts_of_entries "P16",
            }
            o_transactions {
                o01_commit_and_rollback "P4 P5 P7 P9",
                o02_open_transaction_and_readers "P3 P4",
                o03_dropped_transaction "P7 P11",
                o04_conflict_in_transaction "P8 P9",
                o05_dropped_append_spoils "P7 P11",
                o06_the_rest_is_refused "P3 P20",
                o07_retry_while_held "P8 P9",
            }
            r_random {
                r01_model_state_machine "P1 P2 P3 P4 P7 P8 P9 P16 P17 P18 P19 P22",
                r03_history_checker_load "P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P12 P19",
                r04_history_checker_faults "P1 P2 P3 P4 P5 P6 P7 P8 P9 P10 P11 P19",
                r06_checker_selftest "P3",
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
