//! G: limits and bad input.

mod misuse;
mod names;
mod pages;
mod table;

pub(super) use misuse::g05_bad_input_does_not_poison;
pub(super) use names::{g02_long_names_whatever_they_hold, g04_names_refused};
pub(super) use pages::{g08_weird_cursors_and_ranges, g09_page_bytes};
pub(super) use table::{g01_limits_table_exact, g03_payload_edges};
