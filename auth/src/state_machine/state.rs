//! Where the machine stands.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Before CONNECT.
    New,
    /// A handshake credential is being verified; the CONNECT is not answered.
    Connecting,
    Pending,
    Verifying,
    Active,
    Refreshing,
    Revalidating,
    Closed,
}
