//! How a session is reached: its WebSocket, or its requests.

pub(crate) mod polling;
pub(crate) mod switch;
#[cfg(feature = "nodes")]
pub(crate) mod tunnel;
pub(crate) mod upgrade;
pub(crate) mod websocket;
