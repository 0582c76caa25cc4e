//! Asking connect middleware about a client that wants in, or that is to become somebody else.

use std::sync::Arc;
use std::time::Instant;

use engineio::Connection;
use socketio_auth::server as auth;
use socketio_auth::{Code, Rejection};

use super::admission::new_guest;
use super::waiting::Ended;
use crate::authority::refused::Refused;
use crate::error::ConnectError;
use crate::live::candidate::Candidate;
use crate::live::client::{Client, Shell};
use crate::live::core::Core;
use crate::live::inbox::{Asked, Call};
use crate::proto::client::{Input, Question};
use crate::running::Panicked;

impl Client {
    /// Takes a question of the machine; yields the answer, where nobody has to be asked. Calls no user code.
    pub(super) fn take_question(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        question: Question<Shell>,
    ) -> Option<Input<Shell>> {
        let Question {
            ticket,
            socket,
            epoch,
            grant,
            expires_in,
            answers_connect,
        } = question;
        let guard = socket.space.guard.as_ref();
        let makes_guest = guard.is_some() && grant.is_none();
        let mut candidate = None;
        match grant {
            Some(accepted) if socket.is_joined() => {
                candidate = Some(socket.consider(Candidate::new(accepted, expires_in)));
            }
            Some(accepted) => {
                socket.set_evidence(accepted.evidence.clone());
                self.install(&socket, &accepted, accepted.ends_at(expires_in));
                if let Some(guard) = guard.filter(|_| answers_connect) {
                    self.bind(guard.index);
                }
            }
            None => {}
        }
        let calls = makes_guest || !socket.space.handlers.middleware.is_empty();
        let about = Asked {
            ticket,
            epoch,
            socket,
            candidate,
            answers_connect,
        };
        if calls {
            self.push(Call::Ask { about, makes_guest });
            return None;
        }
        self.ask(connection, now, about)
    }

    /// Makes the guest that is asked about, then asks. What is refused here is told as middleware's own no is.
    pub(super) fn ask_about_guest(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        mut about: Asked,
    ) -> Option<Input<Shell>> {
        let space = &about.socket.space;
        let guard = space.guard.as_ref()?;
        match new_guest(guard, space) {
            Ok(guest) if about.socket.is_joined() => {
                about.candidate = Some(about.socket.consider(Candidate::guest(guest)));
            }
            Ok(guest) => about.socket.set_guest(guest),
            Err(rejection) => return Some(about.answer(Err(rejection.into()))),
        }
        self.ask(connection, now, about)
    }

    /// Finds out whether the client comes back, then asks connect middleware; yields the answer, where nobody has to be
    /// waited for.
    pub(super) fn ask(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        about: Asked,
    ) -> Option<Input<Shell>> {
        if !about.answers_connect {
            return self.ask_unless(false, connection, now, about);
        }
        let Some(restoring) = about.socket.restoring() else {
            let skips = about.socket.identify(None);
            return self.ask_unless(skips, connection, now, about);
        };
        let (socket, epoch) = (Arc::clone(&about.socket), about.epoch);
        self.run_unless_cancelled(
            connection,
            now,
            &socket,
            epoch,
            restoring,
            move |client, connection, now, ended| {
                // Whoever cannot wait for it is a stranger.
                let restored = match ended {
                    Ended::Said(restored) => restored.ok().flatten(),
                    Ended::Crowded(_) => None,
                };
                let skips = about.socket.identify(restored);
                let answer = client.ask_unless(skips, connection, now, about);
                client.pump_next(connection, now, answer);
            },
        );
        None
    }

    /// Asks connect middleware, one after the other, unless there is none or what is recovered was let in before.
    fn ask_unless(
        &self,
        skips: bool,
        connection: &Connection<Self>,
        now: Instant,
        about: Asked,
    ) -> Option<Input<Shell>> {
        if skips || about.socket.space.handlers.middleware.is_empty() {
            return Some(about.answer(Ok(())));
        }
        let asked = ask_middleware(Arc::clone(&about.socket), about.candidate.clone());
        let (socket, epoch) = (Arc::clone(&about.socket), about.epoch);
        self.run_unless_cancelled(
            connection,
            now,
            &socket,
            epoch,
            Box::pin(asked),
            move |client, connection, now, ended| {
                let input = match ended {
                    Ended::Said(asked) => client.answer_of(&about, asked),
                    Ended::Crowded(rejection) => client.refusal_of(&about, rejection.into()),
                };
                client.pump(connection, now, input);
            },
        );
        None
    }

    /// What middleware said, unless the grant that it was asked about was revoked meanwhile.
    fn answer_of(
        &self,
        about: &Asked,
        asked: Result<Result<(), ConnectError>, Panicked>,
    ) -> Input<Shell> {
        let refused = match asked {
            Ok(Ok(())) => match self.check_again(about) {
                Ok(()) => return about.answer(Ok(())),
                Err(rejection) if about.candidate.is_some() && is_revoked(&rejection) => {
                    let (ticket, epoch) = (about.ticket, about.epoch);
                    let rejection = rejection.into();
                    let input = auth::Input::VerifyRevoked { epoch, rejection };
                    return Input::Auth { ticket, input };
                }
                Err(rejection) => rejection.into(),
            },
            Ok(Err(error)) => Refused::by_middleware(error),
            Err(Panicked) => Refused::by_panic(),
        };
        self.refusal_of(about, refused)
    }

    fn refusal_of(&self, about: &Asked, refused: Refused) -> Input<Shell> {
        let evidence = match &about.candidate {
            Some(candidate) => candidate.evidence(),
            None => about.socket.take_evidence(),
        };
        about.answer(Err(refused.with_evidence(evidence)))
    }

    /// Whether the grant still holds. Revocations find that of a socket which is not in; a candidate's looks back.
    fn check_again(&self, about: &Asked) -> Result<(), Rejection> {
        let Some(candidate) = &about.candidate else {
            return about.socket.check_lists();
        };
        let Some(accepted) = &candidate.accepted else {
            return Ok(());
        };
        let facts = accepted.grant.facts();
        about.socket.space.check_lists(facts)?;
        self.server.authority.revoked.check(accepted.mark, facts)
    }
}

impl Asked {
    fn answer(&self, verdict: Result<(), Refused>) -> Input<Shell> {
        Input::Asked {
            ticket: self.ticket,
            epoch: self.epoch,
            verdict,
        }
    }
}

fn is_revoked(rejection: &Rejection) -> bool {
    rejection.code() == Code::TokenRevoked
}

async fn ask_middleware(
    socket: Arc<Core>,
    candidate: Option<Arc<Candidate>>,
) -> Result<(), ConnectError> {
    for middleware in &socket.space.handlers.middleware {
        middleware.start(&socket, candidate.as_ref()).await?;
    }
    Ok(())
}
