//! The `socket` profile.

use rmpv::Value;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::{SocketIo, SocketIoBuilder};

use crate::Service;
use crate::arguments::Arguments;

pub fn service(builder: SocketIoBuilder) -> Service {
    let (service, io) = builder.build_svc();
    io.ns("/", on_connect);
    io.ns("/custom", on_connect);
    service
}

async fn on_connect(socket: SocketRef, Data(auth): Data<Value>) {
    if std::env::var_os("NO_AUTH_EVENT").is_none() {
        let _ = socket.emit("auth", &or_empty(auth));
    }
    echo(&socket);
    socket.on("emit-with-ack", ask);
    socket.on("ack", async |Data(data): Data<Value>, ack: AckSender| {
        let _ = ack.send(&data);
    });
    socket.on(
        "join",
        async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
            socket.join(room);
            let _ = ack.send(&Arguments(Vec::new()));
        },
    );
    socket.on(
        "leave",
        async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
            socket.leave(room);
            let _ = ack.send(&Arguments(Vec::new()));
        },
    );
    socket.on(
        "broadcast",
        async |io: SocketIo, socket: SocketRef, Data(data): Data<Value>| {
            if let Some(everyone) = io.of(socket.ns()) {
                let _ = everyone.emit("broadcast", &data).await;
            }
        },
    );
    socket.on(
        "roomcast",
        async |socket: SocketRef, Data((room, data)): Data<(String, Value)>| {
            let _ = socket.within(room).emit("broadcast", &data).await;
        },
    );
}

/// The auth payload of a handshake: the msgpack parser tells none as nil.
pub fn or_empty(auth: Value) -> Value {
    match auth {
        Value::Nil => Value::Map(Vec::new()),
        auth => auth,
    }
}

/// `message` and `message-with-ack`, which several profiles have.
pub fn echo(socket: &SocketRef) {
    socket.on(
        "message",
        async |socket: SocketRef, Data(arguments): Data<Arguments>| {
            let _ = socket.emit("message-back", &arguments);
        },
    );
    socket.on(
        "message-with-ack",
        async |Data(arguments): Data<Arguments>, ack: AckSender| {
            let _ = ack.send(&arguments);
        },
    );
}

async fn ask(socket: SocketRef, Data(arguments): Data<Arguments>) {
    let Ok(asked) = socket.emit_with_ack::<_, Arguments>("emit-with-ack", &arguments) else {
        return;
    };
    if let Ok(answer) = asked.await {
        let _ = socket.emit("emit-with-ack", &answer);
    }
}
