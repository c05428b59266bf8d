//! Under construction.
/// JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;
