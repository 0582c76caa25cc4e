//! socketio.

#![forbid(unsafe_code)]

#[allow(
    dead_code,
    unused_imports,
    reason = "the server that uses it is being built"
)]
mod codec;
mod error;
#[allow(
    dead_code,
    unused_imports,
    reason = "the server that uses it is being built"
)]
mod packet;

pub use codec::{
    Args, ArgsError, Binary, Codec, EncodeError, FromArgs, Limits, Outgoing, OwnedArgs,
    PacketError, Parser, Partial, RawArgs,
};
pub use error::{AckError, BuildError, DisconnectReason, EmitError};
pub use packet::{Packet, PacketKind};
