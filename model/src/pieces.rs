//! Live media in pieces. What receives a message grows its buffer to twice the message and keeps it: a part of a few hundred
//! kilobytes would cost each subscription a megabyte for good. So long data go ahead of their event, a piece at a time.
//!
//! ```
//! use headwater_model::pieces::{Joined, PIECE_BYTES, split};
//! use headwater_model::proto::worker::{LiveEvent, Part, live_event::Kind};
//!
//! let data = vec![7; PIECE_BYTES + 1].into();
//! let part = LiveEvent { kind: Some(Kind::Part(Part { data, ..Part::default() })) };
//! let mut joined = Joined::default();
//! let whole: Vec<LiveEvent> = split(part.clone())
//!     .filter_map(|event| joined.take(event).expect("within bounds"))
//!     .collect();
//! assert_eq!(whole, [part]);
//! ```

use bytes::Bytes;

use crate::proto::worker::{LiveEvent, live_event::Kind};

/// Bytes of one piece at most.
pub const PIECE_BYTES: usize = 64 << 10;
/// Bytes of one part's or segment's data at most.
pub const DATA_BYTES_MAX: usize = 64 << 20;

/// An event as it travels: the pieces of its data, and then itself with what remains. Bytes are shared, not copied.
pub fn split(mut event: LiveEvent) -> impl Iterator<Item = LiveEvent> + Send {
    let mut rest = data(&mut event).map(std::mem::take).unwrap_or_default();
    let mut event = Some(event);
    std::iter::from_fn(move || {
        if rest.len() > PIECE_BYTES {
            let kind = Some(Kind::Piece(rest.split_to(PIECE_BYTES)));
            return Some(LiveEvent { kind });
        }
        let mut event = event.take()?;
        if let Some(data) = data(&mut event) {
            *data = std::mem::take(&mut rest);
        }
        Some(event)
    })
}

/// What holds an event's media.
fn data(event: &mut LiveEvent) -> Option<&mut Bytes> {
    match event.kind.as_mut()? {
        Kind::Part(part) => Some(&mut part.data),
        Kind::Segment(segment) => Some(&mut segment.data),
        _ => None,
    }
}

/// Pieces that wait for their event.
#[derive(Debug, Default)]
pub struct Joined {
    pieces: Vec<Bytes>,
    len: usize,
}

/// More than [`DATA_BYTES_MAX`] came before an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {DATA_BYTES_MAX} bytes of one part or segment")]
pub struct TooLong;

impl Joined {
    /// Takes what came. `None` for a piece; an event has all of its data, in an allocation of its own: as it came, it is a
    /// slice of the receive buffer and would keep all of that.
    pub fn take(&mut self, mut event: LiveEvent) -> Result<Option<LiveEvent>, TooLong> {
        if let Some(Kind::Piece(piece)) = event.kind {
            self.len += piece.len();
            if self.len > DATA_BYTES_MAX {
                return Err(TooLong);
            }
            self.pieces.push(piece);
            return Ok(None);
        }
        if let Some(data) = data(&mut event) {
            let mut whole = Vec::with_capacity(self.len + data.len());
            for piece in self.pieces.drain(..) {
                whole.extend_from_slice(&piece);
            }
            whole.extend_from_slice(data);
            *data = whole.into();
            self.len = 0;
        }
        Ok(Some(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::worker::{Part, Segment, Synced};

    fn part(len: usize) -> LiveEvent {
        let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let part = Part {
            data: data.into(),
            seq: 9,
            ..Part::default()
        };
        LiveEvent {
            kind: Some(Kind::Part(part)),
        }
    }

    #[test]
    fn what_is_split_is_joined_again_and_no_message_is_long() {
        let synced = LiveEvent {
            kind: Some(Kind::Synced(Synced {})),
        };
        let segment = LiveEvent {
            kind: Some(Kind::Segment(Segment::default())),
        };
        let sizes = [
            0,
            1,
            PIECE_BYTES - 1,
            PIECE_BYTES,
            PIECE_BYTES + 1,
            5 * PIECE_BYTES,
            1_000_003,
        ];
        let mut events: Vec<LiveEvent> = sizes.map(part).into();
        events.insert(3, synced);
        events.push(segment);
        let travels: Vec<LiveEvent> = events.iter().cloned().flat_map(split).collect();
        for event in &travels {
            let len = match &event.kind {
                Some(Kind::Piece(piece)) => piece.len(),
                Some(Kind::Part(part)) => part.data.len(),
                _ => 0,
            };
            assert!(len <= PIECE_BYTES, "{len}");
        }
        let mut joined = Joined::default();
        let again: Vec<LiveEvent> = travels
            .into_iter()
            .filter_map(|event| joined.take(event).expect("within bounds"))
            .collect();
        assert_eq!(again, events);
    }

    #[test]
    fn pieces_without_end_are_refused() {
        let piece = LiveEvent {
            kind: Some(Kind::Piece(vec![0; PIECE_BYTES].into())),
        };
        let mut joined = Joined::default();
        for _ in 0..DATA_BYTES_MAX / PIECE_BYTES {
            assert_eq!(joined.take(piece.clone()), Ok(None));
        }
        assert_eq!(joined.take(piece), Err(TooLong));
    }
}
