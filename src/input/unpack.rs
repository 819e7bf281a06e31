//! Gzip: packed bytes to plain ones, a little at a time (RFC 1952).
//!
//! A file that is not packed goes through as it is. The first byte tells a packed file, because no table begins with it; the
//! object's name does not matter. No more than [`STEP_BYTES`] come out at once, so that a gzip bomb finds no memory to fill.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::outcome::Problem;

/// How many bytes come out of one step at most.
pub(super) const STEP_BYTES: usize = 64 << 10;
/// How long a member's header may be: it holds a file name and a comment at most.
const MAX_HEADER_BYTES: usize = 128 << 10;
/// How many bytes are searched for the next member's header at once: many small members may follow each other.
const HEADER_STEP_BYTES: usize = 512;
/// The check sum and the length, four bytes each.
const TRAILER_BYTES: usize = 8;

const MAGIC: u8 = 0x1f;

/// A decompressor that takes bytes piece by piece, packed or not.
#[derive(Debug, Default)]
pub struct Decompressor(Option<Packing>);

#[derive(Debug)]
enum Packing {
    Plain,
    Gzip(Box<Gunzip>),
}

impl Decompressor {
    /// Takes some of the next bytes. Returns how many it took, and at most 64 KiB of plain bytes. Call it again with the
    /// rest, and at the end with nothing until nothing comes any more.
    pub fn take<'b>(&'b mut self, bytes: &'b [u8]) -> Result<(usize, &'b [u8]), Problem> {
        let Some(&first) = bytes.first() else {
            return match &mut self.0 {
                Some(Packing::Gzip(gunzip)) => gunzip.take(&[]),
                _ => Ok((0, &[])),
            };
        };
        let begin = || if first == MAGIC { Packing::Gzip(Box::default()) } else { Packing::Plain };
        match self.0.get_or_insert_with(begin) {
            Packing::Gzip(gunzip) => gunzip.take(bytes),
            Packing::Plain => {
                let taken = bytes.len().min(STEP_BYTES);
                Ok((taken, &bytes[..taken]))
            }
        }
    }

    /// The file ends here: no part of an archive may be missing.
    pub fn finish(&self) -> Result<(), Problem> {
        match &self.0 {
            Some(Packing::Gzip(gunzip)) if !gunzip.is_whole() => Err(Problem::new(
                "cut_short",
                "The gzip archive ends before its contents do: a part of it is missing. Pack it again, and drop it again.",
            )),
            _ => Ok(()),
        }
    }
}

/// Members, one after another.
struct Gunzip {
    stage: GzipStage,
    inflate: Decompress,
    crc: Crc,
    out: Vec<u8>,
    n_members: u64,
}

#[derive(Debug)]
enum GzipStage {
    /// In the header, of which these bytes have come.
    Header(Vec<u8>),
    Body,
    /// In the trailer, of which these bytes have come.
    Trailer(Vec<u8>),
    /// In zeros behind the last member: tapes and some programs leave them.
    Padding,
}

impl Default for Gunzip {
    fn default() -> Self {
        Self {
            stage: GzipStage::Header(Vec::new()),
            inflate: Decompress::new(false),
            crc: Crc::new(),
            out: vec![0; STEP_BYTES],
            n_members: 0,
        }
    }
}

impl std::fmt::Debug for Gunzip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gunzip").field("stage", &self.stage).field("n_members", &self.n_members).finish_non_exhaustive()
    }
}

