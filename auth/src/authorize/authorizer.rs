//! Who may do what: the actions, and the trait that decides.

use std::fmt;

use crate::grant::{GrantFacts, Scopes};

/// Something that a client wants, or that is about to be done to it. Named from the client's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action<'a> {
    /// Join a namespace; asked when the credential was accepted, before the connect middleware.
    Connect {
        /// The namespace, such as `/admin`.
        namespace: &'a str,
    },
    /// Emit an event to the server: `Action::Emit { event, .. }` in a pattern.
    Emit {
        /// The name of the event.
        event: &'a str,
        /// How many arguments it has.
        args_count: usize,
    },
    /// Receive an event from the server.
    Receive {
        /// The name of the event.
        event: &'a str,
    },
    /// Join a room on its own request.
    Join {
        /// The room.
        room: &'a str,
    },
    /// Leave a room on its own request.
    Leave {
        /// The room.
        room: &'a str,
    },
    /// Anything that the application asks about.
    Custom {
        /// What the application calls it.
        name: &'a str,
    },
}

/// An [`Action`] without its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActionKind {
    /// [`Action::Connect`].
    Connect,
    /// [`Action::Emit`].
    Emit,
    /// [`Action::Receive`].
    Receive,
    /// [`Action::Join`].
    Join,
    /// [`Action::Leave`].
    Leave,
    /// [`Action::Custom`].
    Custom,
}

impl<'a> Action<'a> {
    /// What kind of action it is.
    #[must_use]
    pub const fn kind(self) -> ActionKind {
        match self {
            Self::Connect { .. } => ActionKind::Connect,
            Self::Emit { .. } => ActionKind::Emit,
            Self::Receive { .. } => ActionKind::Receive,
            Self::Join { .. } => ActionKind::Join,
            Self::Leave { .. } => ActionKind::Leave,
            Self::Custom { .. } => ActionKind::Custom,
        }
    }

    /// The namespace, event, room or name that it is about.
    #[must_use]
    pub const fn object(self) -> &'a str {
        match self {
            Self::Connect { namespace } => namespace,
            Self::Emit { event, .. } | Self::Receive { event } => event,
            Self::Join { room } | Self::Leave { room } => room,
            Self::Custom { name } => name,
        }
    }
}

impl ActionKind {
    /// The word for it in capabilities and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Emit => "emit",
            Self::Receive => "receive",
            Self::Join => "join",
            Self::Leave => "leave",
            Self::Custom => "custom",
        }
    }
}

/// The answer of an authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Decision {
    /// Go on.
    Allow,
    /// Do not. An event is dropped, and acknowledged with [`ack_denied`](crate::server::ack_denied) if the client asked; a
    /// CONNECT is refused as [`Code::InsufficientScope`](crate::Code::InsufficientScope).
    Deny,
}

impl Decision {
    /// [`Allow`](Self::Allow) when `is_allowed`.
    pub const fn allow_if(is_allowed: bool) -> Self {
        if is_allowed { Self::Allow } else { Self::Deny }
    }

    /// True for [`Allow`](Self::Allow).
    #[must_use]
    pub const fn is_allowed(self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// Who wants to do something: an identity and, unless it is a guest, its grant.
pub struct Holder<'a, I> {
    identity: &'a I,
    grant: Option<&'a GrantFacts>,
}

impl<'a, I> Holder<'a, I> {
    /// The holder of a grant, or a guest.
    pub const fn new(identity: &'a I, grant: Option<&'a GrantFacts>) -> Self {
        Self { identity, grant }
    }

    /// The identity.
    #[must_use]
    pub const fn identity(&self) -> &'a I {
        self.identity
    }

    /// What is known of the grant; `None` for a guest.
    #[must_use]
    pub const fn grant(&self) -> Option<&'a GrantFacts> {
        self.grant
    }

    /// True when all these scopes are granted, separated by spaces. A guest has none.
    #[must_use]
    pub fn has_scopes(&self, scopes: &str) -> bool {
        let granted = self.grant.map(GrantFacts::scopes);
        let mut wanted = scopes.split_ascii_whitespace();
        wanted.all(|scope| granted.is_some_and(|granted| Scopes::contains(granted, scope)))
    }
}

