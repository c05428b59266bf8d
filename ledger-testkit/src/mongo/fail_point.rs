//! Faults inside a server.

use mongodb::bson::{Bson, Document, doc};

use super::wire::{LIMIT, command, until};
use crate::error::{Error, Result};

/// A fail point that was set. It stays until [`off`](Self::off), or until the
/// server ends.
#[derive(Debug)]
pub struct FailPoint {
    url: String,
    name: &'static str,
    /// The server counts from its start on, over all settings.
    entered_before: i64,
}

impl FailPoint {
    pub(super) async fn set(
        url: String,
        name: &'static str,
        mode: Bson,
        data: Document,
    ) -> Result<Self> {
        let order = doc! { "configureFailPoint": name, "mode": mode, "data": data };
        let answer = command(&url, order).await?;
        Ok(Self {
            url,
            name,
            entered_before: count(&answer)?,
        })
    }

    /// How often it was entered since it was set.
    ///
    /// # Errors
    ///
    /// If the server is not there.
    pub async fn entered(&self) -> Result<i64> {
        let parameter = format!("failpoint.{}", self.name);
        let answer = command(&self.url, doc! { "getParameter": 1, &parameter: 1 }).await?;
        let state = answer.get_document(&parameter);
        let times = state
            .ok()
            .and_then(|state| integer(state.get("timesEntered")?));
        let times = times.ok_or_else(|| Error::new(format!("no count in {answer}")))?;
        Ok(times - self.entered_before)
    }

    /// Waits until it was entered so often since it was set.
    ///
    /// # Errors
    ///
    /// If it is not within a minute, or the server is not there.
    pub async fn wait(&self, times: i64) -> Result<()> {
        until(LIMIT, || async {
            match self.entered().await? {
                entered if entered >= times => Ok(()),
                entered => Err(Error::new(format!("{} entered {entered} times", self.name))),
            }
        })
        .await
    }

    /// Turns it off, and returns how often it was entered since it was set.
    ///
    /// # Errors
    ///
    /// If the server is not there.
    pub async fn off(self) -> Result<i64> {
        let order = doc! { "configureFailPoint": self.name, "mode": "off" };
        let answer = command(&self.url, order).await?;
        Ok(count(&answer)? - self.entered_before)
    }
}

fn count(answer: &Document) -> Result<i64> {
    let count = answer.get("count").and_then(integer);
    count.ok_or_else(|| Error::new(format!("no count in {answer}")))
}

fn integer(value: &Bson) -> Option<i64> {
    value.as_i64().or_else(|| value.as_i32().map(i64::from))
}
