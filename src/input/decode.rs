//! Bytes of any encoding to text, in one pass.
//!
//! - A byte order mark says UTF-8 or UTF-16.
//! - Without a mark, the first letter beyond ASCII decides for the rest of the file: if its bytes are UTF-8, the file is
//!   UTF-8; if not, the file is Windows-1252, as Excel's plain "CSV" is in Western Europe and America. The text before that
//!   letter is ASCII, which is the same in both: nothing need be read again, even if the letter is in the millionth row.
//! - In a file that is UTF-8, bytes that are not are read as Windows-1252: people join files of both encodings, and a stray
//!   byte must not spoil the letters of all rows below it.
//!
//! The text depends on the bytes only, not on where the pieces end: a file reads the same each time.

use encoding_rs::{Decoder as Streaming, Encoding as Name, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::sniff;
use crate::outcome::Problem;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A decoder that takes bytes piece by piece.
#[derive(Debug, Default)]
pub struct Decoder {
    encoding: Encoding,
    /// Bytes that cannot be read yet: the beginning of the file, or of a letter.
    held: Vec<u8>,
    /// The decoded text, where the bytes are not the text themselves.
    text: String,
}

#[derive(Default)]
enum Encoding {
    /// Too little of the file has come.
    #[default]
    Unknown,
    /// No letter beyond ASCII has come.
    Ascii,
    Utf8,
    /// Windows-1252 or UTF-16.
    Other(Streaming),
}

impl std::fmt::Debug for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Ascii => "Ascii",
            Self::Utf8 => "Utf8",
            Self::Other(decoder) => decoder.encoding().name(),
        })
    }
}

impl Encoding {
    fn other(name: &'static Name) -> Self {
        Self::Other(name.new_decoder_without_bom_handling())
    }

    /// Takes note of text that is UTF-8: if it has letters beyond ASCII, all of the file is UTF-8.
    fn has_seen(&mut self, text: &str) {
        if matches!(self, Self::Ascii) && !text.is_ascii() {
            *self = Self::Utf8;
        }
    }
}

impl Decoder {
    /// The text of the next bytes, a byte order mark included. A letter that is not whole yet comes with the bytes that
    /// follow.
    pub fn decode<'b>(&'b mut self, bytes: &'b [u8]) -> Result<&'b str, Problem> {
        if matches!(self.encoding, Encoding::Unknown) {
            if self.held.len() + bytes.len() < sniff::HEAD_BYTES {
                self.held.extend_from_slice(bytes);
                return Ok("");
            }
            self.begin(bytes)?;
        }
        Ok(self.read(bytes, false))
    }

    /// The file ends here: the rest of the text.
    pub fn finish(&mut self) -> Result<&str, Problem> {
        if matches!(self.encoding, Encoding::Unknown) {
            self.begin(&[])?;
        }
        Ok(self.read(&[], true))
    }

    /// Finds the encoding from the first bytes.
    fn begin(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let n_missing = sniff::HEAD_BYTES.saturating_sub(self.held.len());
        let mut head = self.held.clone();
        head.extend_from_slice(&bytes[..bytes.len().min(n_missing)]);
        sniff::refuse(&head)?;
        self.encoding = match head.as_slice() {
            [0xff, 0xfe, ..] => Encoding::other(UTF_16LE),
            [0xfe, 0xff, ..] => Encoding::other(UTF_16BE),
            head if head.starts_with(BOM) => Encoding::Utf8,
            _ => Encoding::Ascii,
        };
        Ok(())
    }

    fn read<'b>(&'b mut self, bytes: &'b [u8], is_end: bool) -> &'b str {
        let is_utf8 = matches!(self.encoding, Encoding::Ascii | Encoding::Utf8);
        // Nearly always the piece is UTF-8, and is handed on without a copy.
        if is_utf8
            && self.held.is_empty()
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            self.encoding.has_seen(text);
            return text;
        }
        self.text.clear();
        self.held.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.held);
        let n_read = if is_utf8 { self.read_utf8(&bytes, is_end) } else { 0 };
        match &mut self.encoding {
            Encoding::Other(decoder) => read_other(decoder, &bytes[n_read..], is_end, &mut self.text),
            _ => self.held = bytes[n_read..].to_vec(),
        }
        &self.text
    }

    /// Reads UTF-8 up to a letter that is not whole, or up to the first byte that is not UTF-8. Returns how many bytes it
    /// read.
    fn read_utf8(&mut self, bytes: &[u8], is_end: bool) -> usize {
        let mut n_read = 0;
        for chunk in bytes.utf8_chunks() {
            self.encoding.has_seen(chunk.valid());
            self.text.push_str(chunk.valid());
            n_read += chunk.valid().len();
            let wrong = chunk.invalid();
            if wrong.is_empty() || (!is_end && n_read + wrong.len() == bytes.len() && may_go_on(wrong)) {
                break;
            }
            if matches!(self.encoding, Encoding::Ascii) {
                self.encoding = Encoding::other(WINDOWS_1252);
                break;
            }
            self.text.push_str(&WINDOWS_1252.decode_without_bom_handling(wrong).0);
            n_read += wrong.len();
        }
        n_read
    }
}

