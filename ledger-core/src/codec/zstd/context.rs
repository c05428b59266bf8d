//! The library's working memory, kept per thread: setting it up costs more
//! than compressing an entry.

use std::cell::RefCell;

use zstd::zstd_safe::{self, CCtx, CDict, DCtx};

use super::broken;
use super::dictionary::Dictionaries;
use crate::error::{Error, Kind, Result};

thread_local! {
    static COMPRESS: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static DECOMPRESS: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// One frame that tells its content's size, if it is smaller than `bytes`.
pub(super) fn compress(
    bytes: &[u8],
    level: i32,
    dictionary: Option<&CDict<'static>>,
) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    COMPRESS.with_borrow_mut(|context| {
        if context.is_none() {
            *context = CCtx::try_create();
        }
        let context = context.as_mut()?;
        match dictionary {
            Some(dictionary) => context.compress_using_cdict(&mut packed, bytes, dictionary),
            None => context.compress(&mut packed, bytes, level),
        }
        .ok()
    })?;
    if packed.len() >= bytes.len() {
        return None;
    }
    packed.shrink_to_fit();
    Some(packed)
}

/// The content of exactly one frame, at most `most` bytes.
pub(super) fn decompress(frame: &[u8], most: u64, dictionaries: &Dictionaries) -> Result<Vec<u8>> {
    // There are also frames to be skipped, which tell a size of 0.
    let begins = frame.first_chunk() == Some(&zstd_safe::MAGICNUMBER.to_le_bytes());
    let Ok(Some(size)) = zstd_safe::get_frame_content_size(frame) else {
        return Err(broken("not a Zstandard frame that tells its size"));
    };
    if !begins {
        return Err(broken("not a Zstandard frame that tells its size"));
    }
    if size > most {
        return Err(
            broken("the payload claims to be greater than the limit once unpacked")
                .with("limit", most)
                .with("size", size),
        );
    }
    if zstd_safe::find_frame_compressed_size(frame) != Ok(frame.len()) {
        return Err(broken("a damaged Zstandard frame, or more behind it"));
    }
    let dictionary = match zstd_safe::get_dict_id_from_frame(frame) {
        None => None,
        Some(id) => Some(dictionaries.find(id.get()).ok_or_else(|| {
            broken("compressed with a dictionary that is not there").with("dictionary", id)
        })?),
    };
    let size = usize::try_from(size).map_err(|_| broken("greater than the memory"))?;
    let mut bytes = Vec::with_capacity(size);
    let unpacked = DECOMPRESS.with_borrow_mut(|context| {
        if context.is_none() {
            *context = DCtx::try_create();
        }
        let Some(context) = context.as_mut() else {
            return Err(Error::new(Kind::Decode, "no memory to unpack in"));
        };
        match dictionary {
            Some(dictionary) => context.decompress_using_ddict(&mut bytes, frame, dictionary),
            None => context.decompress(&mut bytes, frame),
        }
        .map_err(|_| broken("a damaged Zstandard frame"))
    })?;
    if unpacked == size && bytes.len() == size {
        Ok(bytes)
    } else {
        Err(broken("a damaged Zstandard frame"))
    }
}
