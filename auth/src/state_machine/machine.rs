//! The machine as its caller sees it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::common::Common;
use super::messages::{Input, Output, QueuedPacket, Reason};
use super::revalidation::Revalidation;
use super::stage::{Stage, Work, earlier, is_due};
use crate::base::queue::Queue;
use crate::policy::settings::NamespacePolicy;
use crate::presented::credential::Credential;
use crate::rejection::code::Rejection;

/// The most by which a session is shortened to spread the ends, in thousandths.
const MAX_SPREAD_PERMILLE: u16 = 50;

/// Runs a policy for one namespace of one connection. Pure: time is an argument, effects are outputs.
///
/// Whoever comes in passes one door: a credential is verified, unless there is none or a grant counts already, and then
/// connect middleware is [asked](Output::Ask). Who is in passes it again to become somebody else.
///
/// ```text
///              handshake        two round trips
///                  │                  │
///                  │               Waiting ◄─────────────┐
///                  │     credential │   │ guest          │
///                  ├──► Verifying ◄─┘   │                │
///     guest, grant │        │ accepted  │     refused, by either;
///                  └──────► Asking ◄────┘     a CONNECT: closed
///                             │ let in
///                             ▼
///                ┌────────► Inside ◄──────────────────┐
///    accepted,   │  │          │   │ now and then      │
///    or refused  │  ▼          │   └► Revalidating ────┤
///             Refreshing       │ grant over, guests    │
///    somebody else  │          ▼                       │
///                   │     Downgrading ─────────────────┤
///                   └► Asking ─────────────────────────┘ let in, or as before
///
///    from everywhere: Closed, which nothing leaves
/// ```
///
/// What each input does. `verify` and `ask` stand for the outputs that start them, a word in parentheses for the code of
/// an `unauthorized`, which carries the answer to the client's ack id. Where nothing stands, nothing happens.
///
/// | outside, CONNECT answered | Waiting | Verifying | Asking |
/// |---|---|---|---|
/// | `Authenticate`, a credential | `verify`; attempts used up: (`too_many_attempts`), disconnect | (`auth_in_progress`), counted | (`auth_in_progress`), counted |
/// | `Authenticate`, a guest | `ask` | (`auth_in_progress`), counted | (`auth_in_progress`), counted |
/// | `Authenticate`, unusable | (why), counted | (`auth_in_progress`), counted | (`auth_in_progress`), counted |
/// | `Packet` | counted | waits; no room: close | waits; no room: close |
/// | `VerifyOk` | | `ask`; if over already: as `VerifyErr` | |
/// | `VerifyErr` | | attempt failed, (why) → Waiting | |
/// | `Asked`, yes | | | enter, deliver what waited → Inside |
/// | `Asked`, no | | | attempt failed, or counted for a guest; step back, (why) → Waiting |
/// | `VerifyRevoked`, `Revoked` | disconnect | cancel, (why), disconnect | cancel, (why), disconnect |
/// | `ExpireIn` | | | the answer tells it |
/// | its time limit | (`auth_timeout`), disconnect | cancel, (`auth_unavailable`) → Waiting | cancel, step back, (`auth_unavailable`) → Waiting |
/// | the grant ends | | | cancel, step back, (`token_expired`) → Waiting |
/// | `UnauthorizedAcked`, the latest; the grace is over | disconnect | | |
/// | `Left` | closed | cancel | cancel |
///
/// *Counted* is what is of no use: past [`max_ignored_packets`](NamespacePolicy::max_ignored_packets) or, of attempts,
/// [`max_empty_attempts`](NamespacePolicy::max_empty_attempts) it closes the connection. While the CONNECT is not answered the same holds but for this: a packet or an `Authenticate` closes the
/// connection, and every (why) refuses the CONNECT; middleware's no is then no failed attempt.
///
/// | inside | Idle | Refreshing | Asking | Revalidating | Downgrading |
/// |---|---|---|---|---|---|
/// | `Authenticate` | `verify`; too often or unusable: (why) | (`auth_in_progress`) | (`auth_in_progress`) | cancel, as Idle | (`auth_in_progress`) |
/// | `Packet` | deliver | deliver | deliver | deliver | waits; no room: close |
/// | `VerifyOk`, the same subject | | replace the grant | | replace the grant | |
/// | `VerifyOk`, a guest's; another's, if allowed | | `ask` | | (`identity_mismatch`), disconnect | |
/// | `VerifyErr` | | (why) | | (why), disconnect; unavailable: later again | |
/// | `Asked`, yes | | | become | | leave rooms, become, deliver what waited |
/// | `Asked`, no | | | step back, (why) | | (why), disconnect |
/// | `VerifyRevoked`, `Revoked` | (why), disconnect | the same | the same | the same | the same |
/// | `ExpireIn` | notice | notice | notice | notice | |
/// | `Inherited`, the same subject | replace the grant | the same | the same | cancel, replace the grant | |
/// | `Inherited`, another | `ask` | cancel, (`identity_mismatch`), `ask` | cancel, step back, (`identity_mismatch`), `ask` | cancel, `ask` | |
/// | `ConnectionExpires`, within a second of the grant's end | (`token_expired`) | cancel, (`token_expired`) | cancel, step back, (`token_expired`) | cancel, (`token_expired`) | |
/// | its time limit | | cancel, (`auth_unavailable`) | cancel, step back, (`auth_unavailable`) | cancel, later again | cancel, (`auth_unavailable`), disconnect |
/// | the new grant ends | | | cancel, step back, (`token_expired`) | | |
/// | the grant ends | (`token_expired`), then as the policy says | the same, after the grace | the same, after the grace | the same | |
///
/// A grant that is over when it is accepted counts as refused, and what comes to nothing for a guest that was nobody as a failed attempt, inside too.
///
/// Who follows what it inherited is asked about without a word to the client, and cannot stay who it is: where
/// middleware turns it away, or does not answer in time, it hears (why) and is disconnected.
///
/// A renewal by the same subject does not ask middleware: middleware decides about persons, and the authenticator has
/// judged the newer token. Who becomes somebody else stays who it is until the verdict, and goes on being served; at a
/// switch it then leaves all rooms. Whose grant has ended, where the policy makes a guest of it, leaves them at once, and
/// what it sends waits until middleware has spoken about the guest.
///
/// After every [`handle_input`](Self::handle_input) the caller drains [`poll_output`](Self::poll_output) and asks
/// [`poll_timeout`](Self::poll_timeout). A deadline that has passed takes effect before the input that arrives
/// after it, so there is one order of events whatever the timer does. Results of verifications and questions that were
/// cancelled are ignored by their epoch.
#[derive(Clone)]
pub struct AuthMachine<M, G, R = Rejection> {
    stage: Stage<M>,
    common: Common<M, G, R>,
}

