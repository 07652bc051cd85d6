//! The zip file.

use super::{
    PackError,
    hash::{self, Hash},
    tree::{Entry, Source},
};
use sha2::{Digest, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{BufWriter, Seek, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};
use zip::{CompressionMethod, ZipWriter, result::ZipError, write::SimpleFileOptions};

/// Beyond it, a file gets lengths of 64 bits: 4 GiB, and what deflate may add to what it cannot shrink.
const LARGE: u64 = (4 << 30) - (64 << 20);

/// How hard deflate tries. Higher ones take two to three times as long for a few per cent.
const LEVEL: i64 = 3;

/// Writes all entries, and checks that each is what its hash says.
pub(super) fn write(entries: &[(Entry, Hash)], path: &Path, done: &dyn Fn(u64)) -> Result<u64, PackError> {
    let failed = |error: ZipError| PackError::File { path: path.to_owned(), source: error.into() };
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut zip = ZipWriter::new(BufWriter::with_capacity(hash::BLOCK, file.map_err(PackError::file(path))?));
    let mut written = 0;
    for (entry, hash) in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .unix_permissions(entry.mode)
            .large_file(entry.source.size() > LARGE);
        match &entry.source {
            Source::Directory => zip.add_directory(&*entry.name, options).map_err(failed)?,
            Source::Link(target) => zip.add_symlink(&*entry.name, target, options).map_err(failed)?,
            Source::Bytes(bytes) => {
                zip.start_file(&*entry.name, options).map_err(failed)?;
                zip.write_all(bytes).map_err(PackError::file(path))?;
                written += bytes.len() as u64;
                done(written);
            }
            Source::File { path: source, size, .. } => {
                zip.start_file(&*entry.name, options).map_err(failed)?;
                let (mut file, mut sha) = (hash::open(source)?.0, Sha256::new());
                // A file that only grows (a log) is the same as far as it was read.
                hash::copy(&mut file, *size, source, &mut |block| {
                    sha.update(block);
                    zip.write_all(block).map_err(PackError::file(path))?;
                    written += block.len() as u64;
                    done(written);
                    Ok(())
                })?;
                if Hash::from(sha.finalize()) != *hash {
                    return Err(PackError::Changed { path: source.clone() });
                }
            }
        }
    }
    let finish = |zip: ZipWriter<BufWriter<File>>| {
        let mut file = zip.finish().map_err(std::io::Error::from)?.into_inner().map_err(|error| error.into_error())?;
        file.seek(SeekFrom::End(0))
    };
    finish(zip).map_err(PackError::file(path))
}
