//! At which Redis server what is wanted is subscribed. Pure: no I/O, and time is an argument.
//!
//! ```text
//!   sharded channels ──► the owner of the slot, wherever it goes      other channels, patterns ──► one server that is there: the main one
//! ```
//!
//! Each server has a [table](Table) of its own, as each has a connection. What moves is given up in one and wanted in another.

use std::collections::{BTreeMap, BTreeSet};

use crate::slots::{Node, Topology, slot_of};
use crate::subscriptions::{Kind, Subscription, Table};

/// All that is wanted, by the server that is to hear it. `T` is a moment.
#[derive(Debug)]
pub(crate) struct Places<T> {
    topology: Topology,
    tables: BTreeMap<Node, Table<T>>,
    /// Wanted, and nobody to say so.
    homeless: BTreeSet<Subscription>,
    /// Which servers are connected.
    up: BTreeSet<Node>,
    /// Hears what any server could. It stays while it is connected: nothing is heard twice, and in one order.
    //= RDS-01
    main: Option<Node>,
}

/// Servers that came and went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) new: Vec<Node>,
    pub(crate) gone: Vec<Node>,
    /// Whether something wanted has another place.
    pub(crate) is_moved: bool,
}

impl<T: Copy + Ord> Places<T> {
    pub(crate) fn new(topology: Topology) -> Self {
        let nodes = topology.nodes();
        Self {
            main: nodes.first().cloned(),
            tables: nodes
                .into_iter()
                .map(|node| (node, Table::default()))
                .collect(),
            topology,
            homeless: BTreeSet::new(),
            up: BTreeSet::new(),
        }
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.tables.keys()
    }

    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    pub(crate) fn table(&mut self, node: &Node) -> Option<&mut Table<T>> {
        self.tables.get_mut(node)
    }

    fn place(&self, subscription: &Subscription) -> Option<Node> {
        let node = match subscription.kind {
            Kind::Sharded => self.topology.owner(slot_of(subscription.name.as_bytes())),
            Kind::Channel | Kind::Pattern => self.main.as_ref(),
        };
        node.cloned()
    }

    /// Who is to be told, if somebody is there.
    pub(crate) fn want(&mut self, subscription: &Subscription) -> Option<Node> {
        let place = self.place(subscription);
        match place.as_ref().and_then(|node| self.tables.get_mut(node)) {
            Some(table) => table.want(subscription),
            None => {
                self.homeless.insert(subscription.clone());
            }
        }
        place
    }

    pub(crate) fn give_up(&mut self, subscription: &Subscription) -> Option<Node> {
        self.homeless.remove(subscription);
        let place = self.place(subscription);
        if let Some(table) = place.as_ref().and_then(|node| self.tables.get_mut(node)) {
            table.give_up(subscription);
        }
        place
    }

    /// A server is connected. True if something has another place by that.
    pub(crate) fn connected(&mut self, node: &Node) -> bool {
        self.up.insert(node.clone());
        self.choose_main()
    }

    /// Nothing is subscribed at a server any more. True if something has another place by that.
    pub(crate) fn disconnected(&mut self, node: &Node) -> bool {
        self.up.remove(node);
        if let Some(table) = self.tables.get_mut(node) {
            table.disconnected();
        }
        self.choose_main()
    }

    fn choose_main(&mut self) -> bool {
        let known = |node: &&Node| self.tables.contains_key(*node);
        let current = self.main.as_ref().filter(known);
        let is_up = current.is_some_and(|main| self.up.contains(main));
        let other = || self.up.iter().find(known).or(current);
        let chosen = if is_up { current } else { other() };
        let chosen = chosen.or_else(|| self.tables.keys().next()).cloned();
        if chosen == self.main {
            return false;
        }
        self.main = chosen;
        self.put_in_place()
    }

    /// Slots have other owners.
    pub(crate) fn set_topology(&mut self, topology: Topology) -> Change {
        if topology == self.topology {
            return Change::default();
        }
        self.topology = topology;
        let nodes = self.topology.nodes();
        let (mut new, mut gone) = (Vec::new(), Vec::new());
        for node in &nodes {
            if !self.tables.contains_key(node) {
                self.tables.insert(node.clone(), Table::default());
                new.push(node.clone());
            }
        }
        let (homeless, up) = (&mut self.homeless, &mut self.up);
        self.tables.retain(|node, table| {
            let is_left = nodes.contains(node);
            if !is_left {
                homeless.extend(table.wanted().cloned());
                up.remove(node);
                gone.push(node.clone());
            }
            is_left
        });
        let is_moved = self.choose_main() | self.put_in_place();
        Change {
            new,
            gone,
            is_moved,
        }
    }