impl<I> Clone for Holder<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Holder<'_, I> {}

impl<I> fmt::Debug for Holder<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Holder").field(&self.grant).finish()
    }
}

/// Decides what identities may do. Attach one to a policy with [`InHandshake::authorize`](crate::InHandshake::authorize).
///
/// It is asked before every action of a client, and again about the rooms that a socket is in when its grant is
/// renewed. So it answers from memory, at once; what has to wait for an answer belongs into
/// [`check`](crate::Authenticator::check), or into the server's middleware and handlers. A panic counts as
/// [`Decision::Deny`].
///
/// ```
/// use socketio_auth::authorize::{Action, Authorizer, Decision, Holder};
///
/// struct OwnRoomOnly;
/// struct User { id: u64 }
///
/// impl Authorizer<User> for OwnRoomOnly {
///     fn can(&self, holder: Holder<'_, User>, action: Action<'_>) -> Decision {
///         match action {
///             Action::Join { room } => {
///                 Decision::allow_if(room == format!("user:{}", holder.identity().id))
///             }
///             _ => Decision::Allow,
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an authorizer of `{I}`",
    note = "implement `Authorizer<{I}>`, or wrap a closure: `authorizer_fn(|holder: Holder<'_, {I}>, action| …)`"
)]
pub trait Authorizer<I>: Send + Sync + 'static {
    /// Decides.
    fn can(&self, holder: Holder<'_, I>, action: Action<'_>) -> Decision;

    /// Allows what both allow.
    fn and<B: Authorizer<I>>(self, other: B) -> BothAllow<Self, B>
    where
        Self: Sized,
    {
        BothAllow(self, other)
    }

    /// Allows what either allows.
    fn or<B: Authorizer<I>>(self, other: B) -> EitherAllows<Self, B>
    where
        Self: Sized,
    {
        EitherAllows(self, other)
    }
}

/// Two authorizers that have to agree, made by [`Authorizer::and`].
#[derive(Clone, Debug)]
pub struct BothAllow<A, B>(A, B);

impl<I, A: Authorizer<I>, B: Authorizer<I>> Authorizer<I> for BothAllow<A, B> {
    fn can(&self, holder: Holder<'_, I>, action: Action<'_>) -> Decision {
        match self.0.can(holder, action) {
            Decision::Allow => self.1.can(holder, action),
            Decision::Deny => Decision::Deny,
        }
    }
}

/// Two authorizers of which one is enough, made by [`Authorizer::or`].
#[derive(Clone, Debug)]
pub struct EitherAllows<A, B>(A, B);

impl<I, A: Authorizer<I>, B: Authorizer<I>> Authorizer<I> for EitherAllows<A, B> {
    fn can(&self, holder: Holder<'_, I>, action: Action<'_>) -> Decision {
        match self.0.can(holder, action) {
            Decision::Allow => Decision::Allow,
            Decision::Deny => self.1.can(holder, action),
        }
    }
}

/// A closure as an authorizer, made by [`authorizer_fn`].
#[derive(Clone)]
pub struct AuthorizerFn<F>(F);

/// Makes an authorizer of a closure.
///
/// ```
/// use socketio_auth::authorize::{Action, Decision, Holder, authorizer_fn};
///
/// let only_writers_say = authorizer_fn(|holder: Holder<'_, String>, action| match action {
///     Action::Emit { event, .. } if event == "say" => Decision::allow_if(holder.has_scopes("chat:write")),
///     _ => Decision::Allow,
/// });
/// # let _ = only_writers_say;
/// ```
pub const fn authorizer_fn<I, F>(decide: F) -> AuthorizerFn<F>
where
    F: Fn(Holder<'_, I>, Action<'_>) -> Decision + Send + Sync + 'static,
{
    AuthorizerFn(decide)
}

impl<I, F> Authorizer<I> for AuthorizerFn<F>
where
    F: Fn(Holder<'_, I>, Action<'_>) -> Decision + Send + Sync + 'static,
{
    fn can(&self, holder: Holder<'_, I>, action: Action<'_>) -> Decision {
        (self.0)(holder, action)
    }
}

impl<F> fmt::Debug for AuthorizerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizerFn")
    }
}
