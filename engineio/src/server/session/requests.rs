//! The requests of long-polling that wait.

use std::task::Waker;

use tokio::sync::oneshot;

use crate::payload::PayloadContent;

/// The body of an answered poll.
#[derive(Debug)]
pub(crate) struct PollBody {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content: PayloadContent,
    /// Something in it may be compressed (EIO4-CMP-02).
    pub(crate) is_compressible: bool,
}

pub(crate) struct Parked {
    pub(crate) token: u32,
    pub(crate) reply: oneshot::Sender<PollBody>,
}

/// The requests of long-polling that wait.
#[derive(Default)]
pub(crate) struct Requests {
    /// Stands for the cookie that every request must carry, if there is one.
    pub(crate) cookie_mark: Option<u64>,
    /// The one that reads or dispatches a POST.
    pub(crate) post: Option<Waker>,
    pub(crate) poll: Option<Parked>,
    next_token: u32,
}

/// How a parked GET is known, and where its answer will come.
pub(crate) type Parking = (u32, oneshot::Receiver<PollBody>);

impl Requests {
    /// Has a GET wait for its answer.
    pub(crate) fn park(&mut self) -> Parking {
        let (reply, answer) = oneshot::channel();
        let token = self.next_token;
        self.next_token = token.wrapping_add(1);
        self.poll = Some(Parked { token, reply });
        (token, answer)
    }
}
