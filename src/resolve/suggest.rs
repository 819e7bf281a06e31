//! "Did you mean ...?": the known text that a mistyped one is near to.
//!
//! Near is, in this order:
//!
//! - what looks the same without case: spaces, characters without width, forms of a letter and letters of other alphabets
//!   do not count;
//! - what is the same without its wrapping (`CORP\jdoe`, `mailto:jdoe@example.com`, `Name <jdoe@example.com>`, `="001234"`),
//!   before an `@`, or without leading zeros;
//! - what is one letter off: missing, added, changed, or two swapped.
//!
//! Comparing each unknown text with each known one would take minutes where both are many. So each known text is indexed
//! under all its keys. Two texts that are one letter off become equal when a letter is left out of one or both: each known
//! text is also indexed under each of its shortened forms, and a question costs as many look-ups as it has letters.

use unicode_normalization::UnicodeNormalization as _;

use crate::input::{composed, has_no_width};

/// Above this, no text is found that is one letter off: the shortened forms of more names would take too much memory.
const MAX_INDEXED: usize = 50_000;
/// Below this many letters, one letter off is another word.
const MIN_LETTERS: usize = 4;
/// No name in Connect is longer than 100 characters.
const MAX_LETTERS: usize = 100;
/// How many texts a sentence names, and how many characters it tells apart.
const MAX_NAMED: usize = 10;
const MAX_TOLD_APART: usize = 3;

/// Known texts, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Suggester {
    known: Vec<String>,
    /// Hashes of the texts as they look, sorted.
    whole: Vec<(u64, u32)>,
    /// Hashes of their other keys, sorted.
    parts: Vec<(u64, u32)>,
    /// Hashes of their shortened forms, sorted.
    shortened: Vec<(u64, u32)>,
}

/// The known texts that a mistyped one may mean, at least one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Suggestion<'s> {
    known: Vec<&'s str>,
    /// How the only one differs, where nobody sees it.
    difference: Option<String>,
}

impl Suggester {
    /// An index of the known texts. Of two that are one letter off, the earlier one is suggested.
    pub(crate) fn new(known: impl IntoIterator<Item = String>) -> Self {
        let mut suggester = Self { known: known.into_iter().collect(), ..Self::default() };
        let is_indexed = suggester.known.len() <= MAX_INDEXED;
        for (index, text) in (0..).zip(&suggester.known) {
            let keys = keys(text);
            suggester.whole.push((hash_of(&keys[0], ""), index));
            suggester.parts.extend(keys[1..].iter().map(|key| (hash_of(key, ""), index)));
            if is_indexed {
                suggester.shortened.extend(shortened(&keys[0]).into_iter().map(|hash| (hash, index)));
            }
        }
        for hashes in [&mut suggester.whole, &mut suggester.parts, &mut suggester.shortened] {
            hashes.sort_unstable();
            hashes.dedup();
        }
        suggester
    }

    /// The known texts that were probably meant: all that are the same but for case or wrapping, or the first that is one
    /// letter off.
    pub(crate) fn best(&self, text: &str) -> Option<Suggestion<'_>> {
        let keys = keys(text);
        let found = match self.same(&keys).as_slice() {
            [] => vec![*self.one_letter_off(&keys).first()?],
            found => found.to_vec(),
        };
        let known: Vec<_> = found.into_iter().map(|index| self.text(index)).collect();
        let difference = if let [known] = known[..] { unseen_difference(text, known) } else { None };
        Some(Suggestion { known, difference })
    }

    /// Whether it finds every text that is one letter off: there are not too many.
    pub(crate) fn knows_all_near(&self) -> bool {
        self.known.len() <= MAX_INDEXED
    }

    /// All known texts that may have been meant.
    pub(crate) fn candidates(&self, text: &str) -> impl Iterator<Item = &str> {
        let keys = keys(text);
        let same = self.same(&keys);
        let near = if same.is_empty() { self.one_letter_off(&keys) } else { same };
        near.into_iter().map(|index| self.text(index))
    }

    fn text(&self, index: u32) -> &str {
        &self.known[index as usize]
    }

    /// The texts that have one of these keys: as a whole, else in part.
    fn same(&self, asked: &[String]) -> Vec<u32> {
        let whole = |key: &String| {
            let found = with_hash(&self.whole, hash_of(key, ""));
            found.filter(|&index| looks_without_case(self.text(index)) == *key).collect::<Vec<_>>()
        };
        let in_part = |key: &String| {
            let found = with_hash(&self.parts, hash_of(key, ""));
            found.filter(|&index| keys(self.text(index))[1..].contains(key)).collect::<Vec<_>>()
        };
        let mut found = asked.iter().map(whole).chain(asked.iter().map(in_part));
        found.find(|found| !found.is_empty()).unwrap_or_default()
    }

    /// The texts that are one letter off, as a whole or without the wrapping, in their order.
    fn one_letter_off(&self, asked: &[String]) -> Vec<u32> {
        let (whole, unwrapped) = (&*asked[0], without_wrapping(&asked[0]));
        let off = |key: &str| {
            let candidates = shortened(key).into_iter().flat_map(|hash| with_hash(&self.shortened, hash));
            let is_near = |index: &u32| strsim::osa_distance(key, &looks_without_case(self.text(*index))) == 1;
            let mut found: Vec<_> = candidates.filter(is_near).collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        match off(whole) {
            found if found.is_empty() && unwrapped != whole => off(unwrapped),
            found => found,
        }
    }
}

