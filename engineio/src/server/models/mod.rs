//! Models of what threads do to one session at the same time. Each is explored: it must hold whatever runs first.

mod closing;
mod deadlines;
mod opening;
mod pausing;
mod queue;
mod registry;
mod timers;
mod turn;
mod writing;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use super::clock;
use super::hub::Hub;
use super::session::connection::Connection;
use super::session::handler::{Flow, Handler};
use super::session::shared::{HubOf, Opening, Shared};
use super::transport::polling::Content;
use crate::body::Body;
use crate::config::Config;
use crate::http::request::RequestView;
use crate::message::Message;
use crate::packet::Protocol;
use crate::proto::close_reason::CloseReason;
use crate::session_id::SessionId;
use crate::transport::Transport;

/// What the handler of a model was told. Behind a mutex that is not explored: what a model writes down for itself must not be a
/// step more.
#[derive(Debug, Default)]
struct Told {
    calls: Mutex<Calls>,
    /// The handler was told "pause", and is about to say so.
    is_pausing: Notify,
}

#[derive(Debug, Default)]
struct Calls {
    made: Vec<String>,
    is_inside: bool,
    has_overlapped: bool,
}

impl Told {
    fn calls<T>(&self, with: impl FnOnce(&mut Calls) -> T) -> T {
        with(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does what no call may run beside.
    fn hold(&self, run: impl FnOnce()) {
        self.calls(|calls| {
            calls.has_overlapped |= calls.is_inside;
            calls.is_inside = true;
        });
        run();
        self.calls(|calls| calls.is_inside = false);
    }

    /// A call that others would run beside, if they were let.
    fn call(&self, what: &str) {
        self.hold(schedules::point);
        self.calls(|calls| calls.made.push(what.to_owned()));
    }

    /// All calls, in their order.
    fn made(&self) -> Vec<String> {
        self.calls(|calls| calls.made.clone())
    }

    fn count(&self, what: &str) -> usize {
        self.calls(|calls| calls.made.iter().filter(|made| *made == what).count())
    }

    fn check_calls_were_serial(&self) {
        assert!(
            !self.calls(|calls| calls.has_overlapped),
            "a call began before the last one had returned"
        );
    }
}

struct Recorder(Arc<Told>);

impl Handler for Recorder {
    type Data = ();

    fn on_open(&self, _: &RequestView<'_>, _: Protocol) {}

    fn on_ready(&self, _: &Connection<()>) {
        self.0.call("ready");
    }

    fn on_message(&self, _: &Connection<()>, message: Message<'_>) -> Flow {
        self.0.call(&String::from_utf8_lossy(message.as_bytes()));
        if message.as_bytes() != b"pause" {
            return Flow::Continue;
        }
        self.0.is_pausing.notify_one();
        schedules::point();
        Flow::Pause
    }

    fn on_close(&self, _: &Connection<()>, _: CloseReason) {
        self.0.call("close");
    }

    fn on_upgrade(&self, _: &Connection<()>) {
        self.0.call("upgrade");
    }

    fn on_deadline(&self, _: &Connection<()>) {
        self.0.call("deadline");
    }

    fn on_slow(&self, _: &Connection<()>) {
        self.0.call("slow");
    }

    fn on_drained(&self, _: &Connection<()>) {
        self.0.call("drained");
    }
}

/// An engine's hub, and what its handler is told.
fn hub(config: Config) -> (Arc<HubOf<()>>, Arc<Told>) {
    let told = Arc::new(Told::default());
    let recorder = Arc::new(Recorder(Arc::clone(&told)));
    (Arc::new(Hub::new(config, recorder)), told)
}

/// A session that is open, and the time when it was opened.
#[derive(Clone)]
struct Opened {
    connection: Connection<()>,
    told: Arc<Told>,
    now: Instant,
}

impl Opened {
    fn new(config: Config, transport: Transport) -> Self {
        let (hub, told) = hub(config);
        let now = clock::now();
        let opening = Opening {
            id: SessionId::from_random_bytes([7; 15]),
            protocol: Protocol::V4,
            transport,
            peer: None,
            is_base64: false,
            jsonp: None,
        };
        let shared = Arc::new(Shared::new(hub, now, opening, ()));
        shared.end_turn(now);
        Self {
            connection: Connection(shared),
            told,
            now,
        }
    }

    fn shared(&self) -> &Arc<Shared<()>> {
        &self.connection.0
    }

    /// What the timer does so long after the opening.
    fn ring(&self, after: Duration) {
        self.shared().hub.alarm.ring(self.now + after);
    }

    /// What a handler of this session does that runs on another thread; nothing, if the turn is taken.
    fn take_turn(&self) {
        let shared = self.shared();
        if shared.begin_turn() {
            self.told.hold(schedules::point);
            shared.end_turn(self.now);
        }
    }

    fn send(&self, text: &str) {
        self.connection.send_text(text).unwrap();
    }
}

/// A thread's name, and what it does.
type Part = (&'static str, fn(&Opened));

/// Has each do its part, and waits for all.
fn side_by_side<const N: usize>(opened: &Opened, parts: [Part; N]) {
    let threads = parts.map(|(name, run)| {
        let opened = opened.clone();
        schedules::spawn(name, move || run(&opened))
    });
    threads.into_iter().for_each(|thread| thread.join());
}

/// Starts a thread that has the session.
fn spawn<T: Send + 'static>(
    name: &str,
    opened: &Opened,
    run: impl FnOnce(&Opened) -> T + Send + 'static,
) -> schedules::Thread<T> {
    let opened = opened.clone();
    schedules::spawn(name, move || run(&opened))
}

/// A POST that is here as a whole.
fn whole(text: &str) -> Content<'_, Body> {
    Content::Whole(text.as_bytes())
}

/// Goes through what can happen to a session on long-polling.
fn explore(model: impl Fn(Opened) + Send + Sync + 'static) {
    explore_with(Config::new(), Transport::Polling, model);
}

/// The same of one that was opened in another way.
fn explore_with(
    config: Config,
    transport: Transport,
    model: impl Fn(Opened) + Send + Sync + 'static,
) {
    explore_in_runtime(move |_| {
        let opened = Opened::new(config.clone(), transport);
        model(opened.clone());
        opened.told.check_calls_were_serial();
    });
}

/// Explores what needs a runtime. Nothing runs in it by itself: what its tasks do, threads of the model do. Its clock stands
/// still.
fn explore_in_runtime(model: impl Fn(&Runtime) + Send + Sync + 'static) {
    let mut builder = Builder::new_current_thread();
    let runtime = Arc::new(builder.enable_all().start_paused(true).build().unwrap());
    let of_model = Arc::clone(&runtime);
    let _entered = runtime.enter();
    schedules::explore(move || model(&of_model));
}
