//! A run of bytes that waits to be written.

use bytes::{Buf, Bytes};

/// In which form a chunk's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Whole frames as every message is queued; to be translated, or compressed, where the WebSocket wants it.
    Frames,
    /// The same, and not to be compressed.
    Incompressible,
    /// Already in the form this connection's WebSocket wants (protocol 3, base64, compressed), or no frame.
    Wire,
}

#[derive(Debug)]
#[cfg_attr(any(test, feature = "fuzzing"), derive(Clone))]
enum Storage {
    /// Bytes of this connection alone; the vector goes back to the worker's pool.
    Own { frames: Vec<u8>, written: usize },
    /// Bytes shared with other recipients of the same broadcast.
    Shared(Bytes),
}

/// A run of whole WebSocket frames, or what is left of one after a partial write.
#[derive(Debug)]
#[cfg_attr(any(test, feature = "fuzzing"), derive(Clone))]
pub(crate) struct Chunk {
    storage: Storage,
    shape: Shape,
}

impl Chunk {
    pub(crate) fn own(frames: Vec<u8>, shape: Shape) -> Self {
        Self {
            storage: Storage::Own { frames, written: 0 },
            shape,
        }
    }

    pub(crate) fn shared(frames: Bytes, shape: Shape) -> Self {
        Self {
            storage: Storage::Shared(frames),
            shape,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// The bytes still to be written.
    pub(crate) fn remaining(&self) -> &[u8] {
        match &self.storage {
            Storage::Own { frames, written } => frames.get(*written..).unwrap_or_default(),
            Storage::Shared(bytes) => bytes,
        }
    }

    pub(crate) fn advance(&mut self, count: usize) {
        match &mut self.storage {
            Storage::Own { frames, written } => {
                *written = written.saturating_add(count).min(frames.len());
            }
            Storage::Shared(bytes) => bytes.advance(count.min(bytes.len())),
        }
    }

    /// The bytes it keeps in memory, the written ones included.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        match &self.storage {
            Storage::Own { frames, .. } => frames.len(),
            Storage::Shared(bytes) => bytes.len(),
        }
    }

    /// The vector behind the chunk, if it is its own.
    pub(crate) fn into_vec(self) -> Option<Vec<u8>> {
        match self.storage {
            Storage::Own { frames, .. } => Some(frames),
            Storage::Shared(_) => None,
        }
    }

    /// Appends frames of the same shape; false when that cannot be.
    pub(super) fn append(&mut self, bytes: &[u8], shape: Shape) -> bool {
        match &mut self.storage {
            Storage::Own { frames, written } if self.shape == shape => {
                // A chunk that is never emptied must not keep all that was ever written of it.
                if *written > frames.len() / 2 {
                    frames.drain(..*written);
                    *written = 0;
                }
                frames.extend_from_slice(bytes);
                true
            }
            _ => false,
        }
    }

    /// Puts bytes before all that is still to be written; false when that cannot be.
    pub(super) fn prepend(&mut self, head: &mut Vec<u8>) -> bool {
        match &mut self.storage {
            Storage::Own { frames, written: 0 } => {
                head.append(frames);
                std::mem::swap(head, frames);
                true
            }
            _ => false,
        }
    }

    /// Puts `bytes` in the place of `length` bytes at `start`; false when they are of another shape or shared.
    pub(super) fn splice(
        &mut self,
        start: usize,
        length: usize,
        bytes: &[u8],
        shape: Shape,
    ) -> bool {
        match &mut self.storage {
            Storage::Own { frames, written } if self.shape == shape => {
                let start = written.saturating_add(start).min(frames.len());
                let end = start.saturating_add(length).min(frames.len());
                frames.splice(start..end, bytes.iter().copied());
                true
            }
            _ => false,
        }
    }

    /// Cuts off what lies behind the first `at` bytes.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let storage = match &mut self.storage {
            Storage::Own { frames, written } => Storage::Own {
                frames: frames.split_off(written.saturating_add(at).min(frames.len())),
                written: 0,
            },
            Storage::Shared(bytes) => Storage::Shared(bytes.split_off(at.min(bytes.len()))),
        };
        Self {
            storage,
            shape: self.shape,
        }
    }
}
