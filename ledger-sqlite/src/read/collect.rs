//! The aggregate function that collects a page on SQLite's own thread.
//!
//! Why not SQL alone: there each number becomes text, each entry a text of its
//! own, and their concatenation is copied twice more before it can be handed
//! over. This appends each row to one buffer, and hands that over as it is; a
//! page, or a scan, costs about a third less.
//!
//! All of the unsafe code of this crate is here. It rests on the interface of
//! <https://www.sqlite.org/appfunc.html>: SQLite calls `step` for each row and
//! `finish` once after the last one, also after an error, on the thread that
//! runs the statement, with as many arguments as were registered.
#![expect(
    unsafe_code,
    reason = "a function of SQLite is written against its C interface"
)]

use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;

use libsqlite3_sys::{
    SQLITE_DIRECTONLY, SQLITE_NULL, SQLITE_OK, SQLITE_UTF8, sqlite3_aggregate_context,
    sqlite3_context, sqlite3_create_function_v2, sqlite3_free, sqlite3_realloc64,
    sqlite3_result_blob64, sqlite3_result_error_nomem, sqlite3_result_null, sqlite3_value,
    sqlite3_value_blob, sqlite3_value_bytes, sqlite3_value_int64, sqlite3_value_type,
};
use sqlx::SqliteConnection;

use super::pack::{NULL, NUMBERS};
use crate::sql::COLLECT;

/// Four numbers, four parts, the lengths of two more, and these.
const ARGUMENTS: usize = 12;
/// What a page begins with; it doubles as it grows.
const CAPACITY: u64 = 16 * 1024;

/// Makes the function known to a connection, for its life.
pub(crate) async fn register(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let name = format!("{COLLECT}\0");
    let mut handle = conn.lock_handle().await?;
    // SAFETY: the connection is open, and locked by `handle`, so that nobody
    // else uses it; the name ends in NUL, and SQLite copies it; there is no
    // user data; the functions are of the types that SQLite calls.
    let code = unsafe {
        sqlite3_create_function_v2(
            handle.as_raw_handle().as_ptr(),
            name.as_ptr().cast(),
            ARGUMENTS as c_int,
            SQLITE_UTF8 | SQLITE_DIRECTONLY,
            ptr::null_mut(),
            None,
            Some(step),
            Some(finish),
            None,
        )
    };
    match code {
        SQLITE_OK => Ok(()),
        code => Err(sqlx::Error::Configuration(
            format!("SQLite refuses a function: code {code}").into(),
        )),
    }
}

/// A page, in memory that SQLite allocates, so that it can take it over. SQLite
/// keeps this value itself and fills it with zeros before the first row.
#[repr(C)]
struct Page {
    bytes: *mut u8,
    length: u64,
    capacity: u64,
}

impl Page {
    /// Makes room; `false` if there is none.
    fn reserve(&mut self, more: u64) -> bool {
        let Some(needed) = self.length.checked_add(more) else {
            return false;
        };
        if needed <= self.capacity {
            return true;
        }
        let capacity = needed.max(CAPACITY).max(self.capacity.saturating_mul(2));
        // SAFETY: `bytes` is null or what this function returned before. What
        // it holds is kept, or, if there is no memory, left where it is.
        let bytes = unsafe { sqlite3_realloc64(self.bytes.cast::<c_void>(), capacity) };
        if bytes.is_null() {
            return false;
        }
        self.bytes = bytes.cast();
        self.capacity = capacity;
        true
    }

    /// Appends, if there is room.
    fn put(&mut self, part: &[u8]) -> bool {
        if !self.reserve(part.len() as u64) {
            return false;
        }
        // SAFETY: `reserve` has made room for the part behind `length`, which
        // is at most the capacity of an allocation, and so fits an address. The
        // part belongs to SQLite and is no part of our buffer.
        unsafe {
            let end = self.bytes.add(self.length as usize);
            ptr::copy_nonoverlapping(part.as_ptr(), end, part.len());
        }
        self.length += part.len() as u64;
        true
    }
}

