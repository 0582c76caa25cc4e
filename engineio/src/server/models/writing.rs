//! The right to write.

use std::io::Read;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::{Opened, explore_in_runtime, spawn};
use crate::config::Config;
use crate::message::EncodedMessage;
use crate::server::stream::Stream;
use crate::server::stream::form::FrameForm;
use crate::server::transport::websocket::{self, Task};
use crate::transport::Transport;
use crate::websocket::{Decoder, split_frame};

/// A session on a WebSocket that any thread can write to, and what its client reads.
struct Wired {
    opened: Opened,
    stream: Stream,
    client: StdUnixStream,
}

impl Wired {
    fn new(runtime: &Runtime) -> Self {
        let (stream, client) = runtime.block_on(async {
            let (here, there) = UnixStream::pair().unwrap();
            // From here on the runtime does not look, so it is to know already.
            here.writable().await.unwrap();
            (here, there.into_std().unwrap())
        });
        Self {
            opened: Opened::new(Config::new(), Transport::WebSocket),
            stream: Stream::Unix(stream),
            client,
        }
    }

    /// The WebSocket's task.
    fn begin(opened: &Opened, stream: Stream) -> Task<()> {
        websocket::begin(
            Some(Arc::clone(opened.shared())),
            stream,
            None,
            Vec::new(),
            FrameForm::default(),
            Decoder::new(1_000),
            false,
        )
    }
}

/// The frames that the client has been sent: what they are, and what is in them.
fn received(client: &mut StdUnixStream) -> Vec<String> {
    let mut bytes = [0; 256];
    let count = client.read(&mut bytes).unwrap_or(0);
    let mut rest = &bytes[..count];
    let mut frames = Vec::new();
    while let Some((opcode, body, behind)) = split_frame(rest) {
        frames.push(format!("{opcode:?} {}", String::from_utf8_lossy(body)));
        rest = behind;
    }
    assert!(rest.is_empty(), "half a frame: {rest:?}");
    frames
}

#[test]
fn what_several_send_arrives_once_and_each_in_its_own_order() {
    explore_in_runtime(|runtime| {
        let Wired {
            opened,
            stream,
            mut client,
        } = Wired::new(runtime);
        let (reader, writer) = stream.split();
        opened.shared().attach(writer, FrameForm::default(), None);
        let threads = [
            spawn("sender", &opened, |opened| {
                opened.send("a1");
                opened.send("a2");
            }),
            spawn("broadcaster", &opened, |opened| {
                opened.send("b1");
                // Past the queue, if nothing is in it.
                let message = EncodedMessage::text("b2");
                opened.connection.send(&message).unwrap();
            }),
            spawn("emitter", &opened, |opened| {
                opened.connection.together(|| opened.send("c1"));
            }),
        ];
        threads.into_iter().for_each(schedules::Thread::join);
        let frames = received(&mut client);
        let at = |text: &str| {
            let frame = format!("Text 4{text}");
            let places: Vec<_> = (0..frames.len())
                .filter(|at| frames[*at] == frame)
                .collect();
            assert_eq!(places.len(), 1, "{text} among {frames:?}");
            places[0]
        };
        assert!(at("a1") < at("a2") && at("b1") < at("b2"), "{frames:?}");
        at("c1");
        assert_eq!(opened.connection.queued_bytes(), 0);
        drop(reader);
    });
}

#[test]
fn whoever_closes_while_another_writes_takes_leave_behind_it() {
    explore_in_runtime(|runtime| {
        let Wired {
            opened,
            stream,
            mut client,
        } = Wired::new(runtime);
        let websocket = spawn("websocket", &opened, |opened| {
            let mut task = Wired::begin(opened, stream);
            // The leave itself takes the peer's time.
            schedules::block_on(std::future::poll_fn(|cx| {
                let polled = Pin::new(&mut task).poll(cx);
                match task {
                    Task::Leaving(_) => Poll::Ready(()),
                    _ => polled,
                }
            }));
            task
        });
        let sender = spawn("sender", &opened, |opened| {
            opened.connection.send_text("a").is_ok()
        });
        let closer = spawn("closer", &opened, |opened| opened.connection.close());
        let is_sent = sender.join();
        closer.join();
        drop(websocket.join());
        let close = String::from("Close ");
        let expected = match is_sent {
            true => vec![String::from("Text 4a"), close],
            false => vec![close],
        };
        assert_eq!(received(&mut client), expected);
        assert_eq!(opened.told.made(), ["close"]);
    });
}
