//! The state machine of a policy with a time of its own.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::policy::collected::Collected;
use crate::policy::settings::NamespacePolicy;
use crate::presented::credential::{Credential, SourceKind};
use crate::rejection::code::{Code, Rejection};
use crate::state_machine::{AuthMachine, Input, Output, Queued};

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
///     ["activate(ann,60)", "authenticated", "handler", "deliver(hello)"],
/// );
/// assert_eq!(
///     client.advance(Duration::from_secs(60)),
///     ["expiring(30)", "unauthorized(token_expired)", "close"],
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
}

/// A packet of the application.
#[derive(Clone, Debug)]
struct Text(Box<str>);

impl Queued for Text {
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
        }
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
            grant: subject.into(),
            subject: subject.into(),
            expires_in,
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
        while let Some(output) = self.machine.poll_output() {
            match &output {
                Output::StartVerify { epoch, .. } => self.epoch = *epoch,
                Output::Unauthorized { notice, .. } => self.notice = *notice,
                Output::AttemptFailed => self.failed_attempts += 1,
                _ => {}
            }
            outputs.push(describe(&output));
        }
        outputs
    }
}

/// An output in a few characters: `accept`, `refuse(code)`, `verify(epoch)`, `cancel(epoch)`, `failed` (one attempt),
/// `admit(grant,seconds)` and `activate(grant,seconds)` with `-` for no end, `authenticated`, `handler`,
/// `deliver(packet)`, `leave-rooms`, `replace(seconds)`, `unauthorized(code)`, `expiring(seconds)` with the reason behind a comma, `downgrade`, `disconnect`,
/// `close`. An acknowledgement that is sent as well shows as `+ack7`.
#[must_use]
pub fn describe<M: Display, G: Display>(output: &Output<M, G>) -> String {
    let seconds = |left: &Option<Duration>| {
        left.map_or_else(|| "-".to_owned(), |left| left.as_secs().to_string())
    };
    let acked = |ack: &Option<u64>| ack.map_or_else(String::new, |id| format!("+ack{id}"));
    let entry = |verb: &str, grant: &Option<G>, expires_in| {
        let grant = grant
            .as_ref()
            .map_or_else(|| "guest".to_owned(), ToString::to_string);
        format!("{verb}({grant},{})", seconds(expires_in))
    };
    match output {
        Output::AcceptConnect => "accept".into(),
        Output::RefuseConnect(rejection) => format!("refuse({})", rejection.code()),
        Output::StartVerify { epoch, .. } => format!("verify({epoch})"),
        Output::CancelVerify { epoch } => format!("cancel({epoch})"),
        Output::AttemptFailed => "failed".into(),
        Output::Admit { grant, expires_in } => entry("admit", grant, expires_in),
        Output::Activate { grant, expires_in } => entry("activate", grant, expires_in),
        Output::Authenticated { ack, .. } => format!("authenticated{}", acked(ack)),
        Output::RunConnectHandler => "handler".into(),
        Output::Deliver(packet) => format!("deliver({packet})"),
        Output::LeaveRooms => "leave-rooms".into(),
        Output::ReplaceGrant { expires_in, .. } => format!("replace({})", seconds(expires_in)),
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
        Output::Downgrade => "downgrade".into(),
        Output::Disconnect => "disconnect".into(),
        Output::CloseConnection => "close".into(),
    }
}
