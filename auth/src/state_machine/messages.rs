//! What goes into the machine and what comes out.

use std::sync::Arc;
use std::time::Duration;

use crate::policy::collected::Collected;
use crate::presented::credential::Credential;
use crate::rejection::code::{Code, Rejection};
use crate::subject::Subject;

/// A packet that the machine may have to keep for a while.
pub trait QueuedPacket {
    /// Its size in bytes, for the bound on what is kept.
    fn size_bytes(&self) -> usize;
}

/// Why somebody is refused: a rejection, and whatever else the server keeps with it.
pub trait Reason: From<Rejection> {
    /// What the client is told by it, if it is told in the terms of a policy.
    fn rejection(&self) -> &Rejection;

    /// What kind of refusal it is.
    fn code(&self) -> Code {
        self.rejection().code()
    }
}

impl Reason for Rejection {
    fn rejection(&self) -> &Rejection {
        self
    }
}

/// What an accepted credential grants.
#[derive(Clone, Debug)]
pub struct Granted<G> {
    /// What the shell wants to keep.
    pub grant: G,
    /// Whose grant it is.
    pub subject: Subject,
    /// How long it holds from now; `None` when it does not end.
    pub expires_in: Option<Duration>,
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
/// `M` is a packet of the application, `G` what the shell keeps of an accepted credential, `R` why it refuses somebody.
#[derive(Clone, Debug)]
pub enum Input<M, G, R = Rejection> {
    /// The client sent CONNECT. Once per machine, before anything else.
    Connect {
        /// What the handshake presented.
        presented: Collected,
        /// How many verifications failed on this connection so far, in all namespaces.
        failed_attempts: u32,
    },
    /// The client sent CONNECT, and a grant of the connection counts here too. Instead of [`Connect`](Self::Connect).
    ConnectGranted {
        /// The grant, for as long as it still holds.
        granted: Granted<G>,
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
    /// [delivers at once](super::AuthMachine::delivers_at_once) it only hands the packet back, so it need not be asked.
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
        /// What for.
        granted: Granted<G>,
    },
    /// A verification refused the credential, failed or panicked.
    VerifyErr {
        /// [`Output::StartVerify::epoch`].
        epoch: u32,
        /// Why.
        rejection: R,
    },
    /// What a verification grants, or what middleware is asked about, was revoked meanwhile.
    VerifyRevoked {
        /// [`Output::StartVerify::epoch`] or [`Output::Ask::epoch`].
        epoch: u32,
        /// Why.
        rejection: R,
    },
    /// Connect middleware has spoken about a client. It does not matter how late this comes.
    Asked {
        /// [`Output::Ask::epoch`].
        epoch: u32,
        /// Why it is turned away, if it is.
        verdict: Result<(), R>,
    },
    /// The token, its subject or its session was revoked.
    Revoked(R),
    /// The grant is to end after this time at the latest, unless the client renews it: it is told at once. For
    /// revocations that leave a client the chance to come up with a better token.
    ExpireIn {
        /// How long it holds at most.
        margin: Duration,
        /// Why, for the client.
        reason: Option<Arc<str>>,
    },
    /// A grant of the connection that this one was [taken over](Self::ConnectGranted) from has given way to another: it
    /// was renewed, or somebody else took that socket over. This one follows.
    Inherited {
        /// What holds there now, for as long as it still holds.
        granted: Granted<G>,
        /// What it was granted for, see [`AuthMachine::credential`](super::AuthMachine::credential).
        credential: Option<Credential>,
    },
    /// The connection closes, since a grant of another namespace is over, see [`Output::ExpireConnection`].
    ConnectionExpires,
    /// The client left the namespace, or the connection is gone.
    Left,
    /// The time of [`poll_timeout`](super::AuthMachine::poll_timeout) has come. Early calls are harmless.
    Timeout,
}

/// How a client hears that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// By the answer to its CONNECT.
    Connect,
    /// By the event that tells success. Its CONNECT was answered before.
    Authenticated {
        /// The ack id of the client's event, if it is to be acknowledged as well.
        ack: Option<u64>,
    },
}

