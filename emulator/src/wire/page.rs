//! Results in pages.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::request::check_range;
use crate::{error::ApiError, operation::Operation, switches::Switches};

/// The page that a request asks for.
#[derive(Debug)]
pub(super) struct Page {
    operation: Operation,
    /// Where the page before ended; nothing for the first page.
    pub(super) after: String,
    size: usize,
    /// The page has nothing on it, though there is more.
    is_empty: bool,
}

/// One page of results.
#[derive(Debug)]
pub(super) struct Results<T> {
    pub(super) items: Vec<T>,
    pub(super) next_token: Option<String>,
}

impl Page {
    /// Checks what a request says about pages. Without a `MaxResults`, the most is given that may
    /// be asked for, or what the model names as its default.
    pub(super) fn new(
        operation: Operation,
        max_results: Option<i64>,
        token: Option<&str>,
        switches: &Switches,
    ) -> Result<Self, ApiError> {
        let (allowed, default) = sizes(operation);
        let size = max_results.unwrap_or(default);
        check_range(&size, "maxResults", &allowed)?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let cap = switches.page_size_cap.unwrap_or(usize::MAX).max(1);
        Ok(Self {
            operation,
            after: match token {
                Some(token) => cursor(operation, token)?,
                None => String::new(),
            },
            size: size.min(cap),
            is_empty: switches.empty_first_page && token.is_none(),
        })
    }

    /// Fills the page. `results` are what comes after [`Page::after`], in order, each with its place.
    pub(super) fn fill<T>(&self, results: impl Iterator<Item = (String, T)>) -> Results<T> {
        if self.is_empty {
            return Results { items: Vec::new(), next_token: Some(token(self.operation, &self.after)) };
        }
        let mut results = results.peekable();
        let mut items = Vec::new();
        let mut place = String::new();
        while let Some((next_place, item)) = results.next_if(|_| items.len() < self.size) {
            items.push(item);
            place = next_place;
        }
        let next_token = results.peek().map(|_| token(self.operation, &place));
        Results { items, next_token }
    }
}

impl Results<Value> {
    /// The body of an answer: the page under its name, the token if there is one, and the rest.
    pub(super) fn into_body(self, name: &str, mut rest: Value) -> Value {
        rest[name] = Value::Array(self.items);
        if let Some(token) = self.next_token {
            rest["NextToken"] = Value::String(token);
        }
        rest
    }
}

/// The sizes that may be asked for and the one that is given unasked. The model names a default for
/// `ListUsers` only; elsewhere the largest page is taken for it.
fn sizes(operation: Operation) -> (RangeInclusive<i64>, i64) {
    match operation {
        Operation::ListUsers => (1..=1000, 100),
        _ => (1..=100, 100),
    }
}

/// The token for what comes after a place: the operation and the place, in hexadecimal.
fn token(operation: Operation, place: &str) -> String {
    use std::fmt::Write as _;

    let plain = format!("{operation}\n{place}");
    plain.bytes().fold(String::new(), |mut token, byte| {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
        token
    })
}

/// The place that a token stands for, if it is one of this operation's.
fn cursor(operation: Operation, token: &str) -> Result<String, ApiError> {
    let digits: Option<Vec<_>> = token.chars().map(|digit| digit.to_digit(16)).collect();
    let bytes = digits.map(|digits| {
        let byte = |pair: &[u32]| pair.iter().fold(0, |byte, digit| byte * 16 + digit);
        let bytes = digits.chunks(2).map(byte);
        bytes.filter_map(|byte| u8::try_from(byte).ok()).collect()
    });
    let plain = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    plain
        .as_deref()
        .and_then(|plain| plain.split_once('\n'))
        .filter(|(name, _)| *name == operation.name())
        .map(|(_, place)| place.to_owned())
        .ok_or_else(|| ApiError::invalid_request("The NextToken is not valid."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation::{ListUserProficiencies, ListUsers};

    /// All pages of the numbers below `n`, two digits each.
    fn pages(n: usize, max_results: i64, switches: &Switches) -> Vec<usize> {
        let mut sizes = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = Page::new(ListUsers, Some(max_results), token.as_deref(), switches);
            let page = page.expect("a page");
            let results = (0..n).map(|i| (format!("{i:02}"), i)).filter(|(place, _)| *place > page.after);
            let filled = page.fill(results);
            sizes.push(filled.items.len());
            token = filled.next_token;
            if token.is_none() {
                return sizes;
            }
        }
    }

    #[test]
    fn pages_are_as_long_as_asked_and_the_last_has_no_token() {
        let plain = Switches::default();
        assert_eq!(pages(5, 2, &plain), [2, 2, 1]);
        assert_eq!(pages(4, 2, &plain), [2, 2]);
        assert_eq!(pages(0, 2, &plain), [0]);
    }

    #[test]
    fn pages_may_be_shorter_than_asked() {
        let short = Switches { page_size_cap: Some(1), empty_first_page: true, ..Switches::default() };
        assert_eq!(pages(2, 100, &short), [0, 1, 1]);
    }

    #[test]
    fn a_token_is_good_for_its_own_operation_only() {
        let theirs = token(ListUserProficiencies, "place é");
        assert_eq!(cursor(ListUserProficiencies, &theirs).as_deref(), Ok("place é"));
        for bad in [&theirs, "", "zz", "abc", "ffff"] {
            let error = cursor(ListUsers, bad).expect_err("a bad token");
            assert_eq!(error.code, "InvalidRequestException");
        }
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        for size in [0, 1001, -1] {
            let page = Page::new(ListUsers, Some(size), None, &Switches::default());
            assert_eq!(page.expect_err("too large").code, "InvalidParameterException");
        }
    }
}
