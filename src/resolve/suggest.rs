//! "Did you mean ...?": the known text that a mistyped one is near to.
//!
//! Suggester is: the same but for case, the same before an `@`, or one letter off (missing, added, changed, or two swapped).
//! Comparing each unknown text with each known one would take minutes where both are many. Two texts that are one letter
//! off become equal when a letter is left out of one or both, so each known text is kept under each of its shortened
//! forms, and a question costs as many look-ups as it has letters.

use std::collections::HashMap;

/// Above this, only case and `@` are compared: the shortened forms of more names would take too much memory.
const MAX_INDEXED: usize = 50_000;
/// Below this many letters, one letter off is another word.
const MIN_LETTERS: usize = 4;
/// No name in Connect is longer than 100 characters.
const MAX_LETTERS: usize = 100;

/// Known texts, ready to be asked.
#[derive(Debug, Default)]
pub struct Suggester {
    known: Vec<String>,
    folded: HashMap<String, u32>,
    /// Hashes of the shortened forms, sorted.
    shortened: Vec<(u64, u32)>,
}

impl Suggester {
    /// An index of the known texts. Of two that are equally near, the earlier is meant.
    pub fn new(known: impl IntoIterator<Item = String>) -> Self {
        let known: Vec<String> = known.into_iter().collect();
        let mut near = Self { known, ..Self::default() };
        for (place, text) in (0..).zip(&near.known) {
            near.folded.entry(fold(text)).or_insert(place);
        }
        for (place, text) in (0..).zip(&near.known) {
            if let Some((local, _)) = text.split_once('@') {
                near.folded.entry(fold(local)).or_insert(place);
            }
        }
        if near.known.len() <= MAX_INDEXED {
            for (place, text) in (0..).zip(&near.known) {
                near.shortened.extend(shortened(&fold(text)).into_iter().map(|hash| (hash, place)));
            }
            near.shortened.sort_unstable();
            near.shortened.dedup();
        }
        near
    }

    /// The known text that was probably meant.
    pub fn best(&self, text: &str) -> Option<&str> {
        let folded = fold(text);
        let local = folded.split_once('@').map(|(local, _)| local);
        let same = self.folded.get(&folded).or_else(|| self.folded.get(local?)).copied();
        same.or_else(|| self.one_letter_off(&folded)).map(|place| self.known[place as usize].as_str())
    }

    /// All known texts that may have been meant.
    pub fn candidates(&self, text: &str) -> impl Iterator<Item = &str> {
        let folded = fold(text);
        let same = self.folded.get(&folded).or_else(|| self.folded.get(folded.split_once('@')?.0)).copied();
        let near = same.map_or_else(|| self.all_one_letter_off(&folded), |place| vec![place]);
        near.into_iter().map(|place| self.known[place as usize].as_str())
    }

    fn one_letter_off(&self, folded: &str) -> Option<u32> {
        self.all_one_letter_off(folded).into_iter().min()
    }

    fn all_one_letter_off(&self, folded: &str) -> Vec<u32> {
        let candidates = shortened(folded).into_iter().flat_map(|hash| {
            let first = self.shortened.partition_point(|&(other, _)| other < hash);
            self.shortened[first..].iter().take_while(move |&&(other, _)| other == hash).map(|&(_, place)| place)
        });
        candidates.filter(|&place| strsim::osa_distance(folded, &fold(&self.known[place as usize])) == 1).collect()
    }
}

/// "; did you mean 'this'" or nothing, for the end of a question.
pub fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean '{near}'"))
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Hashes of the text itself and of the text less each one of its letters.
fn shortened(text: &str) -> Vec<u64> {
    let n_letters = text.chars().count();
    if !(MIN_LETTERS..=MAX_LETTERS).contains(&n_letters) {
        return Vec::new();
    }
    let mut hashes = vec![hash_of(text, "")];
    hashes
        .extend(text.char_indices().map(|(start, letter)| hash_of(&text[..start], &text[start + letter.len_utf8()..])));
    hashes
}

/// The hash of two pieces as of one text.
fn hash_of(head: &str, tail: &str) -> u64 {
    // FNV-1a: short texts, and the pieces need not be joined first.
    let bytes = head.bytes().chain(tail.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(text: &str) -> Option<String> {
        let known = ["JDoe", "asmith", "m.mueller@example.com", "Ann", "Zoë Wagner"].map(str::to_owned);
        Suggester::new(known).best(text).map(str::to_owned)
    }

    #[test]
    fn near_is_case_the_part_before_the_at_sign_and_one_letter() {
        for (text, known) in [
            ("jdoe", Some("JDoe")),
            (" jdoe ", Some("JDoe")),
            ("jdoe@example.com", Some("JDoe")),
            ("m.mueller", Some("m.mueller@example.com")),
            ("asmit", Some("asmith")),
            ("asmithh", Some("asmith")),
            ("asmiht", Some("asmith")),
            ("bsmith", Some("asmith")),
            ("zoe wagner", Some("Zoë Wagner")),
            ("ann", Some("Ann")),
            ("amn", None),
            ("smythe", None),
            ("", None),
        ] {
            assert_eq!(near(text).as_deref(), known, "{text:?}");
        }
    }

    #[test]
    fn whatever_is_one_letter_off_is_found() {
        let known: Vec<String> = (0..500).map(|number| format!("agent{:04}", number * 7)).collect();
        let suggester = Suggester::new(known.clone());
        for name in &known {
            let mut letters: Vec<char> = name.chars().collect();
            letters.swap(2, 3);
            let swapped: String = letters.iter().collect();
            assert_eq!(suggester.best(&swapped), Some(name.as_str()));
            assert_eq!(suggester.best(&name[1..]), Some(name.as_str()));
            assert_eq!(suggester.best(&format!("{name}x")), Some(name.as_str()));
        }
    }
}
