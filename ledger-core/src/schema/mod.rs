//! Under construction.
/// A document.
#[derive(Debug)]
pub struct Document<'a>(&'a ());
/// A mapper.
#[derive(Debug)]
pub struct FieldMapper;
