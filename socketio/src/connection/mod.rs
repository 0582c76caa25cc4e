//! The verbs of a connection: an input to the machine, its outputs carried out, user code called.

mod admission;
mod ask;
mod binding;
mod books;
mod calls;
pub(crate) mod drive;
mod effects;
mod receive;
mod replies;
mod revoking;
mod waiting;
