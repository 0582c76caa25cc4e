//! The chunks that wait for one client, in order.

use std::collections::VecDeque;

use super::chunk::Chunk;

/// Small messages share a chunk, so most connections never have two: the first takes no memory of its own.
#[derive(Debug, Default)]
#[cfg_attr(any(test, feature = "fuzzing"), derive(Clone))]
pub(super) struct Chunks {
    first: Option<Chunk>,
    /// What waits behind the first.
    #[expect(
        clippy::box_collection,
        reason = "absent from most connections, whose size counts"
    )]
    rest: Option<Box<VecDeque<Chunk>>>,
}

impl Chunks {
    pub(super) fn push_back(&mut self, chunk: Chunk) {
        if self.first.is_none() && self.rest.is_none() {
            self.first = Some(chunk);
        } else {
            self.rest.get_or_insert_default().push_back(chunk);
        }
    }

    pub(super) fn push_front(&mut self, chunk: Chunk) {
        if let Some(second) = self.first.replace(chunk) {
            self.rest.get_or_insert_default().push_front(second);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Chunk> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let rest = self.rest.as_mut()?;
        let next = rest.pop_front();
        if rest.is_empty() {
            self.rest = None;
        }
        next
    }

    /// The one chunk that waits; `None` when there is none, or when there may be more.
    #[inline]
    pub(super) fn only_mut(&mut self) -> Option<&mut Chunk> {
        self.first.as_mut().filter(|_| self.rest.is_none())
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Chunk> {
        match &mut self.first {
            Some(first) => Some(first),
            None => self.rest.as_mut()?.front_mut(),
        }
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut Chunk> {
        match self.rest.as_mut().and_then(|rest| rest.back_mut()) {
            Some(last) => Some(last),
            None => self.first.as_mut(),
        }
    }

    /// All of them in one place, to be changed anywhere.
    pub(super) fn as_deque(&mut self) -> &mut VecDeque<Chunk> {
        let all = self.rest.get_or_insert_default();
        if let Some(first) = self.first.take() {
            all.push_front(first);
        }
        all
    }
}

impl IntoIterator for Chunks {
    type Item = Chunk;
    type IntoIter = std::iter::Chain<
        std::option::IntoIter<Chunk>,
        std::collections::vec_deque::IntoIter<Chunk>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        let rest = self.rest.map(|rest| *rest).unwrap_or_default();
        self.first.into_iter().chain(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::chunk::Shape;

    fn chunk(byte: u8) -> Chunk {
        Chunk::own(vec![byte], Shape::Frames)
    }

    #[test]
    fn chunks_leave_in_the_order_of_a_deque_whatever_is_done_to_them() {
        // Every sequence of six steps, two bits each.
        for sequence in 0..1_u32 << 12 {
            let (mut chunks, mut model) = (Chunks::default(), VecDeque::new());
            for step in 0..6_u8 {
                match sequence >> (2 * step) & 3 {
                    0 => {
                        chunks.push_back(chunk(step));
                        model.push_back(step);
                    }
                    1 => {
                        chunks.push_front(chunk(step));
                        model.push_front(step);
                    }
                    2 => {
                        let popped = chunks.pop_front();
                        let popped = popped.and_then(|chunk| chunk.remaining().first().copied());
                        assert_eq!(popped, model.pop_front());
                    }
                    _ => assert_eq!(chunks.as_deque().len(), model.len()),
                }
                let front = chunks.front_mut().map(|chunk| chunk.remaining().to_vec());
                assert_eq!(front, model.front().map(|byte| vec![*byte]));
                let back = chunks.back_mut().map(|chunk| chunk.remaining().to_vec());
                assert_eq!(back, model.back().map(|byte| vec![*byte]));
            }
            let left = chunks
                .into_iter()
                .flat_map(|chunk| chunk.remaining().to_vec());
            assert!(left.eq(model), "{sequence:b}");
        }
    }
}