/// Whether these bytes, which are not UTF-8, are the beginning of a letter that is.
fn may_go_on(wrong: &[u8]) -> bool {
    std::str::from_utf8(wrong).is_err_and(|error| error.error_len().is_none())
}

fn read_other(decoder: &mut Streaming, bytes: &[u8], is_end: bool, text: &mut String) {
    let most = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 4);
    text.reserve(most);
    // There is room for all that can come, so one call reads all.
    let _ = decoder.decode_to_string(bytes, text, is_end);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the bytes say, in pieces that end at each of these places.
    fn decode(bytes: &[u8], cuts: &[usize]) -> String {
        let mut decoder = Decoder::default();
        let mut all = String::new();
        let mut cuts = [&[0, bytes.len()], cuts].concat();
        cuts.sort_unstable();
        for cut in cuts.windows(2) {
            all.push_str(decoder.decode(&bytes[cut[0]..cut[1]]).unwrap());
        }
        all.push_str(decoder.finish().unwrap());
        all
    }

    fn decode_anyhow(bytes: &[u8]) -> String {
        let whole = decode(bytes, &[]);
        for size in [1, 2, 3, 5, 8, 200] {
            let cuts: Vec<_> = (0..bytes.len()).step_by(size).collect();
            assert_eq!(decode(bytes, &cuts), whole, "{bytes:?} in pieces of {size}");
        }
        whole
    }

    fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(to_bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_says_what_it_is() {
        let text = "\u{feff}Ä,€,𝄞\r\n".repeat(40);
        assert_eq!(decode_anyhow(text.as_bytes()), text);
        assert_eq!(decode_anyhow(&utf16(&text, u16::to_le_bytes)), text);
        assert_eq!(decode_anyhow(&utf16(&text, u16::to_be_bytes)), text);
        assert_eq!(decode_anyhow(b"\xff\xfea\0b\0c"), "\u{feff}ab\u{fffd}", "half a letter is one that cannot be read");
    }

    #[test]
    fn the_first_letter_beyond_ascii_decides() {
        let ascii = "jdoe,Language,German,3\n".repeat(100);
        let after = |bytes: &[u8]| {
            let text = decode_anyhow(&[ascii.as_bytes(), bytes].concat());
            text.strip_prefix(ascii.as_str()).unwrap().to_owned()
        };
        assert_eq!(after(b"M\xfcller \x93Spa\xdf\x94 \x80 \xc3\xbc"), "Müller “Spaß” € Ã¼");
        assert_eq!(after("Müller".as_bytes()), "Müller");
        assert_eq!(after(b"M\xc3\xbcller O\x92Brien M\xc3\xbcller \xe2\x82"), "Müller O’Brien Müller â‚");
        assert_eq!(after(b"M\xfc"), "Mü");
        assert_eq!(after(b"\xe2\x82"), "â‚");
        assert_eq!(decode_anyhow(b"\xef\xbb\xbfM\xfcller M\xc3\xbcller"), "\u{feff}Müller Müller");
        assert_eq!(decode_anyhow(b"M\xfcller"), "Müller");
        assert_eq!(decode_anyhow(b""), "");
    }

    proptest! {
        #[test]
        fn text_does_not_depend_on_where_the_pieces_end(
            head in prop::sample::select(vec![&b""[..], b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]),
            n_ascii in 0..200_usize,
            bytes in prop::collection::vec(prop_oneof![Just(b'a'), Just(0xc3), Just(0xbc), Just(0xe2), Just(0xdc), any::<u8>()], 0..60),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = [head, &b"a".repeat(n_ascii), &bytes].concat();
            let cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            if let Ok(text) = std::str::from_utf8(&bytes)
                && sniff::refuse(&bytes).is_ok()
            {
                prop_assert_eq!(decode(&bytes, &cuts), text);
            }
            if sniff::refuse(&bytes[..bytes.len().min(sniff::HEAD_BYTES)]).is_ok() {
                prop_assert_eq!(decode(&bytes, &cuts), decode(&bytes, &[]));
            }
        }

        #[test]
        fn each_encoding_reads_back(text in "[a-zÄß€é‚;,\n\"]{0,200}") {
            let marked = format!("\u{feff}{text}");
            prop_assert_eq!(decode(marked.as_bytes(), &[]), marked.as_str());
            prop_assert_eq!(decode(&utf16(&marked, u16::to_le_bytes), &[]), marked.as_str());
            prop_assert_eq!(decode(&utf16(&marked, u16::to_be_bytes), &[]), marked.as_str());
            let western = WINDOWS_1252.encode(&text).0;
            // "é€" is C9 80, which is UTF-8 for another letter: a guess has its limits.
            let first_chunk = western.utf8_chunks().next();
            if first_chunk.is_none_or(|chunk| chunk.valid().is_ascii()) {
                prop_assert_eq!(decode(&western, &[]), text);
            }
        }
    }
}
