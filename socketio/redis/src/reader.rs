//! Reading streams: from where they ended when this server came, and on from there whatever becomes of the connection.
//!
//! All streams are read over one connection by one command, so that entries of several are handed over in one order.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use socketio::cluster::wire::Ignored;
use socketio::cluster::wire::stream::{self, Entry};
use socketio::cluster::{AdapterError, ClusterHandle, EntryId};

use crate::attempts::Attempts;
use crate::connect::{self, Connection};
use crate::error::{Failure, Refused};
use crate::shared::Shared;
use crate::slots::{Node, Remedy, slot_of};

/// What is read, and how.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    pub(crate) names: Vec<String>,
    /// How many entries of a stream at once.
    pub(crate) count: usize,
    /// For how long Redis waits for one.
    pub(crate) block: Duration,
}

impl Streams {
    /// Who has them, as soon as that is known. They are of one slot.
    async fn owner(&self, shared: &Shared) -> Node {
        let name = self.names.first().map(String::as_bytes).unwrap_or_default();
        let slot = slot_of(name);
        let mut topology = shared.topology.subscribe();
        let known = topology.wait_for(|topology| topology.owner(slot).is_some());
        let owner = known
            .await
            .ok()
            .and_then(|known| known.owner(slot).cloned());
        // Nobody tells any more only when nobody asks.
        owner.unwrap_or(Node::Sole)
    }
}

/// How long to wait before another server is asked.
const MOVED_PAUSE: Duration = Duration::from_millis(20);

/// The name of an entry, whatever a stream has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    millis: u64,
    number: u64,
}

impl Place {
    pub(crate) fn of(id: EntryId) -> Self {
        Self {
            millis: id.millis(),
            number: id.number(),
        }
    }

    /// `None` where no log of today would be.
    pub(crate) fn entry_id(self) -> Option<EntryId> {
        EntryId::new(self.millis, self.number)
    }

    /// The name behind it.
    pub(crate) fn next(self) -> Self {
        match self.number.checked_add(1) {
            Some(number) => Self { number, ..self },
            None => Self {
                millis: self.millis.saturating_add(1),
                number: 0,
            },
        }
    }

