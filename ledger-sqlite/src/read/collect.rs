//! The aggregate function that collects a page on SQLite's own thread.
//!
//! Why not SQL alone: there each number becomes text, each entry a text of its
//! own, and their concatenation is copied three more times before it can be
//! read. This appends each row to one buffer, which is handed over as it is;
//! the value that SQLite sees is only the number of the connection.
//!
//! All of the unsafe code of this crate is here. It rests on the interface of
//! <https://www.sqlite.org/appfunc.html>: SQLite calls `step` for each row and
//! `finish` once after the last one, also after an error, on the thread that
//! runs the statement, with as many arguments as were registered; and `forget`
//! once, when the connection is closed or the function could not be registered.
//! None of the three panics: memory that cannot be had ends the process, as it
//! does everywhere in Rust.
#![expect(
    unsafe_code,
    reason = "a function of SQLite is written against its C interface"
)]

use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use libsqlite3_sys::{
    SQLITE_DIRECTONLY, SQLITE_NULL, SQLITE_OK, SQLITE_UTF8, sqlite3_aggregate_context,
    sqlite3_context, sqlite3_create_function_v2, sqlite3_result_error_nomem, sqlite3_result_int64,
    sqlite3_result_null, sqlite3_user_data, sqlite3_value, sqlite3_value_blob, sqlite3_value_bytes,
    sqlite3_value_int64, sqlite3_value_type,
};
use sqlx::SqliteConnection;

use super::collected::Collected;
use super::pack::{NULL, NUMBERS};
use crate::sql::COLLECT;

/// Four numbers, four parts, the lengths of two more, and these.
const ARGUMENTS: usize = 12;

/// What belongs to the function on one connection.
struct Connection {
    number: i64,
    collected: Arc<Collected>,
}

/// Makes the function known to a connection, for its life. It keeps its pages
/// in `collected`, under the number that it gives as its value.
pub(crate) async fn register(
    conn: &mut SqliteConnection,
    collected: Arc<Collected>,
) -> Result<(), sqlx::Error> {
    let name = format!("{COLLECT}\0");
    // Locked once, and never again: a connection that is locked while it is in
    // use can wait for itself.
    let mut handle = conn.lock_handle().await?;
    let connection = Box::new(Connection {
        number: collected.connection(),
        collected,
    });
    // SAFETY: the connection is open, and locked by `handle`, so that nobody
    // else uses it; the name ends in NUL, and SQLite copies it; the box is
    // SQLite's until it calls `forget`, which it does here if it fails; the
    // functions are of the types that SQLite calls.
    let code = unsafe {
        sqlite3_create_function_v2(
            handle.as_raw_handle().as_ptr(),
            name.as_ptr().cast(),
            ARGUMENTS as c_int,
            SQLITE_UTF8 | SQLITE_DIRECTONLY,
            Box::into_raw(connection).cast(),
            None,
            Some(step),
            Some(finish),
            Some(forget),
        )
    };
    match code {
        SQLITE_OK => Ok(()),
        code => Err(sqlx::Error::Configuration(
            format!("SQLite refuses a function: code {code}").into(),
        )),
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
/// `value` is an argument of the function that is running, nothing else asks
/// SQLite for this value, and the bytes are not used after the function.
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
unsafe fn add(page: &mut Vec<u8>, values: [*mut sqlite3_value; ARGUMENTS]) {
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
    // SAFETY: as the caller promises; each value is asked once, and the bytes
    // are copied below.
    let (parts, numbers) = unsafe {
        let numbers = [
            id,
            version,
            schema_version,
            at,
            metadata_length,
            payload_length,
        ];
        let parts = [
            content_type,
            order_key,
            dedup_key,
            stream,
            metadata,
            payload,
        ];
        (parts.map(|v| bytes(v)), numbers.map(|v| number(v)))
    };
    let [id, version, schema_version, at, metadata, payload] = numbers;
    let length = |part: Option<&[u8]>| {
        let length = part.map(|part| i64::try_from(part.len()));
        length.and_then(Result::ok).unwrap_or(NULL)
    };
    let [content_type, order_key, dedup_key, stream, ..] = parts.map(length);
    let numbers: [i64; NUMBERS] = [
        id,
        version,
        schema_version,
        at,
        content_type,
        order_key,
        dedup_key,
        stream,
        metadata,
        payload,
    ];
    for number in numbers {
        page.extend_from_slice(&number.to_le_bytes());
    }
    for part in parts.into_iter().flatten() {
        page.extend_from_slice(part);
    }
}

unsafe extern "C" fn step(
    context: *mut sqlite3_context,
    count: c_int,
    values: *mut *mut sqlite3_value,
) {
    // SAFETY: SQLite calls this with a context and with `count` values, which
    // is ARGUMENTS. The user data is the box of `register`, which lives as long
    // as the function. What SQLite keeps between the rows is as large as asked,
    // aligned for any type, zero at first, and used by nobody else: a pointer
    // to the page, which is a box from the first row until `finish`.
    unsafe {
        let kept = sqlite3_aggregate_context(context, size_of::<*mut Vec<u8>>() as c_int);
        let values = usize::try_from(count).map(|count| slice::from_raw_parts(values, count));
        let values = values.ok().and_then(|values| values.try_into().ok());
        let (Some(kept), Some(values)) = (kept.cast::<*mut Vec<u8>>().as_mut(), values) else {
            return sqlite3_result_error_nomem(context);
        };
        if kept.is_null() {
            let connection = &*sqlite3_user_data(context).cast::<Connection>();
            *kept = Box::into_raw(Box::new(connection.collected.buffer()));
        }
        add(&mut **kept, values);
    }
}

unsafe extern "C" fn finish(context: *mut sqlite3_context) {
    // SAFETY: as in `step`; with a size of zero nothing is made where no row
    // came. The box is taken out of what SQLite keeps, so that it is ours.
    unsafe {
        let kept = sqlite3_aggregate_context(context, 0).cast::<*mut Vec<u8>>();
        match kept.as_mut() {
            Some(kept) if !kept.is_null() => {
                let page = Box::from_raw(std::mem::replace(kept, ptr::null_mut()));
                let connection = &*sqlite3_user_data(context).cast::<Connection>();
                connection.collected.keep(connection.number, *page);
                sqlite3_result_int64(context, connection.number);
            }
            _ => sqlite3_result_null(context),
        }
    }
}

unsafe extern "C" fn forget(connection: *mut c_void) {
    // SAFETY: SQLite gives back the box of `register`, once.
    let connection = unsafe { Box::from_raw(connection.cast::<Connection>()) };
    connection.collected.forget(connection.number);
}
