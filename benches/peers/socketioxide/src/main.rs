//! The `socket` profile of FIXTURE.md on socketioxide, behind hyper, on one current-thread runtime; `PROFILE=engine` serves that profile
//! on engineioxide, `PROFILE=matrix` the first configuration of that one.

mod arguments;
mod engine;
mod matrix;
mod socket;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use engineioxide::service::NotFoundService;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socketioxide::service::SocketIoService;
use socketioxide::{ParserConfig, SocketIo, SocketIoBuilder};
use tokio::net::TcpSocket;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A Socket.IO server, ready for hyper.
type Service = SocketIoService<NotFoundService>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    match std::env::var("PROFILE").as_deref() {
        Ok("engine") => serve(engine::service()).await,
        Ok("matrix") => serve(matrix::service(builder()?)?).await,
        _ => serve(socket::service(builder()?)).await,
    }
}

/// The library's defaults, except what the environment overrides.
fn builder() -> Result<SocketIoBuilder, Failure> {
    let mut builder = SocketIo::builder();
    if let Ok(millis) = std::env::var("ACK_TIMEOUT") {
        builder = builder.ack_timeout(Duration::from_millis(millis.parse()?));
    }
    if std::env::var("PARSER").as_deref() == Ok("msgpack") {
        builder = builder.with_parser(ParserConfig::msgpack());
    }
    Ok(builder)
}

async fn serve<S, B>(service: S) -> Result<(), Failure>
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Failure>,
{
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
