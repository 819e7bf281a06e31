//! Messages that only the moment knew, such as the service's own: each code and sentence once.

use chrono::DateTime;

use crate::connect::ConnectError;
use crate::input::{Interner, Symbol};
use crate::outcome::{MessageId, Outcome, Status};

/// A code and a sentence, as one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum MessageText {}

/// No code has a line break.
const SEPARATOR: char = '\n';

/// Messages by their [`MessageId`].
#[derive(Debug, Default)]
pub struct Messages {
    texts: Interner<MessageText>,
    /// In the order of first use, as ids count.
    symbols: Vec<Symbol<MessageText>>,
}

impl Messages {
    /// The id of a message, which is kept if it is new.
    pub fn intern(&mut self, code: &str, sentence: &str) -> MessageId {
        let symbol = self.texts.intern(&format!("{code}{SEPARATOR}{sentence}"));
        // The interner begins with the empty text, which is no message.
        let index = symbol.index() - 1;
        if index == self.symbols.len() {
            self.symbols.push(symbol);
        }
        MessageId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The outcome of what the service refused, with its code and its word for it.
    pub fn failed(&mut self, error: &ConnectError) -> Outcome {
        Outcome::with_message(Status::Failed, self.intern(&error.code, &error.user_message()))
    }

    /// The code and the sentence of a message; nothing of one that is not there.
    pub fn get(&self, id: MessageId) -> (String, String) {
        let text = self.symbols.get(id.0 as usize).map_or("", |symbol| self.texts.resolve(*symbol));
        let (code, sentence) = text.split_once(SEPARATOR).unwrap_or_default();
        (code.to_owned(), sentence.to_owned())
    }
}

/// Why a user was not read; it was last seen so many seconds after 1970.
pub(super) fn as_recorded(seen_at: u32) -> String {
    let seen_at = DateTime::from_timestamp_secs(i64::from(seen_at)).unwrap_or_default();
    let seen_at = seen_at.format("%Y-%m-%d at %H:%M UTC");
    format!("Not read again: the user had this on {seen_at}, and no import has written to it since.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_kept_once_and_comes_back_in_two() {
        let mut messages = Messages::default();
        let refused = messages.intern("InvalidParameterException", "Two\nlines.");
        let bare = messages.intern("", "");
        assert_eq!(messages.intern("InvalidParameterException", "Two\nlines."), refused);
        assert_ne!(messages.intern("InvalidParameterException", "Another."), refused);
        assert_eq!(messages.get(refused), ("InvalidParameterException".to_owned(), "Two\nlines.".to_owned()));
        assert_eq!((messages.get(bare), messages.get(MessageId(99))), Default::default());
    }
}
