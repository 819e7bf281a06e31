//! Any bytes as text: the same wherever the pieces end, nothing is lost, and UTF-8 is what it is.
#![no_main]

use connect_bulk_import::input::Decoder;
use connect_bulk_import::outcome::Problem;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (u8, u8, &[u8])| {
    let (size, n_before, bytes) = data;
    // The first letter beyond ASCII decides: it may come late.
    let bytes = if bytes.len() < 2 || n_before < 128 {
        bytes.to_vec()
    } else {
        let (mark, rest) = bytes.split_at(2);
        [mark, &b"a".repeat(usize::from(n_before)), rest].concat()
    };
    let whole = decode(&bytes, usize::MAX);
    assert_eq!(decode(&bytes, usize::from(size).max(1)), whole);
    let Ok(text) = whole else { return };
    if let Ok(utf8) = std::str::from_utf8(&bytes) {
        assert_eq!(text, utf8);
    }
    let is_utf16 = matches!(bytes[..], [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let n_ascii = |bytes: &[u8]| bytes.iter().filter(|byte| byte.is_ascii()).count();
    if !is_utf16 {
        assert_eq!(n_ascii(text.as_bytes()), n_ascii(&bytes), "what is ASCII stays");
    }
});

fn decode(bytes: &[u8], size: usize) -> Result<String, Problem> {
    let mut decoder = Decoder::default();
    let mut text = String::new();
    for piece in bytes.chunks(size) {
        text.push_str(decoder.decode(piece)?);
    }
    text.push_str(decoder.finish()?);
    Ok(text)
}
