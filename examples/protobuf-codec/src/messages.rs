//! The messages, as `prost-build` would generate them.

/// An order of the first release.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OrderV1 {
    /// Who ordered.
    #[prost(string, tag = "1")]
    pub customer: String,
    /// In euros.
    #[prost(double, tag = "2")]
    pub amount: f64,
}

/// An order.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Order {
    /// Who ordered.
    #[prost(string, tag = "1")]
    pub customer: String,
    /// In hundredths of the currency.
    #[prost(uint64, tag = "2")]
    pub cents: u64,
    /// ISO 4217.
    #[prost(string, tag = "3")]
    pub currency: String,
    /// How it was paid, if it was.
    #[prost(oneof = "order::Payment", tags = "4, 5")]
    pub payment: Option<order::Payment>,
}

/// What lies inside an [`Order`].
pub mod order {
    /// How an order was paid.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Payment {
        /// By card: its last four digits.
        #[prost(uint32, tag = "4")]
        Card(u32),
        /// By invoice: its number.
        #[prost(string, tag = "5")]
        Invoice(String),
    }
}