/// "; did you mean 'this'" or nothing, for the end of a question.
pub(crate) fn did_you_mean(near: Option<Suggestion<'_>>) -> String {
    let Some(Suggestion { known, difference }) = near else { return String::new() };
    let quoted = |text: &&str| format!("'{text}'");
    let mut named: Vec<_> = known.iter().take(MAX_NAMED).map(quoted).collect();
    if known.len() > MAX_NAMED {
        named.push(format!("one of {} others", known.len() - MAX_NAMED));
    }
    let last = named.pop().unwrap_or_default();
    let first = if named.is_empty() { String::new() } else { format!("{} or ", named.join(", ")) };
    let difference = difference.map_or_else(String::new, |difference| format!(", {difference}"));
    format!("; did you mean {first}{last}{difference}")
}

/// The keys of a text: as it looks, and what is left without its wrapping, before an `@` and without leading zeros, as far
/// as each differs.
fn keys(text: &str) -> Vec<String> {
    let whole = looks_without_case(text);
    let unwrapped = without_wrapping(&whole);
    let local = unwrapped.split_once('@').map_or(unwrapped, |(local, _)| local);
    let is_number = local.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_number { local.trim_start_matches('0') } else { local };
    let mut keys = Vec::with_capacity(1);
    for key in [whole.as_str(), unwrapped, local, number] {
        if keys.is_empty() || (!key.is_empty() && !keys.iter().any(|other| other == key)) {
            keys.push(key.to_owned());
        }
    }
    keys
}

/// A name without what mail programs, Windows and Excel put around it.
fn without_wrapping(text: &str) -> &str {
    let between = |open: char, close: char| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let address = || text.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
    let formula = || text.strip_prefix('=').filter(|rest| rest.starts_with('"'));
    let behind = || text.strip_prefix("mailto:").or_else(|| text.rsplit_once('\\').map(|(_, name)| name));
    let inner =
        address().or_else(formula).or_else(|| between('"', '"')).or_else(|| between('\'', '\'')).or_else(behind);
    inner.map_or(text, |inner| without_wrapping(inner.trim()))
}

/// The text as a person sees it: without characters of no width, with one space for all white space, and with the plain
/// form of each letter.
fn looks(text: &str) -> String {
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_ascii() {
        return spaced(text);
    }
    spaced(&text.nfkc().filter(|letter| !has_no_width(*letter)).map(plain_letter).collect::<String>())
}

fn looks_without_case(text: &str) -> String {
    looks(text).to_lowercase()
}

/// The ASCII letter that a letter of another alphabet, a dash or a quote looks like.
fn plain_letter(letter: char) -> char {
    const CYRILLIC: (&str, &str) = ("АВЕКМНОРСТУХЅІЈасеорухѕіј", "ABEKMHOPCTYXSIJaceopyxsij");
    const GREEK: (&str, &str) = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo");
    match letter {
        _ if letter.is_ascii() => letter,
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}'..='\u{201b}' | '\u{2bc}' | '\u{b4}' | '\u{2032}' => '\'',
        '\u{201c}'..='\u{201f}' | '\u{2033}' => '"',
        _ => {
            let alike = [CYRILLIC, GREEK].into_iter().flat_map(|(letters, plain)| letters.chars().zip(plain.chars()));
            alike.into_iter().find(|(other, _)| *other == letter).map_or(letter, |(_, plain)| plain)
        }
    }
}

/// How a known text differs from one that looks the same: "with a no-break space (U+00A0) instead of a space".
fn unseen_difference(asked: &str, known: &str) -> Option<String> {
    if asked == known || looks(asked) != looks(known) {
        return None;
    }
    if composed(asked) == composed(known) {
        let how = if composed(known) == known { "one character" } else { "two characters" };
        return Some(format!("with each letter and its accent as {how}"));
    }
    let (extra, lacking) = (only_in(asked, known), only_in(known, asked));
    let are_wide = |letters: &[char]| letters.iter().all(|letter| matches!(letter, '\u{ff01}'..='\u{ff5e}'));
    match (extra.as_slice(), lacking.as_slice()) {
        ([], []) => None,
        ([' '], []) => Some("with fewer spaces".to_owned()),
        ([], [' ']) => Some("with more spaces".to_owned()),
        ([], lacking) => Some(format!("with {}", named(lacking))),
        (extra, []) => Some(format!("without {}", named(extra))),
        (extra, _) if are_wide(extra) => Some("with ordinary letters instead of full-width ones".to_owned()),
        (_, lacking) if are_wide(lacking) => Some("with full-width letters instead of ordinary ones".to_owned()),
        (extra, lacking) => Some(format!("with {} instead of {}", named(lacking), named(extra))),
    }
}

