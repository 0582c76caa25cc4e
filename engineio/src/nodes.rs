//! The nodes of a cluster: which of them an id belongs to, and where they are asked.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use sha1::{Digest as _, Sha1};

use crate::lock::Lock;
use crate::random;
use crate::session_id::{NoRandomness, RANDOM_BYTES, SessionId};

/// How many bytes of an id are random. The others say, to who has the secret, which node it belongs to.
const OPEN_BYTES: usize = RANDOM_BYTES - 2;

/// The nodes of a cluster, so that a client needs no sticky session: whichever node a request reaches passes it on to the
/// one that has its session.
///
/// Each node has a number of its own, and an address where the others reach it: [`Engine::serve_nodes`] listens there. The
/// ids of its sessions bear the number, hidden from all who do not have the secret. Of an id's 120 bits 104 stay random.
/// Requests are passed on over one connection of HTTP/2 for each pair of nodes, WebSockets among them.
///
/// Cheap to clone; clones are the same table, so nodes may come and go while the engine runs.
///
/// What a layer around the service has put into a request's extensions is not passed on.
///
/// [`Engine::serve_nodes`]: crate::Engine::serve_nodes
///
/// ```no_run
/// use engineio::{Config, Nodes};
///
/// # fn nodes(secret: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// // The same secret on each node: 32 random bytes or more.
/// let nodes = Nodes::new(1, secret)?
///     .node(2, "10.0.0.2:7000")
///     .node(3, "chat-3.internal:7000");
/// let config = Config::new().nodes(nodes.clone());
/// // Later:
/// nodes.set(4, "10.0.0.4:7000");
/// nodes.remove(2);
/// # let _ = config; Ok(()) }
/// ```
#[derive(Clone)]
pub struct Nodes(Arc<Table>);

struct Table {
    own: u16,
    /// What numbers in ids are hidden by, and what nodes know each other by. Who sees one learns neither the other nor the secret.
    blind_key: [u8; 20],
    pass: String,
    others: Lock<HashMap<u16, Arc<str>>>,
}

/// Why there are no [`Nodes`] of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodesError {
    /// The secret is shorter than [`Nodes::MIN_SECRET_BYTES`].
    ShortSecret,
}

impl fmt::Display for NodesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortSecret => write!(
                f,
                "the secret of the nodes must have {} bytes or more",
                Nodes::MIN_SECRET_BYTES
            ),
        }
    }
}

impl std::error::Error for NodesError {}

impl Nodes {
    /// The least length of a secret.
    pub const MIN_SECRET_BYTES: usize = 32;

    /// A cluster of this node alone. `own` is its number, which no other has.
    ///
    /// # Errors
    ///
    /// [`NodesError::ShortSecret`].
    pub fn new(own: u16, secret: impl AsRef<[u8]>) -> Result<Self, NodesError> {
        let secret = secret.as_ref();
        if secret.len() < Self::MIN_SECRET_BYTES {
            return Err(NodesError::ShortSecret);
        }
        let pass = derive(secret, b"engineio nodes: pass");
        Ok(Self(Arc::new(Table {
            own,
            blind_key: derive(secret, b"engineio nodes: blind"),
            pass: pass.iter().map(|byte| format!("{byte:02x}")).collect(),
            others: Lock::new(HashMap::new()),
        })))
    }

    /// The same with another node: its number, and the host and port where it [serves](crate::Engine::serve_nodes) nodes.
    #[must_use]
    pub fn node(self, number: u16, address: impl Into<Arc<str>>) -> Self {
        self.set(number, address);
        self
    }

    /// Adds a node, or says its new address. A name is looked up for each new connection.
    pub fn set(&self, number: u16, address: impl Into<Arc<str>>) {
        let mut others = self.0.others.lock();
        others.insert(number, address.into());
    }

    /// Takes a node out. Clients that have a session there are told that it is unknown, and begin anew.
    pub fn remove(&self, number: u16) {
        let mut others = self.0.others.lock();
        others.remove(&number);
    }

    /// The number of this node.
    #[must_use]
    pub fn own(&self) -> u16 {
        self.0.own
    }

    /// The id of a new session of this node.
    pub(crate) fn new_id(&self) -> Result<SessionId, NoRandomness> {
        let mut bytes = [0; RANDOM_BYTES];
        let (open, hidden) = bytes.split_at_mut(OPEN_BYTES);
        random::fill(open).map_err(|_| NoRandomness::new())?;
        hidden.copy_from_slice(&(self.blind(open) ^ self.0.own).to_be_bytes());
        Ok(SessionId::from_random_bytes(bytes))
    }

