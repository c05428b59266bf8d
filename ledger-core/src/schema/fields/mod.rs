//! Field steps: what they say, and what a chain of them comes to.

mod mapper;
mod plan;

pub use mapper::FieldMapper;
pub use plan::FieldPlan;
pub(super) use plan::Meets;