    fn put_in_place(&mut self) -> bool {
        let mut moving = std::mem::take(&mut self.homeless);
        let mut tables = std::mem::take(&mut self.tables);
        for (node, table) in &mut tables {
            let wanted = table.wanted();
            let displaced = wanted.filter(|wanted| self.place(wanted).as_ref() != Some(node));
            let displaced: Vec<_> = displaced.cloned().collect();
            for subscription in displaced {
                table.give_up(&subscription);
                moving.insert(subscription);
            }
        }
        self.tables = tables;
        for subscription in &moving {
            self.want(subscription);
        }
        !moving.is_empty()
    }

    /// Whether there is anything to wait for before it is confirmed: neither without a connection, nor when it was refused or is
    /// not wanted any more.
    pub(crate) fn is_awaited(&self, subscription: &Subscription) -> bool {
        let place = self.place(subscription);
        let place = place.filter(|node| self.up.contains(node));
        let table = place.and_then(|node| self.tables.get(&node));
        table.is_some_and(|table| table.is_awaited(subscription))
    }

    /// Whether it is subscribed, where it is to be.
    pub(crate) fn is_confirmed(&self, subscription: &Subscription) -> bool {
        let place = self.place(subscription);
        let table = place.and_then(|node| self.tables.get(&node));
        table.is_some_and(|table| table.is_confirmed(subscription))
    }

    /// True when all that is wanted is confirmed.
    pub(crate) fn is_settled(&self) -> bool {
        self.homeless.is_empty() && self.tables.values().all(Table::is_settled)
    }

    /// Whether it is to be subscribed.
    pub(crate) fn is_wanted(&self, subscription: &Subscription) -> bool {
        let place = self.place(subscription);
        let table = place.and_then(|node| self.tables.get(&node));
        self.homeless.contains(subscription)
            || table.is_some_and(|table| table.is_wanted(subscription))
    }

