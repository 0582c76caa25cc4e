//! The state machine of a policy with a time of its own.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::policy::collected::Collected;
use crate::policy::settings::NamespacePolicy;
use crate::presented::credential::{Credential, SourceKind};
use crate::rejection::code::{Code, Rejection};
use crate::state_machine::{
    Answer, AuthMachine, Change, Granted, Input, Output, QueuedPacket, Reason,
};

/// Runs a policy's settings without a server, a socket or a clock. Every call tells what the server would do, as
/// short texts that [`describe`] documents.
///
/// ```
/// use std::time::Duration;
/// use socketio_auth::{Code, Mode, NamespacePolicy};
/// use socketio_auth::testing::MachineDriver;
///
/// let mut policy = NamespacePolicy::default();
/// policy.mode = Mode::TwoRoundTrip;
/// let mut client = MachineDriver::new(policy);
/// assert_eq!(client.connect(None), ["accept"]);
/// assert_eq!(client.packet("too early"), [""; 0]);
/// assert_eq!(client.authenticate(Some("token")), ["verify(1)"]);
/// assert_eq!(client.packet("hello"), [""; 0]);
/// assert_eq!(
///     client.accept("ann", Some(Duration::from_secs(60))),
///     ["ask(ann)", "enter(event,60)", "deliver(hello)"],
/// );
/// assert_eq!(
///     client.advance(Duration::from_secs(60)),
///     ["expiring(30)", "unauthorized(token_expired)", "expire"],
/// );
/// ```
#[derive(Debug)]
pub struct MachineDriver {
    machine: AuthMachine<Text, Box<str>>,
    now: Instant,
    epoch: u32,
    notice: u32,
    failed_attempts: u32,
    has_guests: bool,
    has_middleware: bool,
}

/// A packet of the application.
#[derive(Clone, Debug)]
struct Text(Box<str>);

impl QueuedPacket for Text {
    fn size_bytes(&self) -> usize {
        self.0.len()
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl MachineDriver {
    /// A client before its CONNECT.
    #[must_use]
    pub fn new(policy: NamespacePolicy) -> Self {
        Self::start(policy, false)
    }

    /// The same under a policy that lets in who presents nothing.
    #[must_use]
    pub fn with_guests(policy: NamespacePolicy) -> Self {
        Self::start(policy, true)
    }

    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn start(policy: NamespacePolicy, has_guests: bool) -> Self {
        let now = Instant::now();
        Self {
            machine: AuthMachine::new(Arc::new(policy), has_guests, now),
            now,
            epoch: 0,
            notice: 0,
            failed_attempts: 0,
            has_guests,
            has_middleware: false,
        }
    }

    /// The same in a namespace with connect middleware: [`let_in`](Self::let_in) and [`turn_away`](Self::turn_away) are
    /// what it says. Without, everybody is let in at once.
    #[must_use]
    pub const fn with_middleware(mut self) -> Self {
        self.has_middleware = true;
        self
    }

    /// The client connects, with a token in the handshake or without.
    pub fn connect(&mut self, token: Option<&str>) -> Vec<String> {
        let presented = self.presented(token, SourceKind::Payload);
        let failed_attempts = self.failed_attempts;
        self.step(Input::Connect {
            presented,
            failed_attempts,
        })
    }

    /// The client emits `authenticate`, with a token or without.
    pub fn authenticate(&mut self, token: Option<&str>) -> Vec<String> {
        let presented = self.presented(token, SourceKind::Event);
        let failed_attempts = self.failed_attempts;
        self.step(Input::Authenticate {
            presented,
            ack: None,
            failed_attempts,
        })
    }

    /// The client sends another event.
    pub fn packet(&mut self, text: &str) -> Vec<String> {
        self.step(Input::Packet(Text(text.into())))
    }

    /// The client acknowledges the latest `unauthorized`.
    pub fn acknowledge(&mut self) -> Vec<String> {
        let notice = self.notice;
        self.step(Input::UnauthorizedAcked { notice })
    }

    /// The latest verification accepts.
    pub fn accept(&mut self, subject: &str, expires_in: Option<Duration>) -> Vec<String> {
        let epoch = self.epoch;
        self.step(Input::VerifyOk {
            epoch,
            granted: Granted {
                grant: subject.into(),
                subject: subject.into(),
                expires_in,
            },
        })
    }

    /// The latest verification refuses.
    pub fn reject(&mut self, code: Code) -> Vec<String> {
        let epoch = self.epoch;
        self.step(Input::VerifyErr {
            epoch,
            rejection: code.into(),
        })
    }

    /// Middleware lets in whom it was asked about last.
    pub fn let_in(&mut self) -> Vec<String> {
        let epoch = self.epoch;
        let verdict = Ok(());
        self.step(Input::Asked { epoch, verdict })
    }

    /// Middleware turns away whom it was asked about last.
    pub fn turn_away(&mut self, code: Code) -> Vec<String> {
        let epoch = self.epoch;
        let verdict = Err(code.into());
        self.step(Input::Asked { epoch, verdict })
    }

    /// The grant is revoked.
    pub fn revoke(&mut self) -> Vec<String> {
        self.step(Input::Revoked(Rejection::new(Code::TokenRevoked)))
    }

    /// The client leaves.
    pub fn leave(&mut self) -> Vec<String> {
        self.step(Input::Left)
    }

    /// Lets time pass; every deadline on the way takes effect at its moment.
    pub fn advance(&mut self, by: Duration) -> Vec<String> {
        let until = self.now + by;
        let mut outputs = Vec::new();
        while let Some(at) = self.machine.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            outputs.extend(self.step(Input::Timeout));
        }
        self.now = until;
        outputs
    }

    /// The machine.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.machine.is_active()
    }

