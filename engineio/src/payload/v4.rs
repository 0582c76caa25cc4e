//! Revision 4: packets joined by 0x1E.

use std::iter::FusedIterator;

use crate::packet::{Packet, ParseError, Protocol, parse_text};

pub(super) const SEPARATOR: char = '\u{1e}';

/// Decodes a body; ends after the first error.
//= EIO4-PLD-01
//= EIO4-PLD-02
//= EIO4-PLD-03
pub(crate) fn decode_v4(
    body: &str,
) -> impl FusedIterator<Item = Result<Packet<'_>, ParseError>> + '_ {
    let mut packets = body.split(SEPARATOR);
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let packet = parse_text(Protocol::V4, packets.next()?);
        failed = packet.is_err();
        Some(packet)
    })
    .fuse()
}