    /// True when all that is wanted is confirmed, but what is not allowed.
    pub(crate) fn is_answered(&self) -> bool {
        self.homeless.is_empty() && self.tables.values().all(Table::is_answered)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::subscriptions::{Again, Step};

    fn node(number: u16) -> Node {
        Node::At("host".into(), number)
    }

    /// Each slot belongs to the node of this number, by its parity.
    fn two(even: u16, odd: u16) -> Topology {
        let mut topology = Topology::Cluster(crate::slots::Slots::default());
        for name in names() {
            let slot = slot_of(name.name.as_bytes());
            let owner = if slot.is_multiple_of(2) { even } else { odd };
            topology = topology.with(slot, node(owner));
        }
        topology
    }

    fn names() -> Vec<Subscription> {
        let sharded = ["a", "b", "c", "d"].map(|name| Subscription::new(Kind::Sharded, name));
        let other = Subscription::new(Kind::Channel, "channel");
        sharded.into_iter().chain([other]).collect()
    }

    /// All that is to be done is done at once, at those that are up. What is subscribed where.
    fn settle(places: &mut Places<u32>, there: &mut HashSet<(Node, Subscription)>) {
        let nodes: Vec<_> = places.nodes().cloned().collect();
        for node in nodes {
            if !places.up.contains(&node) {
                continue;
            }
            for step in places.table(&node).unwrap().take(0, 99) {
                let place = (node.clone(), step.subscription.clone());
                if step.subscribe {
                    there.insert(place);
                } else {
                    there.remove(&place);
                }
                places.table(&node).unwrap().finish(&step, Ok(()));
            }
        }
    }

    #[test]
    fn what_is_wanted_before_anybody_is_known_waits_for_them() {
        let mut places = Places::<u32>::new(Topology::Cluster(crate::slots::Slots::default()));
        for name in names() {
            assert_eq!(places.want(&name), None);
        }
        assert!(!places.is_settled());
        let change = places.set_topology(two(1, 2));
        assert_eq!((change.new.len(), change.is_moved), (2, true));
        let mut there = HashSet::new();
        settle(&mut places, &mut there);
        assert!(there.is_empty() && !places.is_settled(), "nobody is up");
        places.connected(&node(1));
        places.connected(&node(2));
        settle(&mut places, &mut there);
        assert!(places.is_settled());
        assert_eq!(there.len(), names().len());
    }

    #[test]
    fn what_any_server_can_hear_goes_elsewhere_only_when_its_server_is_gone() {
        let channel = Subscription::new(Kind::Channel, "channel");
        let mut places = Places::<u32>::new(two(1, 2));
        places.want(&channel);
        assert!(places.connected(&node(2)), "the first that is there");
        assert!(!places.connected(&node(1)));
        assert_eq!(places.want(&channel), Some(node(2)));
        // Its slots are none of the channel's business.
        places.set_topology(two(2, 1));
        assert_eq!(places.want(&channel), Some(node(2)));
        assert!(places.disconnected(&node(2)));
        assert_eq!(places.want(&channel), Some(node(1)));
        assert!(!places.disconnected(&node(1)), "nobody else is there");
        assert_eq!(places.want(&channel), Some(node(1)));
    }

    #[test]
    fn one_redis_has_it_all() {
        let mut places = Places::<u32>::new(Topology::Sole);
        for name in names() {
            assert_eq!(places.want(&name), Some(Node::Sole));
        }
        assert!(!places.connected(&Node::Sole));
        assert!(!places.disconnected(&Node::Sole));
        assert!(!places.is_settled());
    }

    //= RDS-08 test
    #[test]
    fn a_subscription_is_awaited_over_a_connection_until_it_is_confirmed_refused_or_given_up() {
        let channel = Subscription::new(Kind::Channel, "channel");
        let step = Step {
            subscription: channel.clone(),
            subscribe: true,
        };
        let mut places = Places::<u32>::new(Topology::Sole);
        places.want(&channel);
        assert!(!places.is_awaited(&channel), "there is no connection");
        places.connected(&Node::Sole);
        assert!(places.is_awaited(&channel));
        let table = places.table(&Node::Sole).unwrap();
        assert_eq!(table.take(0, 9).len(), 1);
        assert!(places.is_awaited(&channel), "it is not confirmed");
        let table = places.table(&Node::Sole).unwrap();
        table.finish(&step, Ok(()));
        assert!(!places.is_awaited(&channel));
        places.disconnected(&Node::Sole);
        assert!(!places.is_awaited(&channel), "the connection was lost");
        places.connected(&Node::Sole);
        assert!(places.is_awaited(&channel), "another connection");
        let table = places.table(&Node::Sole).unwrap();
        assert_eq!(table.take(0, 9).len(), 1);
        table.finish(&step, Err(Again::Soon(5)));
        assert!(!places.is_awaited(&channel), "it was refused");
        let table = places.table(&Node::Sole).unwrap();
        assert_eq!(table.take(5, 9).len(), 1);
        assert!(places.is_awaited(&channel), "it is tried again");
        places.give_up(&channel);
        assert!(!places.is_awaited(&channel), "nobody wants it");
    }

    /// Whatever comes, goes, moves and breaks: in the end all that is wanted is at its place, and nowhere else.
    #[test]
    fn whatever_moves_each_wish_comes_true_at_one_server() {
        let mut draws = crate::draws::Draws::new();
        let mut below = |bound| draws.below(bound);
        for _ in 0..400 {
            let mut places = Places::<u32>::new(Topology::Cluster(crate::slots::Slots::default()));
            let mut there = HashSet::new();
            let mut wanted = HashSet::new();
            for _ in 0..40 {
                let name = names().swap_remove(usize::from(below(5)));
                match below(8) {
                    0 | 1 => {
                        places.want(&name);
                        wanted.insert(name);
                    }
                    2 => {
                        places.give_up(&name);
                        wanted.remove(&name);
                    }
                    3 => {
                        let change = places.set_topology(two(below(3), below(3)));
                        there.retain(|(node, _)| !change.gone.contains(node));
                    }
                    4 | 5 => {
                        let node = node(below(3));
                        if places.table(&node).is_some() && !places.up.contains(&node) {
                            places.connected(&node);
                        }
                    }
                    6 => {
                        let node = node(below(3));
                        places.disconnected(&node);
                        there.retain(|(at, _)| *at != node);
                    }
                    _ => settle(&mut places, &mut there),
                }
            }
            let change = places.set_topology(two(below(3), below(3)));
            there.retain(|(node, _)| !change.gone.contains(node));
            let nodes: Vec<_> = places.nodes().cloned().collect();
            for node in nodes {
                if !places.up.contains(&node) {
                    places.connected(&node);
                }
            }
            settle(&mut places, &mut there);
            assert!(places.is_settled());
            let at: HashSet<_> = wanted
                .iter()
                .map(|name| (places.place(name).unwrap(), name.clone()))
                .collect();
            assert_eq!(there, at);
        }
    }
}
