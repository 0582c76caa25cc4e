//! An axum application with accounts, sessions in SQLite and a login form, to which Socket.IO was added: notes that
//! appear at once in every tab of whoever wrote them.
//!
//!     cargo run -p web_app
//!
//! Then open <http://localhost:3000> in two windows. `ADDRESS` and `DATABASE` change where it listens and what file it
//! uses; `PAGES` names the origins whose pages may use it, with spaces between, when that is not its own address alone.
//!
//! | file | |
//! |---|---|
//! | `database.rs` | what is kept: people, sessions, notes |
//! | `accounts.rs` | registering, logging in and out: forms and the cookie |
//! | `answers.rs` | answers that several routes give |
//! | `live.rs` | Socket.IO: who may connect, what is live |
//! | `web.rs` | all routes together, and CORS |

mod accounts;
mod answers;
mod database;
mod live;
mod web;

use std::net::SocketAddr;
use std::time::Duration;

use socketio::{Namespace, SocketIo};
use tokio::net::TcpListener;

use accounts::Accounts;
use database::{Database, Failure, User};

/// How long those who are connected have to go elsewhere when the program ends.
const DRAIN: Duration = Duration::from_secs(5);

/// What every handler of a request may need; cheap to clone.
#[derive(Clone)]
struct App {
    database: Database,
    accounts: Accounts,
    io: SocketIo<User>,
    /// Where notes appear, also those that came by plain HTTP.
    notes: Namespace<User>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let setting =
        |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let listener = TcpListener::bind(setting("ADDRESS", "127.0.0.1:3000")).await?;
    let address = listener.local_addr()?;
    let pages = setting("PAGES", &own_origins(address));
    let pages: Vec<_> = pages.split_whitespace().collect();

    let database = Database::open(setting("DATABASE", "notes.sqlite")).await?;
    let io = live::build(&database, &pages)?;
    let app = App {
        accounts: Accounts::new(database.clone()),
        notes: live::open_notes(&io)?,
        io: io.clone(),
        database,
    };
    live::open_account(&io)?;

    eprintln!("listening on http://{address}");
    axum::serve(listener, web::routes(app, &pages)?)
        .with_graceful_shutdown(async move {
            // Sockets first: axum waits for all that is connected.
            if tokio::signal::ctrl_c().await.is_ok() {
                io.drain(DRAIN).await;
            }
        })
        .await?;
    Ok(())
}

/// What a browser on this machine calls us.
fn own_origins(address: SocketAddr) -> String {
    format!("http://{address} http://localhost:{}", address.port())
}
