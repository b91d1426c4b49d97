//! The server's frames as text, but for events, which are spliced from their stored texts.

use serde::Serialize;
use twinstore_protocol::{
    ClientRow, ErrorFrame, LogId, Rejection, Seq, SnapshotPart, StreamId, tag,
};

use crate::event::json;
use crate::stream::ask::{Outcome, Refused, State};

/// A message as a frame: its JSON text with `t` in front.
pub(super) fn frame<T: Serialize>(tag: &str, message: &T) -> String {
    let body = json(message);
    format!(r#"{{"t":"{tag}",{}"#, &body[1..])
}

/// An `error` frame of the twin protocol.
#[must_use]
pub fn error_frame(code: &str, message: &str, stream: Option<&str>) -> String {
    let frame_of = ErrorFrame {
        code: code.to_owned(),
        message: message.to_owned(),
        stream: stream.map(str::to_owned),
    };
    frame(tag::ERROR, &frame_of)
}

/// A state in parts that fit the frame limit.
pub(super) fn snapshot_frames(
    stream: &StreamId,
    log: Option<&LogId>,
    schema: u32,
    state: &State,
    rows: &[ClientRow],
    part_bytes: usize,
) -> Vec<String> {
    let body = format!(r#"{{"state":{},"clients":{}}}"#, state.state, json(&rows));
    let pieces = pieces(&body, part_bytes);
    let parts = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    let part = |(part, data): (u32, &&str)| SnapshotPart {
        stream: stream.clone(),
        log: log.cloned(),
        seq: state.seq,
        chain: state.chain.clone(),
        schema,
        part,
        parts,
        data: (*data).to_owned(),
    };
    (1..).zip(&pieces).map(part).map(|part| frame(tag::SNAPSHOT, &part)).collect()
}

/// Cuts a text into pieces of at most so many bytes, between characters.
fn pieces(mut text: &str, bytes: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while text.len() > bytes {
        let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let (piece, rest) = text.split_at(end);
        pieces.push(piece);
        text = rest;
    }
    pieces.push(text);
    pieces
}

/// What a thin sender is told of one entry.
#[must_use]
pub fn outcome_frames(outcome: &Outcome) -> Vec<String> {
    match outcome {
        Outcome::New(commit, index) => {
            let decided = &commit.events[*index];
            match &decided.event.error {
                Some(error) => vec![rejected_frame(decided.event.seq, error)],
                None if decided.records.is_empty() => vec![seq_frame(decided.event.seq)],
                None => decided.records.iter().map(ToString::to_string).collect(),
            }
        }
        Outcome::Known(row) => vec![match &row.error {
            Some(error) => rejected_frame(row.seq, error),
            None => seq_frame(row.seq),
        }],
    }
}

/// What a thin sender is told where an entry was not taken.
#[must_use]
pub fn refused_frame(refused: &Refused) -> String {
    thin_error(refused.refusal.code, &refused.refusal.reason)
}

pub(super) fn thin_error(code: &str, reason: &str) -> String {
    let error = Rejection { code: code.to_owned(), reason: reason.to_owned() };
    format!(r#"{{"error":{}}}"#, json(&error))
}

pub(super) fn seq_frame(seq: Seq) -> String {
    format!(r#"{{"seq":{}}}"#, seq.0)
}

pub(super) fn state_frame(seq: Seq, state: &str) -> String {
    format!(r#"{{"seq":{},"state":{state}}}"#, seq.0)
}

pub(super) fn rejected_frame(seq: Seq, error: &Rejection) -> String {
    format!(r#"{{"seq":{},"error":{}}}"#, seq.0, json(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text() {
        let text = "äöü€".repeat(100);
        for bytes in 4..20 {
            let pieces = pieces(&text, bytes);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| piece.len() <= bytes && !piece.is_empty()));
        }
        assert_eq!(pieces("", 4), [""]);
    }
}
