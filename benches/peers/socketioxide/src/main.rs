//! The `socket` profile of FIXTURE.md on socketioxide, behind hyper, on one current-thread runtime.

use std::net::{Ipv4Addr, SocketAddr};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use rmpv::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpSocket;

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn on_connect(socket: SocketRef, Data(auth): Data<Value>) {
    if std::env::var_os("NO_AUTH_EVENT").is_none() {
        let _ = socket.emit("auth", &auth);
    }
    socket.on(
        "message",
        async |socket: SocketRef, Data(data): Data<Value>| {
            let _ = socket.emit("message-back", &data);
        },
    );
    socket.on(
        "message-with-ack",
        async |Data(data): Data<Value>, ack: AckSender| {
            let _ = ack.send(&data);
        },
    );
    socket.on(
        "join",
        async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
            socket.join(room);
            let _ = ack.send(&[(); 0]);
        },
    );
    socket.on(
        "leave",
        async |socket: SocketRef, Data(room): Data<String>, ack: AckSender| {
            socket.leave(room);
            let _ = ack.send(&[(); 0]);
        },
    );
    socket.on(
        "broadcast",
        async |io: SocketIo, Data(data): Data<Value>| {
            let _ = io.emit("broadcast", &data).await;
        },
    );
    socket.on(
        "roomcast",
        async |socket: SocketRef, Data((room, data)): Data<(String, Value)>| {
            let _ = socket.within(room).emit("broadcast", &data).await;
        },
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let (service, io) = SocketIo::new_svc();
    io.ns("/", on_connect);
    io.ns("/custom", on_connect);

    let port = std::env::var("PORT").map_or(Ok(0), |port| port.parse())?;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    let listener = socket.listen(4096)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}