/// How a socket becomes somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub enum Change {
    /// A guest has authenticated. It keeps the rooms that the new holder may be in.
    Login,
    /// Another subject takes the socket over, see [`NamespacePolicy::allow_switch`](crate::NamespacePolicy::allow_switch).
    Switch,
    /// The grant has ended, and a guest goes on, see [`OnExpiry::Downgrade`](crate::OnExpiry::Downgrade).
    Downgrade,
}

/// Something that the shell must do, in order.
#[derive(Clone, Debug)]
pub enum Output<M, G, R = Rejection> {
    /// Answer the CONNECT, without inserting the socket anywhere: it is not in yet.
    AcceptConnect,
    /// Refuse the CONNECT. The machine is closed.
    RefuseConnect(R),
    /// Start a verification, and report its end with the same epoch.
    StartVerify {
        /// Names this verification.
        epoch: u32,
        /// What to verify.
        credential: Credential,
        /// What for.
        purpose: Purpose,
    },
    /// Drop the verification of this epoch, or stop asking middleware.
    Cancel {
        /// Names the verification or the question.
        epoch: u32,
    },
    /// A verification failed, or middleware turned away a good credential: add one to the connection's count.
    AttemptFailed,
    /// Ask connect middleware whether the client may be in the namespace as whoever has this grant, and report the
    /// verdict with the same epoch; without middleware the verdict is that it may. Keep the grant until one of
    /// [`Enter`](Self::Enter), [`Become`](Self::Become) and [`StepBack`](Self::StepBack), or until the machine closes. A
    /// client that is outside is shown to middleware as that person. One that is in stays who it is until the verdict.
    Ask {
        /// Names this question. It is that of the verification before, if there was one.
        epoch: u32,
        /// The grant, or `None` for a guest, who is made now.
        grant: Option<G>,
        /// How long the grant holds.
        expires_in: Option<Duration>,
    },
    /// Middleware let the client in: insert the socket among the namespace's sockets as whom was asked about, and run its
    /// connect handler. The answer precedes the handler, and for a CONNECT the insertion too.
    Enter {
        /// How the client hears of it.
        answer: Answer,
        /// How long the grant holds.
        expires_in: Option<Duration>,
    },
    /// Whom was asked about does not come in: forget its grant. The socket is again who it was before.
    StepBack,
    /// Middleware agreed: put whom was asked about in the place of the current identity, and tell the application.
    Become {
        /// How that comes.
        change: Change,
        /// How long the grant holds.
        expires_in: Option<Duration>,
    },
    /// Take the socket out of all its rooms: somebody else takes it over.
    LeaveRooms,
    /// Put a renewed grant of the same subject in the place of the current one.
    ReplaceGrant {
        /// The grant.
        grant: G,
        /// How long it holds.
        expires_in: Option<Duration>,
    },
    /// Emit the event that tells success to a client that is in already, and acknowledge if there is an ack id.
    Authenticated {
        /// The ack id of the client's event.
        ack: Option<u64>,
        /// How long the grant holds.
        expires_in: Option<Duration>,
    },
    /// Hand a packet to the application.
    Deliver(M),
    /// Emit `unauthorized` with an ack id of ours, and acknowledge the client's event if there is an ack id.
    Unauthorized {
        /// Why.
        rejection: R,
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
    /// Send a DISCONNECT packet for the namespace, and close the connection as well if no other namespace is
    /// joined or pending. The machine is closed.
    Disconnect,
    /// Close the connection without a DISCONNECT packet. The machine is closed.
    CloseConnection,
    /// The grant is over: close the connection in the same way, for its client to come back with a newer credential. The
    /// other machines of the connection hear of it first, by [`Input::ConnectionExpires`].
    ExpireConnection,
}