    /// True when nothing more will come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.machine.is_closed()
    }

    fn presented(&self, token: Option<&str>, source: SourceKind) -> Collected {
        match token {
            Some(token) => Collected::Credential(Credential::new(token, source)),
            None if self.has_guests => Collected::Guest,
            None => Collected::Missing(Code::CredentialsRequired.into()),
        }
    }

    fn step(&mut self, input: Input<Text, Box<str>>) -> Vec<String> {
        self.machine.handle_input(self.now, input);
        let mut outputs = Vec::new();
        let mut asked = false;
        while let Some(output) = self.machine.poll_output() {
            match &output {
                Output::StartVerify { epoch, .. } => self.epoch = *epoch,
                Output::Ask { epoch, .. } => (self.epoch, asked) = (*epoch, true),
                Output::Unauthorized { notice, .. } => self.notice = *notice,
                Output::AttemptFailed => self.failed_attempts += 1,
                _ => {}
            }
            outputs.push(describe(&output));
        }
        if asked && !self.has_middleware {
            outputs.extend(self.let_in());
        }
        outputs
    }
}

/// An output in a few characters: `accept`, `refuse(code)`, `verify(epoch)`, `cancel(epoch)`, `failed` (one attempt),
/// `ask(grant)`, `enter(connect,seconds)` or `enter(event,seconds)` by what is answered, `step-back`,
/// `become(login,seconds)`, `leave-rooms`, `replace(seconds)`, `authenticated`, `deliver(packet)`, `unauthorized(code)`,
/// `expiring(seconds)` with the reason behind a comma, `disconnect`, `close`. No end shows as `-`, and an
/// acknowledgement that is sent as well as `+ack7`.
#[must_use]
pub fn describe<M: Display, G: Display, R: Reason>(output: &Output<M, G, R>) -> String {
    let seconds = |left: &Option<Duration>| {
        left.map_or_else(|| "-".to_owned(), |left| left.as_secs().to_string())
    };
    let acked = |ack: &Option<u64>| ack.map_or_else(String::new, |id| format!("+ack{id}"));
    match output {
        Output::AcceptConnect => "accept".into(),
        Output::RefuseConnect(rejection) => format!("refuse({})", rejection.code()),
        Output::StartVerify { epoch, .. } => format!("verify({epoch})"),
        Output::Cancel { epoch } => format!("cancel({epoch})"),
        Output::AttemptFailed => "failed".into(),
        Output::Ask { grant, .. } => match grant {
            Some(grant) => format!("ask({grant})"),
            None => "ask(guest)".into(),
        },
        Output::Enter { answer, expires_in } => {
            let left = seconds(expires_in);
            match answer {
                Answer::Connect => format!("enter(connect,{left})"),
                Answer::Authenticated { ack } => format!("enter(event,{left}){}", acked(ack)),
            }
        }
        Output::StepBack => "step-back".into(),
        Output::Become { change, expires_in } => {
            let change = match change {
                Change::Login => "login",
                Change::Switch => "switch",
                Change::Downgrade => "downgrade",
            };
            format!("become({change},{})", seconds(expires_in))
        }
        Output::LeaveRooms => "leave-rooms".into(),
        Output::ReplaceGrant { expires_in, .. } => format!("replace({})", seconds(expires_in)),
        Output::Authenticated { ack, .. } => format!("authenticated{}", acked(ack)),
        Output::Deliver(packet) => format!("deliver({packet})"),
        Output::Unauthorized { rejection, ack, .. } => {
            format!("unauthorized({}){}", rejection.code(), acked(ack))
        }
        Output::TokenExpiring { expires_in, reason } => {
            let reason = reason.as_ref().map(|reason| format!(",{reason}"));
            format!(
                "expiring({}{})",
                expires_in.as_secs(),
                reason.unwrap_or_default()
            )
        }
        Output::Disconnect => "disconnect".into(),
        Output::CloseConnection => "close".into(),
        Output::ExpireConnection => "expire".into(),
    }
}