impl<M: QueuedPacket, G, R: Reason> AuthMachine<M, G, R> {
    /// A machine before CONNECT. `first_connect` is when this connection first asked for this namespace; coming
    /// back does not restart the deadline. `has_guests` tells whether the policy lets clients in that present
    /// nothing.
    #[must_use]
    pub fn new(policy: Arc<NamespacePolicy>, has_guests: bool, first_connect: Instant) -> Self {
        Self {
            stage: Stage::New,
            common: Common {
                revalidation: policy
                    .revalidate_every
                    .map(|every| Box::new(Revalidation::new(every))),
                policy,
                outputs: Queue::new(),
                first_connect: first_connect.into(),
                epoch: 0,
                notices: 0,
                spread_permille: 0,
                has_guests,
            },
        }
    }

    /// Spreads the ends of sessions that [`NamespacePolicy::max_session`] limits: each is shortened by up to 5 %,
    /// as `random` says, so that those who came together do not all have to come back together.
    #[must_use]
    pub fn with_spread(mut self, random: u32) -> Self {
        let permille = random % (u32::from(MAX_SPREAD_PERMILLE) + 1);
        self.common.spread_permille = u16::try_from(permille).unwrap_or(MAX_SPREAD_PERMILLE);
        self
    }

    /// Takes in what happened at `now`.
    pub fn handle_input(&mut self, now: Instant, input: Input<M, G, R>) {
        debug_assert!(self.common.outputs.is_empty(), "outputs are drained first");
        self.run_timers(now);
        let stage = std::mem::replace(&mut self.stage, Stage::Closed);
        self.stage = self.common.handle(now, stage, input);
        // What it led to may be over already.
        self.run_timers(now);
        if self.is_closed() {
            self.common.revalidation = None;
        }
        debug_assert!(self.stage.queued() <= self.common.policy.max_pending_packets);
    }