impl Gunzip {
    fn take(&mut self, bytes: &[u8]) -> Result<(usize, &[u8]), Problem> {
        match &mut self.stage {
            GzipStage::Header(found) => {
                let known = found.len();
                if known == 0 && self.n_members > 0 && bytes.first() == Some(&0) {
                    self.stage = GzipStage::Padding;
                    return Ok((0, &[]));
                }
                found.extend_from_slice(&bytes[..bytes.len().min(HEADER_STEP_BYTES)]);
                let taken = match header_len(found).ok_or_else(damaged)? {
                    HeaderLength::Whole(len) => {
                        self.stage = GzipStage::Body;
                        len - known
                    }
                    HeaderLength::Begun if found.len() <= MAX_HEADER_BYTES => found.len() - known,
                    HeaderLength::Begun => return Err(damaged()),
                };
                Ok((taken, &[]))
            }
            GzipStage::Body => self.inflate(bytes),
            GzipStage::Trailer(found) => {
                let taken = bytes.len().min(TRAILER_BYTES - found.len());
                found.extend_from_slice(&bytes[..taken]);
                if let Ok(trailer) = <[u8; TRAILER_BYTES]>::try_from(found.as_slice()) {
                    self.end_member(trailer)?;
                }
                Ok((taken, &[]))
            }
            GzipStage::Padding if bytes.iter().all(|&byte| byte == 0) => Ok((bytes.len(), &[])),
            GzipStage::Padding => Err(damaged()),
        }
    }

    fn inflate(&mut self, bytes: &[u8]) -> Result<(usize, &[u8]), Problem> {
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(bytes, &mut self.out, FlushDecompress::None).map_err(|_| damaged())?;
        let moved = |total: u64, before: u64| usize::try_from(total - before).unwrap_or(usize::MAX);
        let taken = moved(self.inflate.total_in(), before.0);
        let written = moved(self.inflate.total_out(), before.1);
        self.crc.update(&self.out[..written]);
        if status == Status::StreamEnd {
            self.stage = GzipStage::Trailer(Vec::with_capacity(TRAILER_BYTES));
        } else if taken == 0 && written == 0 && !bytes.is_empty() {
            return Err(damaged());
        }
        Ok((taken, &self.out[..written]))
    }

    fn end_member(&mut self, trailer: [u8; TRAILER_BYTES]) -> Result<(), Problem> {
        let found = u64::from(self.crc.sum()) | u64::from(self.crc.amount()) << 32;
        if u64::from_le_bytes(trailer) != found {
            return Err(damaged());
        }
        self.n_members += 1;
        self.crc.reset();
        self.inflate.reset(false);
        self.stage = GzipStage::Header(Vec::new());
        Ok(())
    }

    fn is_whole(&self) -> bool {
        match &self.stage {
            GzipStage::Header(found) => found.is_empty() && self.n_members > 0,
            GzipStage::Padding => true,
            GzipStage::Body | GzipStage::Trailer(_) => false,
        }
    }
}

enum HeaderLength {
    Begun,
    /// With its length in bytes.
    Whole(usize),
}

/// How long the header at the beginning of these bytes is, or nothing if they are no header.
fn header_len(bytes: &[u8]) -> Option<HeaderLength> {
    const FIXED_BYTES: usize = 10;
    const DEFLATE: u8 = 8;
    let magic = [MAGIC, 0x8b, DEFLATE];
    let n_known = bytes.len().min(magic.len());
    if bytes[..n_known] != magic[..n_known] {
        return None;
    }
    let Some(&flags) = bytes.get(magic.len()) else { return Some(HeaderLength::Begun) };
    let [has_crc, has_extra, has_name, has_comment] = [2, 4, 8, 16].map(|flag| flags & flag != 0);
    if flags & 0b1110_0000 != 0 {
        return None;
    }
    let mut len = FIXED_BYTES;
    if has_extra {
        let Some(&[low, high]) = bytes.get(len..).and_then(<[u8]>::first_chunk) else {
            return Some(HeaderLength::Begun);
        };
        len += 2 + usize::from(u16::from_le_bytes([low, high]));
    }
    for has_text in [has_name, has_comment] {
        if has_text {
            let Some(text) = bytes.get(len..) else { return Some(HeaderLength::Begun) };
            let Some(end) = memchr::memchr(0, text) else { return Some(HeaderLength::Begun) };
            len += end + 1;
        }
    }
    if has_crc {
        let Some(&sum) = bytes.get(len..).and_then(<[u8]>::first_chunk) else { return Some(HeaderLength::Begun) };
        let mut crc = Crc::new();
        crc.update(&bytes[..len]);
        if crc.sum() & 0xffff != u32::from(u16::from_le_bytes(sum)) {
            return None;
        }
        len += sum.len();
    }
    Some(if len <= bytes.len() { HeaderLength::Whole(len) } else { HeaderLength::Begun })
}