/// A number, or what stands for none.
///
/// # Safety
///
/// `value` is an argument of the function that is running.
unsafe fn number(value: *mut sqlite3_value) -> i64 {
    // SAFETY: as the caller promises.
    unsafe {
        match sqlite3_value_type(value) {
            SQLITE_NULL => NULL,
            _ => sqlite3_value_int64(value),
        }
    }
}

/// The bytes of a text or a blob; the database is in UTF-8, so that neither is
/// converted.
///
/// # Safety
///
/// `value` is an argument of the function that is running, and nothing else
/// asks SQLite for this value while the bytes are in use.
unsafe fn bytes<'v>(value: *mut sqlite3_value) -> Option<&'v [u8]> {
    // SAFETY: as the caller promises. The length is asked for after the bytes,
    // as SQLite wants it; an empty value has no bytes to point to.
    unsafe {
        if sqlite3_value_type(value) == SQLITE_NULL {
            return None;
        }
        let bytes = NonNull::new(sqlite3_value_blob(value).cast_mut().cast::<u8>());
        let length = usize::try_from(sqlite3_value_bytes(value)).unwrap_or(0);
        match bytes {
            Some(bytes) => Some(slice::from_raw_parts(bytes.as_ptr(), length)),
            None => Some(&[]),
        }
    }
}

/// Appends an entry to the page.
///
/// # Safety
///
/// The values are the arguments of the function that is running.
unsafe fn add(page: &mut Page, values: [*mut sqlite3_value; ARGUMENTS]) -> bool {
    let [
        id,
        version,
        schema_version,
        at,
        content_type,
        order_key,
        dedup_key,
        stream,
        metadata_length,
        payload_length,
        metadata,
        payload,
    ] = values;
    // SAFETY: as the caller promises; each value is asked once.
    let (parts, [metadata_length, payload_length], numbers) = unsafe {
        (
            [
                content_type,
                order_key,
                dedup_key,
                stream,
                metadata,
                payload,
            ]
            .map(|v| bytes(v)),
            [metadata_length, payload_length].map(|v| number(v)),
            [id, version, schema_version, at].map(|v| number(v)),
        )
    };
    let [id, version, schema_version, at] = numbers;
    let length = |part: Option<&[u8]>| {
        let length = part.map(|part| i64::try_from(part.len()));
        length.and_then(Result::ok).unwrap_or(NULL)
    };
    let numbers: [i64; NUMBERS] = [
        id,
        version,
        schema_version,
        at,
        length(parts[0]),
        length(parts[1]),
        length(parts[2]),
        length(parts[3]),
        metadata_length,
        payload_length,
    ];
    numbers.iter().all(|n| page.put(&n.to_le_bytes()))
        && parts.into_iter().flatten().all(|part| page.put(part))
}

unsafe extern "C" fn step(
    context: *mut sqlite3_context,
    count: c_int,
    values: *mut *mut sqlite3_value,
) {
    // SAFETY: SQLite calls this with a context and with `count` values, which
    // is ARGUMENTS. What it keeps for us is as large as asked, aligned for any
    // type, and zero at first, which is an empty `Page`; nobody else uses it.
    unsafe {
        let page = sqlite3_aggregate_context(context, size_of::<Page>() as c_int);
        let values = usize::try_from(count).map(|count| slice::from_raw_parts(values, count));
        let values = values.ok().and_then(|values| values.try_into().ok());
        let added = match (page.cast::<Page>().as_mut(), values) {
            (Some(page), Some(values)) => add(page, values),
            _ => false,
        };
        if !added {
            sqlite3_result_error_nomem(context);
        }
    }
}

unsafe extern "C" fn finish(context: *mut sqlite3_context) {
    // SAFETY: as in `step`; with a size of zero nothing is made where no row
    // came. SQLite takes the buffer over and frees it by the function given.
    unsafe {
        let page = sqlite3_aggregate_context(context, 0).cast::<Page>();
        match page.as_mut() {
            Some(page) if !page.bytes.is_null() => {
                let bytes = std::mem::replace(&mut page.bytes, ptr::null_mut());
                sqlite3_result_blob64(context, bytes.cast(), page.length, Some(sqlite3_free));
            }
            _ => sqlite3_result_null(context),
        }
    }
}