    /// Where the session with this id is, if that is another node.
    pub(crate) fn address_of(&self, id: &SessionId) -> Option<Arc<str>> {
        let bytes = id.random_bytes()?;
        let (open, hidden) = bytes.split_at(OPEN_BYTES);
        let hidden = u16::from_be_bytes(hidden.try_into().ok()?);
        let number = self.blind(open) ^ hidden;
        let others = self.0.others.lock();
        others
            .get(&number)
            .filter(|_| number != self.0.own)
            .cloned()
    }

    /// What hides the number in an id. SHA-1 will do: what is asked of it is that nobody without the key can tell its
    /// first bits of a text of fixed length, not that no two texts have the same ones.
    fn blind(&self, open: &[u8]) -> u16 {
        let digest = Sha1::new()
            .chain_update(self.0.blind_key)
            .chain_update(open)
            .finalize();
        u16::from_be_bytes([digest[0], digest[1]])
    }

    /// What a node shows to another.
    pub(crate) fn pass(&self) -> &str {
        &self.0.pass
    }

    /// Whether this is the pass. How long it takes does not tell how much of it is right.
    pub(crate) fn is_pass(&self, shown: &[u8]) -> bool {
        let pass = self.0.pass.as_bytes();
        let differing = pass
            .iter()
            .zip(shown)
            .fold(0, |differing, (a, b)| differing | (a ^ b));
        shown.len() == pass.len() && differing == 0
    }
}

fn derive(secret: &[u8], purpose: &[u8]) -> [u8; 20] {
    let inner = Sha1::new()
        .chain_update(secret)
        .chain_update(purpose)
        .finalize();
    Sha1::new()
        .chain_update(secret)
        .chain_update(inner)
        .finalize()
        .into()
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.0.others.lock();
        f.debug_struct("Nodes")
            .field("own", &self.0.own)
            .field("others", &*others)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    fn nodes(own: u16) -> Nodes {
        Nodes::new(own, SECRET)
            .unwrap()
            .node(1, "one:1")
            .node(2, "two:2")
    }

    #[test]
    fn an_id_leads_to_its_node_from_every_other_and_nowhere_from_its_own() {
        let (one, two) = (nodes(1), nodes(2));
        for _ in 0..100 {
            let id = one.new_id().unwrap();
            assert_eq!(two.address_of(&id).as_deref(), Some("one:1"));
            assert_eq!(one.address_of(&id), None);
        }
        let three = Nodes::new(3, SECRET).unwrap();
        assert_eq!(two.address_of(&three.new_id().unwrap()), None);
        two.set(3, "three:3");
        let id = three.new_id().unwrap();
        assert_eq!(two.address_of(&id).as_deref(), Some("three:3"));
        two.remove(3);
        assert_eq!(two.address_of(&id), None);
    }

    #[test]
    fn who_has_another_secret_reads_nothing_from_an_id() {
        let stranger = Nodes::new(2, [8; 32]).unwrap().node(1, "one:1");
        let one = nodes(1);
        let found = (0..1000).filter(|_| stranger.address_of(&one.new_id().unwrap()).is_some());
        // One in 65,536 by chance.
        assert!(found.count() < 5);
        assert!(!stranger.is_pass(one.pass().as_bytes()));
    }

    #[test]
    fn the_ids_of_one_node_have_nothing_in_common() {
        let one = nodes(1);
        let ends: std::collections::HashSet<_> = (0..1000)
            .map(|_| one.new_id().unwrap().random_bytes().unwrap()[OPEN_BYTES..].to_vec())
            .collect();
        assert!(ends.len() > 900, "{}", ends.len());
    }

    #[test]
    fn a_pass_is_right_as_a_whole_or_not_at_all() {
        let one = nodes(1);
        assert!(nodes(2).is_pass(one.pass().as_bytes()));
        for wrong in [
            "",
            &one.pass()[1..],
            &format!("{}0", one.pass()),
            &"0".repeat(40),
        ] {
            assert!(!one.is_pass(wrong.as_bytes()), "{wrong}");
        }
        let debug = format!("{one:?}");
        assert!(
            !debug.contains(one.pass()) && debug.contains("two:2"),
            "{debug}"
        );
    }

    #[test]
    fn a_secret_that_is_too_short_is_refused_by_a_byte() {
        let short = [0; Nodes::MIN_SECRET_BYTES - 1];
        assert_eq!(Nodes::new(1, short).unwrap_err(), NodesError::ShortSecret);
        assert!(Nodes::new(1, [0; Nodes::MIN_SECRET_BYTES]).is_ok());
    }
}