/// The characters of a text that another one has less often, each once.
fn only_in(text: &str, other: &str) -> Vec<char> {
    let count = |text: &str, letter: char| text.chars().filter(|other| *other == letter).count();
    let mut found = Vec::new();
    for letter in text.chars() {
        if !found.contains(&letter) && count(text, letter) > count(other, letter) {
            found.push(letter);
        }
    }
    found
}

/// "a no-break space (U+00A0) and 'о' (U+043E)".
fn named(letters: &[char]) -> String {
    let name = |&letter: &char| {
        let name = match letter {
            ' ' => return "a space".to_owned(),
            '\u{21}'..='\u{7e}' => return format!("'{letter}'"),
            '\t' => "a tab",
            '\u{a0}' => "a no-break space",
            '\u{202f}' => "a narrow no-break space",
            '\u{3000}' => "a wide space",
            '\u{ad}' => "a soft hyphen",
            '\u{200b}' => "a zero-width space",
            '\u{200c}' | '\u{200d}' => "a zero-width joiner",
            '\u{2060}' => "a word joiner",
            '\u{feff}' => "a byte order mark",
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                "a mark of direction"
            }
            _ if letter.is_whitespace() => "another kind of space",
            _ if has_no_width(letter) || letter.is_control() => "a character that nobody sees",
            _ => &format!("'{letter}'"),
        };
        format!("{name} (U+{:04X})", u32::from(letter))
    };
    let mut names: Vec<_> = letters.iter().take(MAX_TOLD_APART).map(name).collect();
    if letters.len() > MAX_TOLD_APART {
        names.push("others".to_owned());
    }
    let last = names.pop().unwrap_or_default();
    if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) }
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

