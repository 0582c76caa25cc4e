//! The entries of a stream, and the sessions beside it (PROTOCOL.md §6.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::envelope::{self, Nil};
use super::ignored::Ignored;
use super::parts;
use super::value::Value;
use crate::codec::EncodeError;
use crate::proto::cluster::entry::EntryId;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, Scope, ServerId};
use crate::proto::recovery::{Offset, Stay, Stays};
use crate::proto::room::Room;

/// The fields of an entry, as they are found by their names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// The field `uid`: who wrote it.
    pub uid: Option<&'a [u8]>,
    /// The field `nsp`.
    pub nsp: Option<&'a [u8]>,
    /// The field `type`, in digits.
    pub kind: Option<&'a [u8]>,
    /// The field `data`: JSON, or msgpack in base64.
    pub data: Option<&'a [u8]>,
    /// The field `number`, in digits: [`ClusterMessage::number`]. The reference has none.
    pub number: Option<&'a [u8]>,
}

impl<'a> Entry<'a> {
    /// Sorts fields. Of those with one name the last counts.
    //= STR-01
    pub fn of(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut entry = Self::default();
        for (name, value) in fields {
            match name {
                b"uid" => entry.uid = Some(value),
                b"nsp" => entry.nsp = Some(value),
                b"type" => entry.kind = Some(value),
                b"data" => entry.data = Some(value),
                b"number" => entry.number = Some(value),
                _ => {}
            }
        }
        entry
    }
}

/// Reads an entry.
///
/// # Errors
///
/// Why it means nothing.
//= STR-01
pub fn decode(entry: &Entry<'_>) -> Result<ClusterMessage, Ignored> {
    let uid = text(entry.uid, "uid")?;
    let nsp = text(entry.nsp, "nsp")?;
    let kind = text(entry.kind, "type")?;
    let kind = kind.parse().map_err(|_| Ignored::UnknownType)?;
    let body = match entry.data {
        None => envelope::read_body(kind, None, Nil::Null),
        Some(data) if data.first() == Some(&super::JSON) => {
            envelope::read_body(kind, Some(super::read(data)?), Nil::Null)
        }
        Some(data) => {
            let bytes = unbase64(data)?;
            envelope::read_body(kind, Some(super::read(&bytes)?), Nil::Nothing)
        }
    };
    let mut message = ClusterMessage::new(ServerId::new(uid), Scope::namespace(nsp), body?);
    //= RDS-04
    let number = entry.number.and_then(|it| std::str::from_utf8(it).ok());
    message.number = number.and_then(|number| number.parse().ok());
    Ok(message)
}

fn text<'a>(field: Option<&'a [u8]>, name: &'static str) -> Result<&'a str, Ignored> {
    let bytes = field.ok_or(Ignored::Missing(name))?;
    std::str::from_utf8(bytes).map_err(|_| Ignored::Mistyped(name))
}

fn unbase64(text: &[u8]) -> Result<Vec<u8>, Ignored> {
    if text.len() > super::MAX_BYTES {
        return Err(Ignored::TooLarge);
    }
    STANDARD.decode(text).map_err(|_| Ignored::Malformed)
}

/// True for what is an entry of the stream. What else is said is published, and soon forgotten.
//= STR-02
#[must_use]
pub fn is_entry(body: &ClusterBody) -> bool {
    match body {
        ClusterBody::Broadcast { request_id, .. } => request_id.is_none(),
        ClusterBody::SocketsJoin { .. }
        | ClusterBody::SocketsLeave { .. }
        | ClusterBody::DisconnectSockets { .. } => true,
        _ => false,
    }
}

/// Writes an entry: the names and values of its fields, in the order of the wire.
///
/// # Errors
///
/// Arguments in it are nested too deep, or cannot be translated.
//= STR-01
pub fn encode(message: &ClusterMessage) -> Result<Vec<(&'static str, Vec<u8>)>, EncodeError> {
    // What is about whole servers is no entry.
    let nsp = message.scope.name().unwrap_or_default();
    let mut fields = vec![
        ("uid", message.uid.as_str().into()),
        ("nsp", nsp.as_bytes().into()),
        ("type", envelope::kind(&message.body).to_string().into()),
    ];
    if let Some(data) = envelope::data(&message.body)? {
        let written = super::write(&data)?;
        let written = if written.first() == Some(&super::JSON) {
            written
        } else {
            STANDARD.encode(written).into()
        };
        fields.push(("data", written));
    }
    if let Some(number) = message.number {
        fields.push(("number", number.to_string().into()));
    }
    Ok(fields)
}

