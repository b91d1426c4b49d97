//! Texts of any size: in an item, or in parts beside it.
//!
//! Parts are written before the item that names them, under a name of their own, so that no reader
//! sees half of a text. Parts whose item was never written, since the process died between, are
//! waste and nothing else.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::calls::{CallError, Expression, token};
use crate::compress::{compressed, whole_of};
use crate::item::{Item, number, number_in, text, text_of};
use crate::limits;
use crate::store::{Store, key};

impl Store {
    /// The attributes of a text: itself, as `stored` writes it, or the name of its parts, which are
    /// written.
    pub(crate) async fn place_text(
        &self,
        table: &str,
        owner: &str,
        whole: &str,
        stored: fn(&str) -> AttributeValue,
    ) -> Result<Item, CallError> {
        let mut attributes = Item::new();
        if whole.len() <= limits::ITEM_BYTES {
            attributes.insert("text".to_owned(), stored(whole));
            return Ok(attributes);
        }
        let name = token()?;
        let mut count = 0;
        for part in pieces(whole) {
            let mut item = part_key(owner, &name, count);
            item.insert("text".to_owned(), compressed(part));
            self.put(table, item, Expression::default()).await?;
            count += 1;
        }
        attributes.insert("parts".to_owned(), text(name));
        attributes.insert("count".to_owned(), number(count));
        Ok(attributes)
    }

    /// The text of an item.
    pub(crate) async fn text_of(
        &self,
        table: &str,
        owner: &str,
        item: &Item,
    ) -> Result<String, CallError> {
        let Some(count) = number_in(item, "count")? else {
            return whole_of(item, "text");
        };
        let name = text_of(item, "parts")?;
        let mut whole = String::new();
        for part in 0..count {
            let part = self.get(table, part_key(owner, name, part)).await?;
            let part = part.ok_or_else(|| crate::item::malformed("parts"))?;
            whole.push_str(&whole_of(&part, "text")?);
        }
        Ok(whole)
    }

    /// Puts an item whose parts are written, unless the one that is there is to stay. The parts of
    /// the other one go.
    pub(crate) async fn put_with_parts(
        &self,
        table: &str,
        owner: &str,
        item: Item,
        when: Expression,
    ) -> Result<(), CallError> {
        match self.put(table, item.clone(), when).await {
            Ok(Some(old)) => self.drop_parts(table, owner, &old).await,
            Ok(None) => Ok(()),
            Err(CallError::Condition { .. }) => self.drop_parts(table, owner, &item).await,
            Err(error) => Err(error),
        }
    }

    /// Deletes the parts of an item that is no more.
    pub(crate) async fn drop_parts(
        &self,
        table: &str,
        owner: &str,
        item: &Item,
    ) -> Result<(), CallError> {
        let Some(count) = number_in(item, "count")? else { return Ok(()) };
        let name = text_of(item, "parts")?;
        for part in 0..count {
            self.delete(table, part_key(owner, name, part)).await?;
        }
        Ok(())
    }
}

fn part_key(owner: &str, name: &str, part: u64) -> Item {
    key(owner, &format!("part/{name}/{part:06}"))
}

/// Cuts a text between characters.
fn pieces(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let end = rest.len().min(limits::ITEM_BYTES);
        let end = (0..=end).rev().find(|end| rest.is_char_boundary(*end))?;
        let (piece, left) = rest.split_at(end);
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text() {
        let text = "aäö€".repeat(100_000);
        let pieces: Vec<_> = pieces(&text).collect();
        assert_eq!(pieces.concat(), text);
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.len() <= limits::ITEM_BYTES));
    }
}
