//! What a token says of itself, whoever vouches for it: its signature or its issuer.

pub(crate) mod registered;
pub(crate) mod strict_json;
