//! What is notified: a message, or the number of the row in which it is. Pure.

use serde::Deserialize;
use serde_json::Value;
use socketio::cluster::wire::envelope::{self, Encoding};
use socketio::cluster::{AdapterError, ClusterMessage};

/// How many bytes a notification may have. Node's threshold is 8000, which Postgres refuses.
//= PGA-02
pub const MAX_NOTIFICATION_BYTES: usize = 7999;

/// A message as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// In the notification itself, as JSON.
    Text(String),
    /// In a row, as msgpack. The notification names the row, the sender and the type.
    Attached {
        payload: Vec<u8>,
        uid: String,
        kind: i32,
    },
}

impl Written {
    pub(crate) fn of(message: &ClusterMessage) -> Result<Self, AdapterError> {
        let write = |encoding| envelope::encode(message, encoding).map_err(AdapterError::Encode);
        let written = write(Encoding::JsonUnlessBinary)?;
        let payload = match String::from_utf8(written) {
            Ok(text) if text.len() <= MAX_NOTIFICATION_BYTES => return Ok(Self::Text(text)),
            Ok(_) => write(Encoding::Msgpack)?,
            // It has bytes: of msgpack, for which that is never text.
            Err(msgpack) => msgpack.into_bytes(),
        };
        Ok(Self::Attached {
            payload,
            uid: message.uid.as_str().to_owned(),
            // Node's format has it, and Node does not look at it.
            kind: message.body.wire_type().map_or(0, i32::from),
        })
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Attached { payload, .. } => payload.len(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    attachment_id: Value,
}

/// The row that a notification names, as a number or, as `pg` has it, as text.
pub(crate) fn attachment_id(notification: &str) -> Option<i64> {
    // Few have one, and those that have not need not be read twice.
    if !notification.contains("\"attachmentId\"") {
        return None;
    }
    match serde_json::from_str::<Header>(notification)
        .ok()?
        .attachment_id
    {
        Value::Number(id) => id.as_i64(),
        Value::String(id) => id.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::iter::repeat_n;

    use socketio::Room;
    use socketio::cluster::{ClusterBody, ClusterOptions, RequestId, Scope, ServerId};

    use super::*;

    /// A message that has so many bytes in JSON.
    fn message(bytes: usize) -> ClusterMessage {
        let join = |room: String| {
            let (opts, rooms) = (ClusterOptions::default(), vec![Room::from(&*room)]);
            let body = ClusterBody::SocketsJoin { opts, rooms };
            ClusterMessage::new(ServerId::new("own"), Scope::namespace("/"), body)
        };
        let empty = Written::of(&join(String::new())).unwrap().len();
        join(repeat_n('a', bytes - empty).collect())
    }

    //= PGA-02 test
    #[test]
    fn what_postgres_would_refuse_is_attached() {
        let at = Written::of(&message(MAX_NOTIFICATION_BYTES)).unwrap();
        assert!(matches!(&at, Written::Text(text) if text.len() == MAX_NOTIFICATION_BYTES));
        let past = message(MAX_NOTIFICATION_BYTES + 1);
        let Written::Attached { payload, uid, kind } = Written::of(&past).unwrap() else {
            panic!("it is a notification");
        };
        assert_eq!((&*uid, kind), ("own", 4));
        let back = envelope::decode_on_channel(&payload, &Scope::namespace("/")).unwrap();
        assert_eq!(back.body.wire_type(), Some(4));
    }

    //= PGA-02 test
    #[test]
    fn what_has_bytes_is_attached() {
        let bytes =
            socketio::OwnedArgs::from_values(&[socketio::Binary(vec![0xff].into())]).unwrap();
        let request_id = RequestId::new("r");
        let body = ClusterBody::ServerSideEmitResponse {
            request_id,
            packet: bytes,
        };
        let message = ClusterMessage::new(ServerId::new("own"), Scope::namespace("/"), body);
        assert!(matches!(
            Written::of(&message),
            Ok(Written::Attached { kind: 10, .. })
        ));
    }

    #[test]
    fn a_row_is_named_as_number_or_text() {
        for (notification, id) in [
            (r#"{"uid":"u","type":3,"attachmentId":"12"}"#, Some(12)),
            (r#"{"attachmentId":12}"#, Some(12)),
            (r#"{"attachmentId":1.5}"#, None),
            (r#"{"attachmentId":"x"}"#, None),
            (r#"{"attachmentId":null}"#, None),
            (r#"{"attachmentId":1,"attachmentId":2}"#, None),
            (r#"{"data":{"attachmentId":12}}"#, None),
            (r#"["attachmentId"]"#, None),
            ("\"attachmentId\"", None),
            ("", None),
        ] {
            assert_eq!(attachment_id(notification), id, "{notification}");
        }
    }
}