    /// Does what has come due. A stage is large to be moved, so it is asked in its place first: most times nothing has.
    fn run_timers(&mut self, now: Instant) {
        if is_due(self.poll_timeout(), now) {
            let stage = std::mem::replace(&mut self.stage, Stage::Closed);
            self.stage = self.common.run_timers(now, stage);
        }
    }

    /// The next thing to do; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output<M, G, R>> {
        let next = self.common.outputs.pop_front();
        if next.is_none() && self.stage.trial().is_none() {
            // Most machines are at rest most of the time, and there is one for every socket.
            self.common.outputs.release();
        }
        next
    }

    /// When to come back with [`Input::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::New | Stage::Closed => None,
            Stage::Outside(place) => place.deadline(|| self.common.auth_by()),
            Stage::Inside(term) => {
                let at = term.deadline(self.common.policy.refresh_grace);
                match term.work() {
                    Work::Idle => {
                        let revalidation = self.common.revalidation.as_ref();
                        let again_at = revalidation.and_then(|of| of.deadline());
                        earlier(at, again_at)
                    }
                    _ => at,
                }
            }
        }
    }

    /// True when the socket is in the namespace and may be sent to.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Inside(_))
    }

    /// True when packets of the client need not pass through the machine: it is in, and who it is is settled.
    #[must_use]
    pub fn delivers_at_once(&self) -> bool {
        match &self.stage {
            Stage::Inside(term) => !matches!(term.work(), Work::Downgrading { .. }),
            _ => false,
        }
    }

    /// When the connection first asked for the namespace, as [`new`](Self::new) was told.
    #[must_use]
    pub fn first_connect(&self) -> Instant {
        self.common.first_connect.into()
    }

    /// The credential of the active grant, where the policy [asks again](NamespacePolicy::revalidate_every).
    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        self.common.revalidation.as_ref()?.current()
    }

    /// True when nothing more will come of this machine.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// True while the client waits to be let in; such clients count towards the server's `max_pending`.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self.stage, Stage::Outside(_))
    }

    #[cfg(test)]
    pub(super) fn buffered_capacity(&self) -> usize {
        self.stage.queue_capacity() + usize::from(self.common.outputs.has_memory())
    }

    #[cfg(test)]
    pub(super) const fn stage(&self) -> &Stage<M> {
        &self.stage
    }

    /// What the stage does not tell of where this machine stands.
    #[cfg(test)]
    pub(super) fn hash_rest(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        let revalidation = self.common.revalidation.as_ref();
        (self.common.epoch, self.common.notices).hash(hasher);
        revalidation.map(|of| of.shape()).hash(hasher);
    }

    #[cfg(test)]
    pub(super) fn state(&self) -> &'static str {
        self.stage.name()
    }
}

impl<M, G, R> fmt::Debug for AuthMachine<M, G, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthMachine")
            .field("stage", &self.stage.name())
            .field("queued", &self.stage.queued())
            .finish_non_exhaustive()
    }
}
