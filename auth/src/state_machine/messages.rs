//! What goes into the machine and what comes out.

use std::sync::Arc;
use std::time::Duration;

use crate::policy::collected::Collected;
use crate::presented::credential::Credential;
use crate::rejection::code::Rejection;
use crate::subject::Subject;

/// A packet that the machine may have to keep for a while.
pub trait Queued {
    /// Its size in bytes, for the bound on what is kept.
    fn size_bytes(&self) -> usize;
}

/// What a verification is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// To let a client in, or to make somebody of a guest.
    Entry,
    /// To renew the grant of this subject.
    Renewal(Subject),
    /// To ask again about the credential of this subject, of the server's own accord.
    Revalidation(Subject),
}

impl Purpose {
    /// Whose grant is renewed or asked about.
    #[must_use]
    pub const fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Entry => None,
            Self::Renewal(subject) | Self::Revalidation(subject) => Some(subject),
        }
    }
}

/// Something that happened to the namespace.
///
/// `M` is a packet of the application, `G` what the shell keeps of an accepted credential.
#[derive(Clone, Debug)]
pub enum Input<M, G> {
    /// The client sent CONNECT. Once per machine, before anything else.
    Connect {
        /// What the handshake presented.
        presented: Collected,
        /// How many verifications failed on this connection so far, in all namespaces.
        failed_attempts: u32,
    },
    /// The client sent CONNECT, and a grant of the connection counts here too. Instead of [`Connect`](Self::Connect).
    ConnectGranted {
        /// What the shell wants to keep.
        grant: G,
        /// Whose grant it is.
        subject: Subject,
        /// How long it still holds; `None` when it does not end.
        expires_in: Option<Duration>,
        /// What it was granted for, see [`AuthMachine::credential`](super::AuthMachine::credential).
        credential: Option<Credential>,
    },
    /// The client emitted the event of the dialect.
    Authenticate {
        /// What its argument holds.
        presented: Collected,
        /// The ack id, if the client asked for an acknowledgement.
        ack: Option<u64>,
        /// How many verifications failed on this connection so far, in all namespaces.
        failed_attempts: u32,
    },
    /// The client sent another event, or an acknowledgement of the application's. While the machine
    /// [is active](super::AuthMachine::is_active) it only hands the packet back, so it need not be asked.
    Packet(M),
    /// The client acknowledged the `unauthorized` event with this number.
    UnauthorizedAcked {
        /// [`Output::Unauthorized::notice`].
        notice: u32,
    },
    /// A verification accepted the credential. It does not matter how late this comes.
    VerifyOk {
        /// [`Output::StartVerify::epoch`].
        epoch: u32,
        /// What the shell wants to keep.
        grant: G,
        /// Whose grant it is.
        subject: Subject,
        /// How long it holds from now; `None` when it does not end.
        expires_in: Option<Duration>,
    },
    /// A verification refused the credential, failed or panicked.
    VerifyErr {
        /// [`Output::StartVerify::epoch`].
        epoch: u32,
        /// Why.
        rejection: Rejection,
    },
    /// A verification accepted the credential, but what it would grant was revoked while it ran.
    VerifyRevoked {
        /// [`Output::StartVerify::epoch`].
        epoch: u32,
        /// Why.
        rejection: Rejection,
    },
    /// The token, its subject or its session was revoked.
    Revoked(Rejection),
    /// The grant is to end after this time at the latest, unless the client renews it: it is told at once. For
    /// revocations that leave a client the chance to come up with a better token.
    ExpireIn {
        /// How long it holds at most.
        margin: Duration,
        /// Why, for the client.
        reason: Option<Arc<str>>,
    },
    /// The client left the namespace, or the connection is gone.
    Left,
    /// The time of [`poll_timeout`](super::AuthMachine::poll_timeout) has come. Early calls are harmless.
    Timeout,
}

/// Something that the shell must do, in order.
#[derive(Clone, Debug)]
pub enum Output<M, G> {
    /// Answer the CONNECT, without inserting the socket anywhere: it is not in yet.
    AcceptConnect,
    /// Refuse the CONNECT. The machine is closed.
    RefuseConnect(Rejection),
    /// Start a verification, and report its end with the same epoch.
    StartVerify {
        /// Names this verification.
        epoch: u32,
        /// What to verify.
        credential: Credential,
        /// What for.
        purpose: Purpose,
    },
    /// Drop the verification of this epoch.
    CancelVerify {
        /// Names the verification.
        epoch: u32,
    },
    /// A verification failed: add one to the connection's count.
    AttemptFailed,
    /// Let the client in by its handshake: connect middleware, reply, insertion, connect handler.
    Admit {
        /// The grant, or `None` for a guest.
        grant: Option<G>,
        /// How long it holds.
        expires_in: Option<Duration>,
    },
    /// Insert the socket, whose CONNECT was answered before, among the namespace's sockets.
    Activate {
        /// The grant, or `None` for a guest.
        grant: Option<G>,
        /// How long it holds.
        expires_in: Option<Duration>,
    },
    /// Emit the event that tells success, and acknowledge if there is an ack id.
    Authenticated {
        /// The ack id of the client's event.
        ack: Option<u64>,
        /// How long the grant holds.
        expires_in: Option<Duration>,
    },
    /// Run the connect handler of an activated socket.
    RunConnectHandler,
    /// Hand a packet to the application.
    Deliver(M),
    /// Take the socket out of all its rooms: somebody else takes it over.
    LeaveRooms,
    /// Put a renewed grant in the place of the current one.
    ReplaceGrant {
        /// The grant.
        grant: G,
        /// How long it holds.
        expires_in: Option<Duration>,
    },
    /// Emit `unauthorized` with an ack id of ours, and acknowledge the client's event if there is an ack id.
    Unauthorized {
        /// Why.
        rejection: Rejection,
        /// Report the client's acknowledgement with this number.
        notice: u32,
        /// The ack id of the client's event.
        ack: Option<u64>,
    },
    /// Emit the notice that the grant is about to end.
    TokenExpiring {
        /// How long it still holds.
        expires_in: Duration,
        /// Why, when it ends before its time.
        reason: Option<Arc<str>>,
    },
    /// Put a guest in the place of the current identity.
    Downgrade,
    /// Send a DISCONNECT packet for the namespace, and close the connection as well if no other namespace is
    /// joined or pending. The machine is closed.
    Disconnect,
    /// Close the connection without a DISCONNECT packet. The machine is closed.
    CloseConnection,
}
