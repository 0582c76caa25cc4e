//! The server's part in a cluster, outgoing: publishing, asking, who is there. What a message means is decided in
//! `proto::cluster`, what it does in `facade::hearing`.

pub(crate) mod adapter;
pub(crate) mod answers;
pub(crate) mod handle;
pub(crate) mod link;
pub(crate) mod local;
pub(crate) mod question;
pub(crate) mod seat;
pub(crate) mod settings;
