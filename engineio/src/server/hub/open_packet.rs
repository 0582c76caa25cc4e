//! The open packet (EIO4-HS-01), of which all but the session's id is the same for everyone.

use crate::config::Config;
use crate::session_id::SessionId;
use crate::transport::Transport;

const HEAD: &str = "0{\"sid\":\"";

/// What follows the id, over either transport.
#[derive(Debug)]
pub(crate) struct OpenPacket {
    polling: Box<str>,
    websocket: Box<str>,
}

impl OpenPacket {
    pub(crate) fn new(config: &Config) -> Self {
        let has_upgrade = config.websocket && config.allow_upgrades;
        Self {
            polling: tail(config, if has_upgrade { "\"websocket\"" } else { "" }),
            websocket: tail(config, ""),
        }
    }

    /// The packet for one session, in the parts that it is made of.
    pub(crate) fn of<'p>(&'p self, id: &'p SessionId, transport: Transport) -> [&'p str; 3] {
        let tail = match transport {
            Transport::Polling => &self.polling,
            Transport::WebSocket => &self.websocket,
        };
        [HEAD, id.as_str(), tail]
    }
}

fn tail(config: &Config, upgrades: &str) -> Box<str> {
    format!(
        "\",\"upgrades\":[{upgrades}],\"pingInterval\":{},\"pingTimeout\":{},\"maxPayload\":{}}}",
        config.timing.ping_interval.as_millis(),
        config.timing.ping_timeout.as_millis(),
        config.max_payload,
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_the_configuration_says() {
        let id = SessionId::from_random_bytes([0; 15]);
        let packet = OpenPacket::new(&Config::default());
        assert_eq!(
            packet.of(&id, Transport::Polling).concat(),
            "0{\"sid\":\"AAAAAAAAAAAAAAAAAAAA\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}"
        );
        assert_eq!(
            packet.of(&id, Transport::WebSocket).concat(),
            "0{\"sid\":\"AAAAAAAAAAAAAAAAAAAA\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}"
        );
    }
}