/// The indices beside a hash, in their order.
fn with_hash(sorted: &[(u64, u32)], hash: u64) -> impl Iterator<Item = u32> + '_ {
    let first = sorted.partition_point(|&(other, _)| other < hash);
    sorted[first..].iter().take_while(move |&&(other, _)| other == hash).map(|&(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggester(known: &[&str]) -> Suggester {
        Suggester::new(known.iter().map(|&text| text.to_owned()))
    }

    fn near(text: &str) -> Option<String> {
        let known = suggester(&["JDoe", "asmith", "m.mueller@example.com", "Ann", "Zoë Wagner"]);
        let suggestion = known.best(text)?;
        assert!(known.candidates(text).eq(suggestion.known.iter().copied()));
        Some(suggestion.known.join(" "))
    }

    #[test]
    fn near_is_case_the_part_before_the_at_sign_and_one_letter() {
        for (text, known) in [
            ("jdoe", Some("JDoe")),
            (" jdoe ", Some("JDoe")),
            ("jdoe@example.com", Some("JDoe")),
            ("m.mueller", Some("m.mueller@example.com")),
            ("M.Mueller@example.org", Some("m.mueller@example.com")),
            ("asmit", Some("asmith")),
            ("asmithh", Some("asmith")),
            ("asmiht", Some("asmith")),
            ("bsmith", Some("asmith")),
            ("zoe wagner", Some("Zoë Wagner")),
            ("ann", Some("Ann")),
            ("amn", None),
            ("smythe", None),
            ("", None),
            ("@", None),
        ] {
            assert_eq!(near(text).as_deref(), known, "{text:?}");
        }
    }

    #[test]
    fn whatever_is_one_letter_off_is_found() {
        let known: Vec<String> = (0..500).map(|number| format!("agent{:04}", number * 7)).collect();
        let suggester = Suggester::new(known.clone());
        let best = |text: &str| did_you_mean(suggester.best(text));
        for name in &known {
            let mut letters: Vec<char> = name.chars().collect();
            letters.swap(2, 3);
            let swapped: String = letters.iter().collect();
            let meant = format!("; did you mean '{name}'");
            assert_eq!(
                (best(&swapped), best(&name[1..]), best(&format!("{name}x"))),
                (meant.clone(), meant.clone(), meant)
            );
        }
    }

    #[test]
    fn a_name_is_found_whatever_a_program_put_around_it() {
        for text in [
            "CORP\\jdoe",
            "corp.example.com\\JDOE",
            "mailto:jdoe@example.com",
            "MAILTO:JDoe",
            "Doe, John <jdoe@example.com>",
            "<jdoe>",
            "\"Doe\" <mailto:jdoe@example.com>",
            "=\"jdoe\"",
            "\"jdoe\"",
            "'jdoe'",
            "“jdoe”",
            "ｊｄｏｅ",
            "ＪＤｏｅ＠example.com",
            "j\u{200b}doe",
            "jd\u{43e}e",
            "CORP\\jdoee",
        ] {
            assert_eq!(near(text).as_deref(), Some("JDoe"), "{text:?}");
        }
        for text in ["CORP\\", "<>", "=\"\"", "CORP\\somebody", "mailto:", "=jan", "\""] {
            assert_eq!(near(text), None, "{text:?}");
        }
        assert_eq!(suggester(&["CORP\\jdoe"]).best("jdoe").unwrap().known, ["CORP\\jdoe"]);
    }

    #[test]
    fn leading_zeros_do_not_hide_a_number() {
        let known = suggester(&["1234", "005678", "0", "a001"]);
        for (text, meant) in [
            ("001234", Some("1234")),
            ("=\"001234\"", Some("1234")),
            ("１２３４", Some("1234")),
            ("５６７８", Some("005678")),
            ("5678", Some("005678")),
            ("05678", Some("005678")),
            ("5678@example.com", Some("005678")),
            ("a1", None),
        ] {
            assert_eq!(known.best(text).map(|near| near.known[0]), meant, "{text:?}");
        }
    }

    #[test]
    fn all_that_differ_by_case_or_wrapping_only_are_named() {
        let known = suggester(&["JDoe", "jDoe", "asmith@a.example", "asmith@b.example", "asmith@c.example"]);
        let question = |text: &str| did_you_mean(known.best(text));
        assert_eq!(question("jdoe"), "; did you mean 'JDoe' or 'jDoe'");
        let all = "; did you mean 'asmith@a.example', 'asmith@b.example' or 'asmith@c.example'";
        assert_eq!(question("asmith"), all);
        assert_eq!(question("ASMITH@b.example"), "; did you mean 'asmith@b.example'");
        assert_eq!(known.candidates("jdoe").collect::<Vec<_>>(), ["JDoe", "jDoe"]);
        let many: Vec<_> = (0..13).map(|n| format!("jdoe@{n}.example")).collect();
        let question = did_you_mean(Suggester::new(many).best("jdoe"));
        assert!(question.ends_with("'jdoe@9.example' or one of 3 others"), "{question}");
    }

    #[test]
    fn what_nobody_sees_is_told() {
        let tell = |text: &str, known: &str| {
            let question = did_you_mean(suggester(&[known]).best(text));
            question.strip_prefix(&format!("; did you mean '{known}'")).expect(&question).to_owned()
        };
        for (text, known, told) in [
            ("Contact Center", "Contact\u{a0}Center", ", with a no-break space (U+00A0) instead of a space"),
            ("Contact\u{a0}Center", "Contact Center", ", with a space instead of a no-break space (U+00A0)"),
            ("Contact\u{2009}Center", "Contact Center", ", with a space instead of another kind of space (U+2009)"),
            ("Contact  Center", "Contact Center", ", with fewer spaces"),
            ("Contact Center", "Contact   Center", ", with more spaces"),
            ("German", "Ger\u{200b}man", ", with a zero-width space (U+200B)"),
            ("Ger\u{ad}man", "German", ", without a soft hyphen (U+00AD)"),
            ("\u{202d}jd\u{202c}oe", "jdoe", ", without a mark of direction (U+202D) and a mark of direction (U+202C)"),
            ("Ａｇｅｎｔ", "Agent", ", with ordinary letters instead of full-width ones"),
            ("Agent", "Ａｇｅｎｔ", ", with full-width letters instead of ordinary ones"),
            ("Оffice", "Office", ", with 'O' instead of 'О' (U+041E)"),
            ("O’Brien", "O'Brien", ", with ''' instead of '’' (U+2019)"),
            ("Tier\u{2011}1", "Tier-1", ", with '-' instead of '\u{2011}' (U+2011)"),
            ("ofﬁce", "office", ", with 'f' and 'i' instead of 'ﬁ' (U+FB01)"),
            ("Franc\u{327}ais", "Français", ", with each letter and its accent as one character"),
            ("Français", "Franc\u{327}ais", ", with each letter and its accent as two characters"),
            ("french", "French", ""),
            ("Frensh", "French", ""),
            ("CORP\\jdoe", "jdoe", ""),
        ] {
            assert_eq!(tell(text, known), told, "{text:?} for {known:?}");
        }
        assert_eq!(named(&['a', 'b', 'c', 'd']), "'a', 'b', 'c' and others");
    }
}