fn damaged() -> Problem {
    Problem::new(
        "damaged_archive",
        "The gzip archive is damaged and cannot be unpacked. Pack it again, and drop it again.",
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// The plain bytes, or the code of the problem.
    fn unpack(bytes: &[u8], size: usize) -> Result<Vec<u8>, String> {
        let mut unpacker = Decompressor::default();
        let mut all = Vec::new();
        for mut piece in bytes.chunks(size).chain([&[][..]]) {
            loop {
                let (taken, plain) = unpacker.take(piece).map_err(|error| error.code.into_owned())?;
                assert!(plain.len() <= STEP_BYTES);
                all.extend_from_slice(plain);
                let is_done = plain.is_empty() && taken == piece.len();
                piece = &piece[taken..];
                if is_done {
                    break;
                }
            }
        }
        unpacker.finish().map_err(|error| error.code.into_owned())?;
        Ok(all)
    }

    #[test]
    fn members_follow_each_other_and_zeros_the_last() {
        let mut named = flate2::GzBuilder::new()
            .filename("agents.csv")
            .comment("of Monday")
            .extra(vec![7; 600])
            .write(Vec::new(), Compression::best());
        named.write_all(b"a,b\n").unwrap();
        let packed = [named.finish().unwrap(), gzip(b""), gzip(b"c,d\n"), vec![0; 1000]].concat();
        for size in [1, 7, 511, 1 << 20] {
            assert_eq!(unpack(&packed, size), Ok(b"a,b\nc,d\n".to_vec()), "in pieces of {size}");
        }
    }

    #[test]
    fn a_header_with_a_check_sum_is_held_to_it() {
        let plain = gzip(b"a,b\n");
        let mut head = plain[..10].to_vec();
        head[3] = 2;
        let mut crc = Crc::new();
        crc.update(&head);
        let sum = crc.sum().to_le_bytes();
        let summed = |sum: &[u8]| [&head, sum, &plain[10..]].concat();
        for size in [1, 1000] {
            assert_eq!(unpack(&summed(&sum[..2]), size), Ok(b"a,b\n".to_vec()));
            assert_eq!(unpack(&summed(&[sum[0], !sum[1]]), size), Err("damaged_archive".into()));
        }
    }

    #[test]
    fn what_is_cut_short_or_damaged_is_refused_wherever() {
        let text: Vec<u8> = (0..2000_u32).flat_map(|n| format!("agent{n},Language,German,3\n").into_bytes()).collect();
        let packed = gzip(&text);
        for len in (1..packed.len()).step_by(97).chain([2, 9, 10, 11, packed.len() - 8, packed.len() - 1]) {
            assert_eq!(unpack(&packed[..len], 1000), Err("cut_short".into()), "after {len} bytes");
        }
        for at in [0, 1, 2, 3].into_iter().chain((40..packed.len()).step_by(501)).chain([packed.len() - 5]) {
            let mut damaged = packed.clone();
            damaged[at] ^= 0xe0;
            let read = unpack(&damaged, 1000);
            assert!(at == 0 || read.is_err_and(|code| code == "damaged_archive" || code == "cut_short"), "at {at}");
        }
        let next = gzip(b"more");
        for len in 1..next.len() {
            let cut = [packed.as_slice(), &next[..len]].concat();
            assert_eq!(unpack(&cut, 1000), Err("cut_short".into()), "after {len} bytes of the next member");
        }
        let followed = [packed.as_slice(), b"user,attribute"].concat();
        assert_eq!(unpack(&followed, 1000), Err("damaged_archive".into()));
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(text in prop::collection::vec(any::<u8>(), 0..300), n in 1..2000_usize, size in 1..900_usize) {
            let text = text.repeat(n);
            let (head, tail) = text.split_at(text.len() / 3);
            prop_assert_eq!(unpack(&[gzip(head), gzip(tail)].concat(), size), Ok(text));
        }
    }
}
