//! Under construction.
/// A document.
#[derive(Debug)]
pub struct Document<'a>(&'a ());
/// A mapper.
#[derive(Debug)]
pub struct FieldMapper;
/// ref
pub struct SchemaRef<T>(
    std::marker::PhantomData<fn() -> T>,
    fn(&T) -> crate::Result<crate::RawEntry>,
    fn(&bytes::Bytes) -> crate::Result<T>,
);
impl<T> Clone for SchemaRef<T> {
    fn clone(&self) -> Self {
        SchemaRef(self.0, self.1, self.2)
    }
}
impl<T> SchemaRef<T> {
    /// j
    pub fn json() -> Self
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        SchemaRef(
            std::marker::PhantomData,
            |t| {
                Ok(crate::RawEntry::new(
                    crate::ContentType::JSON,
                    1,
                    serde_json::to_vec(t).unwrap(),
                ))
            },
            |b| Ok(serde_json::from_slice(b).unwrap()),
        )
    }
    /// e
    pub fn encode(&self, t: &T) -> crate::Result<crate::RawEntry> {
        (self.1)(t)
    }
    /// d
    pub fn decode(
        &self,
        _: u32,
        _: &crate::ContentType,
        p: &bytes::Bytes,
        out: &mut dyn FnMut(T) -> crate::Result<()>,
    ) -> crate::Result<()> {
        out((self.2)(p)?)
    }
}