    fn parse(id: &Value) -> Option<Self> {
        let (millis, number) = str_in(id)?.split_once('-')?;
        Some(Self {
            millis: millis.parse().ok()?,
            number: number.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

fn str_in(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// An entry as it lies in a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) at: Place,
    fields: Vec<Value>,
}

impl Found {
    pub(crate) fn entry(&self) -> Entry<'_> {
        let fields = self.fields.chunks(2).filter_map(|pair| match pair {
            [Value::BulkString(name), Value::BulkString(value)] => Some((&**name, &**value)),
            _ => None,
        });
        Entry::of(fields)
    }

    pub(crate) fn bytes(&self) -> usize {
        let bytes = self.fields.iter().map(|field| match field {
            Value::BulkString(bytes) => bytes.len(),
            _ => 0,
        });
        bytes.fold(0, usize::saturating_add)
    }
}

/// The entries in what `XRANGE` answers.
pub(crate) fn entries_in(value: Value) -> Vec<Found> {
    let Value::Array(entries) = value else {
        return Vec::new();
    };
    let entries = entries.into_iter().filter_map(|entry| {
        let Value::Array(pair) = entry else {
            return None;
        };
        let [id, fields] = <[Value; 2]>::try_from(pair).ok()?;
        let at = Place::parse(&id)?;
        // An entry that is deleted has none.
        let fields = match fields {
            Value::Array(fields) => fields,
            _ => Vec::new(),
        };
        Some(Found { at, fields })
    });
    entries.collect()
}

/// The entries in what `XREAD` answers, and of which stream they are.
fn readings_in(value: Value, names: &[String]) -> Vec<(usize, Vec<Found>)> {
    let pairs: Vec<(Value, Value)> = match value {
        Value::Map(pairs) => pairs,
        Value::Array(streams) => streams.into_iter().filter_map(pair_in).collect(),
        _ => Vec::new(),
    };
    let readings = pairs.into_iter().filter_map(|(name, entries)| {
        let name = str_in(&name)?;
        let stream = names.iter().position(|known| known == name)?;
        Some((stream, entries_in(entries)))
    });
    readings.collect()
}

fn pair_in(value: Value) -> Option<(Value, Value)> {
    let Value::Array(pair) = value else {
        return None;
    };
    let [one, other] = <[Value; 2]>::try_from(pair).ok()?;
    Some((one, other))
}

/// What of a reading is handed over now, in one order. Of a stream of which `count` entries came there may be more: what others
/// have behind those is read again.
fn in_order(readings: Vec<(usize, Vec<Found>)>, count: usize) -> Vec<(usize, Found)> {
    let full = readings.iter().filter(|(_, found)| found.len() >= count);
    let known_to = full
        .filter_map(|(_, found)| found.last())
        .map(|last| last.at)
        .min();
    let all = readings
        .into_iter()
        .flat_map(|(stream, found)| found.into_iter().map(move |found| (stream, found)));
    let is_known = |at: Place| known_to.is_none_or(|known_to| at <= known_to);
    let mut ready: Vec<_> = all.filter(|(_, found)| is_known(found.at)).collect();
    ready.sort_by_key(|(stream, found)| (found.at, *stream));
    ready
}

/// Reads for as long as the server is there.
//= STR-04
//= STR-09
pub(crate) async fn read(shared: Arc<Shared>, streams: Streams) {
    let mut attempts = Attempts::default();
    let mut places = None;
    // Who has the streams already, though not yet their slot.
    let mut guest = None;
    loop {
        let is_guest = guest.is_some();
        let node = match guest {
            Some(node) => node,
            None => streams.owner(&shared).await,
        };
        let unread = match line(&shared, node, streams.block, is_guest).await {
            Ok(mut line) => {
                let is_told = &mut attempts;
                read_on(&shared, &streams, &mut line, &mut places, is_told).await
            }
            Err(error) => Unread::Failed(error),
        };
        let was_reading = shared.stop_reading();
        // One that is cut off comes back at once as a rule, and reads what own clients wait for.
        let is_in_vain = match &unread {
            Unread::Failed(_) => !was_reading,
            Unread::Refused(_) => true,
            Unread::Moved | Unread::Ask(_) => false,
        };
        if is_in_vain {
            shared.read_in_vain();
        }
        guest = None;
        let pause = match unread {
            Unread::Failed(error) => attempts.failed(&shared, error),
            Unread::Refused(error) => attempts.failed(&shared, error),
            Unread::Moved => MOVED_PAUSE,
            Unread::Ask(node) => {
                guest = Some(node);
                MOVED_PAUSE
            }
        };
        shared.stale.notify_one();
        tokio::time::sleep(pause).await;
    }
}

/// A connection that reads.
struct Line {
    connection: Connection,
    node: Node,
    /// Whether the slot is another's.
    is_guest: bool,
}

async fn line(
    shared: &Shared,
    node: Node,
    block: Duration,
    is_guest: bool,
) -> Result<Line, Failure> {
    let connection = shared.deployment.connect(&node, block).await?;
    Ok(Line {
        connection,
        node,
        is_guest,
    })
}

/// Why it is not read on.
enum Unread {
    Failed(Failure),
    Refused(Refused),
    /// Another server has the slot.
    Moved,
    /// Another will have it, and has the streams.
    Ask(Node),
}

/// Reads until that fails.
async fn read_on(
    shared: &Arc<Shared>,
    streams: &Streams,
    line: &mut Line,
    places: &mut Option<Vec<Place>>,
    attempts: &mut Attempts,
) -> Unread {
    let Some(server) = shared.server() else {
        return Unread::Failed("it was not started".into());
    };
    match places {
        Some(places) => {
            if let Err(error) = look_for_gaps(shared, server, streams, line, places).await {
                return error;
            }
        }
        None => match ends(shared, streams, line).await {
            Ok(ends) => {
                let end = ends.iter().filter_map(|end| end.entry_id()).max();
                server.begin_log(end.unwrap_or_default());
                *places = Some(ends);
            }
            Err(error) => return error,
        },
    }
    let Some(places) = places else {
        return Unread::Failed("there is no place".into());
    };
    let mut is_reading = false;
    loop {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(streams.count);
        // At first it is seen whether it may be read at all.
        if is_reading {
            command
                .arg("BLOCK")
                .arg(streams.block.as_millis().to_string());
        }
        command.arg("STREAMS").arg(&streams.names);
        for place in &*places {
            command.arg(place.to_string());
        }
        let read = match ask(shared, line, "XREAD", streams, &command).await {
            Ok(read) => read,
            Err(error) => return error,
        };
        if !std::mem::replace(&mut is_reading, true) {
            attempts.succeeded();
            shared.set_reading();
        }
        for (stream, found) in in_order(readings_in(read, &streams.names), streams.count) {
            // Before anything else: whatever it is, it is not read again.
            if let Some(place) = places.get_mut(stream) {
                *place = found.at;
            }
            hand_over(shared, server, &found);
        }
    }
}

async fn ask(
    shared: &Arc<Shared>,
    line: &mut Line,
    name: &'static str,
    streams: &Streams,
    command: &redis::Cmd,
) -> Result<Value, Unread> {
    let answer = connect::ask(&mut line.connection, command, line.is_guest).await;
    let error = match answer.map_err(|error| Unread::Failed(error.into()))? {
        Value::ServerError(error) => error,
        value => return Ok(value),
    };
    Err(
        match Remedy::of(error.code(), error.details(), &line.node) {
            Remedy::Moved(slot, node) => {
                shared.moved(vec![(slot, node)]);
                Unread::Moved
            }
            Remedy::Ask(node) => Unread::Ask(node),
            Remedy::Wait | Remedy::Reconnect | Remedy::Tell => {
                let names = streams.names.join(" ");
                Unread::Refused(Refused::new(name, names, error.into()))
            }
        },
    )
}

/// Where the streams end. Asked once: what is added from then on is read.
async fn ends(
    shared: &Arc<Shared>,
    streams: &Streams,
    line: &mut Line,
) -> Result<Vec<Place>, Unread> {
    let mut ends = Vec::new();
    for name in &streams.names {
        let mut command = redis::cmd("XREVRANGE");
        command.arg(name).arg("+").arg("-").arg("COUNT").arg(1);
        let last = ask(shared, line, "XREVRANGE", streams, &command).await?;
        let last = entries_in(last).pop();
        ends.push(last.map(|last| last.at).unwrap_or_default());
    }
    Ok(ends)
}

/// Whether entries were given up by Redis before they were read here.
async fn look_for_gaps(
    shared: &Arc<Shared>,
    server: &ClusterHandle,
    streams: &Streams,
    line: &mut Line,
    places: &[Place],
) -> Result<(), Unread> {
    for (name, place) in streams.names.iter().zip(places) {
        let mut command = redis::cmd("XRANGE");
        command.arg(name).arg("-").arg("+").arg("COUNT").arg(1);
        let first = ask(shared, line, "XRANGE", streams, &command).await?;
        let Some(first) = entries_in(first).pop() else {
            continue;
        };
        if first.at > *place && *place != Place::default() {
            server.report(AdapterError::bus("entries of the stream were lost"));
            // Whoever names an earlier one may have missed something.
            server.begin_log(first.at.entry_id().unwrap_or_default());
        }
    }
    Ok(())
}

fn hand_over(shared: &Shared, server: &ClusterHandle, found: &Found) {
    let message = stream::decode(&found.entry()).and_then(|message| {
        //= STR-02
        if stream::is_entry(&message.body) {
            Ok(message)
        } else {
            Err(Ignored::UnknownType)
        }
    });
    let (Some(id), message) = (found.at.entry_id(), message) else {
        return server.report(AdapterError::ignored("an entry has an impossible name"));
    };
    let mut message = match message {
        Ok(message) => message,
        //= RDS-02
        Err(ignored) => return server.report(AdapterError::ignored(ignored)),
    };
    if message.uid == *server.server_id() && message.is_kept() && !shared.is_first(&message) {
        // Own clients had it without a name, so what is known here of the log begins behind it.
        return server.begin_log(id);
    }
    // Redis repeats nothing.
    message.number = None;
    server.deliver_entry(id, message);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    fn found(millis: u64) -> Found {
        Found {
            at: Place { millis, number: 0 },
            fields: Vec::new(),
        }
    }

    fn entry(id: &str) -> Value {
        let fields = ["nsp", "/"].map(bulk).into();
        Value::Array(vec![bulk(id), Value::Array(fields)])
    }

    #[test]
    fn what_redis_answers_is_read_in_both_shapes() {
        let names = ["a".to_owned(), "b".to_owned()];
        let entries = || Value::Array(vec![entry("1-2"), Value::Nil, entry("x"), entry("3-0")]);
        let map = Value::Map(vec![(bulk("b"), entries()), (bulk("c"), entries())]);
        let pair = Value::Array(vec![bulk("b"), entries()]);
        for answer in [map, Value::Array(vec![pair, Value::Nil])] {
            let readings = readings_in(answer, &names);
            let [(1, found)] = &*readings else {
                panic!("{readings:?}");
            };
            let places: Vec<_> = found.iter().map(|found| found.at.to_string()).collect();
            assert_eq!(places, ["1-2", "3-0"]);
            assert_eq!(found[0].entry().nsp, Some(&b"/"[..]));
            assert_eq!(found[0].bytes(), 4);
        }
        assert_eq!(readings_in(Value::Nil, &names), []);
    }

    #[test]
    fn entries_of_several_streams_are_in_one_order() {
        let readings = vec![(0, vec![found(1), found(4)]), (1, vec![found(2), found(6)])];
        let order = |count| {
            let ready = in_order(readings.clone(), count);
            let order = ready
                .iter()
                .map(|(stream, found)| (*stream, found.at.millis));
            order.collect::<Vec<_>>()
        };
        assert_eq!(order(3), [(0, 1), (1, 2), (0, 4), (1, 6)]);
        // The first may go on with 5.
        assert_eq!(order(2), [(0, 1), (1, 2), (0, 4)]);
    }

    #[test]
    fn behind_the_last_of_a_millisecond_is_the_next() {
        let last = Place {
            millis: 1,
            number: u64::MAX,
        };
        assert_eq!(last.next().to_string(), "2-0");
        assert_eq!(found(1).at.next().to_string(), "1-1");
    }
}
