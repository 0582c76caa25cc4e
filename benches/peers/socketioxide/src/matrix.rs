//! The first configuration of the `matrix` profile, without what socketioxide has no way to say: `kick-all` (a connection cannot be
//! closed from a handler), the data of a refusal (an error is its text) and `forbidden` (there is no middleware for events).

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use rmpv::Value;
use serde::Serialize;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::handler::ConnectHandler as _;
use socketioxide::{SocketIo, SocketIoBuilder};

use crate::Service;
use crate::arguments::Arguments;
use crate::socket::echo;

/// How long `survey` waits for answers.
const SURVEY_TIMEOUT: Duration = Duration::from_millis(400);

pub fn service(builder: SocketIoBuilder) -> Result<Service, crate::Failure> {
    let (service, io) = builder.connect_timeout(Duration::from_secs(1)).build_svc();
    io.ns("/", handle);
    io.ns("/custom", handle);
    io.ns("/no", handle.with(refuse));
    io.ns("/no-data", handle.with(refuse));
    io.ns(
        "/auth",
        async |socket: SocketRef, Data(auth): Data<Value>| {
            let _ = socket.emit("auth", &auth);
        },
    );
    io.dyn_ns("/dyn-{digits}", handle)?;
    io.ns("/emit-first", async |socket: SocketRef| {
        let _ = socket.emit("hello", &1);
    });
    io.ns("/slow", connected_slowly.with(accept_slowly));
    Ok(service)
}

async fn refuse() -> Result<(), &'static str> {
    Err("denied")
}

async fn accept_slowly() -> Result<(), &'static str> {
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(())
}

async fn connected_slowly(io: SocketIo, socket: SocketRef, Data(auth): Data<Value>) {
    let _ = io
        .to("slow-watch")
        .emit("room", &("connected", &auth["name"]))
        .await;
    handle(socket).await;
}

#[derive(Serialize)]
struct Deep {
    b: Bytes,
}

async fn handle(socket: SocketRef) {
    echo(&socket);
    socket.on("ask", ask);
    socket.on("kick", async |socket: SocketRef| {
        let _ = socket.disconnect();
    });
    socket.on(
        "burst",
        async |socket: SocketRef, Data(count): Data<u32>| {
            for i in 0..count {
                let _ = socket.emit("n", &i);
            }
        },
    );
    socket.on("bin", async |socket: SocketRef| {
        let deep = Deep {
            b: Bytes::from_static(&[4]),
        };
        let _ = socket.emit("bin", &(Bytes::from_static(&[1, 2, 3]), deep));
    });
    socket.on(
        "join",
        async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
            socket.join(room);
            let _ = ack.send(&Arguments(Vec::new()));
        },
    );
    socket.on(
        "to",
        async |socket: SocketRef, Data(arguments): Data<Arguments>| {
            if let Some((room, rest)) = arguments.split_text() {
                let _ = socket.to(room).emit("room", &rest).await;
            }
        },
    );
    socket.on(
        "all",
        async |io: SocketIo, socket: SocketRef, Data(arguments): Data<Arguments>| {
            if let Some(everyone) = io.of(socket.ns()) {
                let _ = everyone.emit("all", &arguments).await;
            }
        },
    );
    socket.on(
        "volatile",
        async |socket: SocketRef, Data(count): Data<u32>| {
            for i in 0..count {
                let _ = socket.volatile().emit("v", &i);
            }
        },
    );
    socket.on("survey", survey);
    socket.on(
        "kick-room",
        async |socket: SocketRef, Data(room): Data<String>| {
            let _ = socket.within(room).disconnect().await;
        },
    );
}

async fn ask(socket: SocketRef, Data(arguments): Data<Arguments>) {
    let Ok(asked) = socket.emit_with_ack::<_, Arguments>("ask", &arguments) else {
        return;
    };
    if let Ok(answer) = asked.await {
        let _ = socket.emit("answer", &answer);
    }
}

async fn survey(socket: SocketRef, Data(arguments): Data<Arguments>) {
    let Some((room, rest)) = arguments.split_text() else {
        return;
    };
    let asked = socket
        .within(room)
        .timeout(SURVEY_TIMEOUT)
        .emit_with_ack::<_, Value>("q", &rest)
        .await;
    let Ok(coming) = asked else { return };
    let mut coming = std::pin::pin!(coming);
    let (mut answers, mut is_late) = (Vec::new(), false);
    while let Some((_, answer)) = coming.next().await {
        match answer {
            Ok(answer) => answers.push(answer),
            Err(_) => is_late = true,
        }
    }
    let _ = socket.emit("answers", &(answers, is_late));
}