/// Which of several streams a namespace is in; the reference names it `<stream>-<index>`. It is below zero for some
/// namespaces, whose streams the reference does not read, so a reader reads those as well.
//= STR-03
#[must_use]
pub fn index(nsp: &str, streams: u32) -> i64 {
    let hash = nsp.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    // Nobody has no stream.
    i64::from(hash)
        .checked_rem(i64::from(streams))
        .unwrap_or_default()
}

/// What is kept of a socket so that any server can restore it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Session {
    /// The public id.
    pub sid: String,
    /// The private id, under which it is kept.
    pub pid: String,
    /// Its rooms, that of its own id included.
    pub rooms: Vec<Room>,
    /// What other servers may know of it.
    pub data: Json,
    /// Its namespace. The reference knows nothing of this and what follows, and keeps it out of what it writes.
    pub nsp: Option<String>,
    /// The last entry before it came.
    pub since: Option<EntryId>,
    /// Which of its lives it is, see [`SharedSession::life`](crate::cluster::SharedSession::life).
    pub life: u64,
    /// When it came into its rooms, and which it had left.
    pub stays: Stays,
    /// Whose it is.
    pub holder: Option<Holder>,
}

/// Whose a [`Session`] is, and by what a revocation knows it. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The subject.
    pub subject: String,
    /// Whose name that is, if it was said.
    pub issuer: Option<String>,
    /// When it was let in.
    pub granted_at: Option<u64>,
    /// When the credential was issued.
    pub issued_at: Option<u64>,
    /// By how much the issuer's clock may be ahead, in seconds.
    pub leeway: Option<u64>,
    /// The key that signed the credential.
    pub key_id: Option<String>,
    /// The token.
    pub token_id: Option<String>,
    /// The login session.
    pub session_id: Option<String>,
}

impl Holder {
    /// A subject, of an issuer or of none.
    #[must_use]
    pub fn new(subject: impl Into<String>, issuer: Option<String>) -> Self {
        Self {
            subject: subject.into(),
            issuer,
            ..Self::default()
        }
    }
}

impl Session {
    /// A session of nobody in particular.
    #[must_use]
    pub fn new(sid: &str, pid: &str, rooms: Vec<Room>, data: Json) -> Self {
        Self {
            sid: sid.into(),
            pid: pid.into(),
            rooms,
            data,
            nsp: None,
            since: None,
            life: 0,
            stays: Stays::default(),
            holder: None,
        }
    }

    /// The same of somebody.
    #[must_use]
    pub fn with_holder(mut self, holder: Holder) -> Self {
        self.holder = Some(holder);
        self
    }

    /// Reads what is kept under a private id.
    ///
    /// # Errors
    ///
    /// Why it is no session.
    //= STR-05
    pub fn decode(kept: &[u8]) -> Result<Self, Ignored> {
        let bytes = unbase64(kept)?;
        let mut session = super::read(&bytes)?;
        if !matches!(session, Value::Map(_)) {
            return Err(Ignored::Shape);
        }
        let holder = match session.take("holder") {
            Some(holder) => Some(read_holder(holder)?),
            None => None,
        };
        let data = session.take("data");
        let since = match optional_text(&mut session, "since")? {
            Some(since) => Some(since.parse().map_err(|_| Ignored::Mistyped("since"))?),
            None => None,
        };
        Ok(Self {
            sid: session.need_str("sid")?.into(),
            pid: session.need_str("pid")?.into(),
            rooms: parts::read_rooms(session.need_array("rooms")?, "rooms")?,
            data: data.map_or_else(|| Json::Object(serde_json::Map::new()), Value::into_json),
            nsp: optional_text(&mut session, "nsp")?,
            since,
            life: optional_number(&mut session, "life")?.unwrap_or_default(),
            stays: read_stays(&mut session)?,
            holder,
        })
    }

    /// What is to be kept: msgpack in base64. The [`life`](Self::life) of one that has been back is its first member, so that a store
    /// finds it within the first 20 characters, and keeps none of an earlier life in the place of one of a later.
    ///
    /// # Errors
    ///
    /// The data is nested too deep.
    //= STR-05
    pub fn encode(&self) -> Result<String, EncodeError> {
        let since = self.since.map(|since| since.to_string());
        let session = Value::map([
            // Who keeps sessions looks for it at the beginning.
            (
                "life",
                (self.life > 0).then_some(Value::Unsigned(self.life)),
            ),
            ("sid", Some(Value::str(&*self.sid))),
            ("pid", Some(Value::str(&*self.pid))),
            ("rooms", parts::rooms(&self.rooms)),
            ("data", Some(Value::of(&self.data)?)),
            ("nsp", self.nsp.as_deref().map(Value::str)),
            ("since", since.as_deref().map(Value::str)),
            ("stays", stays(&self.stays)),
            ("staysFrom", name_of(self.stays.known_from())),
            ("holder", self.holder.as_ref().map(Holder::value)),
        ]);
        Ok(STANDARD.encode(super::write_msgpack(&session)?))
    }
}

