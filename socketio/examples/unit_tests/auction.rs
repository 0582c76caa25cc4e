//! The server, in a function that the program calls and the tests too.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use socketio::engineio::Cors;
use socketio::{Ack, Args, BuildError, ConnectError, Socket, SocketIo};

/// How long others have to bid more, once the hammer is up.
pub(crate) const GOING: Duration = Duration::from_secs(10);

/// The bid that stands. There is one lot, and one of these.
#[derive(Default)]
struct Standing(Mutex<Option<Bid>>);

#[derive(Clone, PartialEq)]
struct Bid {
    name: String,
    amount: u32,
}

impl Standing {
    /// Takes a bid that is higher than the one that stands.
    fn raise(&self, bid: &Bid) -> Result<(), String> {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let least = standing.as_ref().map_or(0, |bid| bid.amount);
        if bid.amount <= least {
            return Err(format!("more than {least}, please"));
        }
        *standing = Some(bid.clone());
        Ok(())
    }

    fn bid(&self) -> Option<Bid> {
        let standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.clone()
    }

    /// Makes room for the next lot, unless there was a higher bid.
    fn sell(&self, bid: &Bid) -> bool {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.take_if(|standing| standing == bid).is_some()
    }
}

/// Who is bidding, kept with the socket.
struct Bidder(String);

pub(crate) fn build() -> Result<SocketIo, BuildError> {
    let io = SocketIo::builder()
        .state(Standing::default())
        .engine(|engine| engine.cors(Cors::any()))
        .build()?;
    io.namespace("/")
        .middleware(|socket| async move { register(&socket) })
        .on(
            "bid",
            |socket, amount: u32| async move { bid(&socket, amount) },
        )
        .on("hammer", |socket, ()| async move { hammer(&socket).await })
        .open()?;
    Ok(io)
}

/// Lets in whoever says a name. A real auction would have an authenticator.
fn register(socket: &Socket) -> Result<(), ConnectError> {
    #[derive(Deserialize)]
    struct Auth {
        name: String,
    }
    match serde_json::from_value(socket.auth()) {
        Ok(Auth { name }) if !name.is_empty() => {
            socket.extensions().insert(Bidder(name));
            Ok(())
        }
        _ => Err(ConnectError::new("say who you are")),
    }
}

fn bid(socket: &Socket, amount: u32) -> Result<Ack<u32>, String> {
    let Some(bidder) = socket.extensions().get::<Bidder>() else {
        return Err("say who you are".to_owned());
    };
    let bid = Bid {
        name: bidder.0.clone(),
        amount,
    };
    socket.state::<Standing>().raise(&bid)?;
    let _ = socket.everyone().emit("bid", &Args((&bid.name, amount)));
    Ok(Ack(amount))
}

/// Sells the lot to whoever has bid most, unless somebody bids more meanwhile; whether it is sold.
async fn hammer(socket: &Socket) -> Result<Ack<bool>, &'static str> {
    let standing = socket.state::<Standing>();
    let bid = standing.bid().ok_or("nobody has bid")?;
    let _ = socket
        .everyone()
        .emit("going", &Args((&bid.name, bid.amount)));
    // Other events of this socket are handled meanwhile.
    tokio::time::sleep(GOING).await;
    let is_sold = standing.sell(&bid);
    if is_sold {
        let _ = socket
            .everyone()
            .emit("sold", &Args((&bid.name, bid.amount)));
    }
    Ok(Ack(is_sold))
}
