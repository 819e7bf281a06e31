//! Bytes that say they are gzip: what comes out is what `flate2` makes of them, and the same wherever the pieces end.
#![no_main]

use std::io::Read as _;

use connect_bulk_import::input::Decompressor;
use connect_bulk_import::outcome::Problem;
use libfuzzer_sys::fuzz_target;

/// More than this need not come out: bombs are the reader's to count.
const MOST: usize = 1 << 20;

fuzz_target!(|data: (u8, &[u8])| {
    let (size, body) = data;
    // A header that is right, so that the rest is looked at; every other file has its own.
    let head: &[u8] = if size % 2 == 0 { b"\x1f\x8b\x08\0\0\0\0\0\0\xff" } else { b"\x1f" };
    let bytes = [head, body].concat();
    let whole = unpack(&bytes, usize::MAX);
    assert_eq!(unpack(&bytes, usize::from(size).max(1)), whole);
    let Ok(ours) = whole else { return };
    if ours.len() < MOST {
        let mut theirs = Vec::new();
        // flate2 takes no zeros behind the last member, and we do; where it ends cannot be seen.
        let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
        for len in end..=bytes.len() {
            theirs.clear();
            if flate2::read::MultiGzDecoder::new(&bytes[..len]).read_to_end(&mut theirs).is_ok() {
                assert_eq!(ours, theirs);
                return;
            }
        }
        panic!("flate2 refuses what we unpack");
    }
});

fn unpack(bytes: &[u8], size: usize) -> Result<Vec<u8>, Problem> {
    let mut unpacker = Decompressor::default();
    let mut all = Vec::new();
    for mut piece in bytes.chunks(size).chain([&[][..]]) {
        loop {
            let (taken, plain) = unpacker.take(piece)?;
            assert!(plain.len() <= 64 << 10);
            all.extend_from_slice(plain);
            let is_done = plain.is_empty() && taken == piece.len();
            piece = &piece[taken..];
            if is_done || all.len() > MOST {
                break;
            }
        }
        if all.len() > MOST {
            all.truncate(MOST);
            return Ok(all);
        }
    }
    unpacker.finish()?;
    Ok(all)
}