/// The name of the entry, unless it is before all.
fn name_of(at: Offset) -> Option<Value<'static>> {
    (at != Offset::FIRST).then(|| Value::str(EntryId::of_offset(at).to_string()))
}

/// Each is its room, the last entry before it, the last entry of it if it is over, and whether it is withheld.
fn stays(stays: &Stays) -> Option<Value<'_>> {
    let moved = stays.moved().iter().map(|stay| {
        Value::Array(vec![
            Value::str(stay.room.as_str()),
            name_of(stay.from()).unwrap_or(Value::Nil),
            stay.until().and_then(name_of).unwrap_or(Value::Nil),
            Value::Bool(stay.is_withheld),
        ])
    });
    let moved: Vec<_> = moved.collect();
    (!moved.is_empty()).then_some(Value::Array(moved))
}

fn read_stays(session: &mut Value<'_>) -> Result<Stays, Ignored> {
    let mistyped = || Ignored::Mistyped("stays");
    let moved = match session.take("stays") {
        Some(moved) => moved.into_array().ok_or_else(mistyped)?,
        None => Vec::new(),
    };
    let moved = moved.into_iter().map(|stay| {
        let stay = stay.into_array()?;
        let [room, from, until, is_withheld] = <[Value<'_>; 4]>::try_from(stay).ok()?;
        let (from, until) = (read_name(from)?, read_name(until)?);
        let room = Room::from(&*room.into_name()?);
        let from = from.unwrap_or_default();
        Some(Stay::new(room, from, until, is_withheld.as_bool()?))
    });
    let moved = moved.collect::<Option<_>>().ok_or_else(mistyped)?;
    let known_from = session.take("staysFrom").unwrap_or(Value::Nil);
    let known_from = read_name(known_from).ok_or_else(mistyped)?;
    Ok(Stays::known(moved, known_from.unwrap_or_default()))
}

/// The place of an entry that may be none; `None` if it is no such name.
fn read_name(name: Value<'_>) -> Option<Option<Offset>> {
    if name == Value::Nil {
        return Some(None);
    }
    let id: EntryId = name.into_str()?.parse().ok()?;
    Some(Some(id.offset()))
}

impl Holder {
    fn value(&self) -> Value<'_> {
        fn text(text: Option<&String>) -> Option<Value<'_>> {
            text.map(|text| Value::str(&**text))
        }
        Value::map([
            ("subject", Some(Value::str(&*self.subject))),
            ("issuer", text(self.issuer.as_ref())),
            ("grantedAt", self.granted_at.map(Value::Unsigned)),
            ("issuedAt", self.issued_at.map(Value::Unsigned)),
            ("leeway", self.leeway.map(Value::Unsigned)),
            ("keyId", text(self.key_id.as_ref())),
            ("tokenId", text(self.token_id.as_ref())),
            ("sessionId", text(self.session_id.as_ref())),
        ])
    }
}

fn read_holder(mut holder: Value<'_>) -> Result<Holder, Ignored> {
    Ok(Holder {
        subject: holder.need_str("subject")?.into(),
        issuer: optional_text(&mut holder, "issuer")?,
        granted_at: optional_number(&mut holder, "grantedAt")?,
        issued_at: optional_number(&mut holder, "issuedAt")?,
        leeway: optional_number(&mut holder, "leeway")?,
        key_id: optional_text(&mut holder, "keyId")?,
        token_id: optional_text(&mut holder, "tokenId")?,
        session_id: optional_text(&mut holder, "sessionId")?,
    })
}

fn optional_text(value: &mut Value<'_>, name: &'static str) -> Result<Option<String>, Ignored> {
    match value.take(name) {
        Some(text) => Ok(Some(text.into_str().ok_or(Ignored::Mistyped(name))?.into())),
        None => Ok(None),
    }
}

fn optional_number(value: &mut Value<'_>, name: &'static str) -> Result<Option<u64>, Ignored> {
    match value.take(name) {
        Some(number) => Ok(Some(number.as_u64().ok_or(Ignored::Mistyped(name))?)),
        None => Ok(None),
    }
}
