//! The open namespaces of a server by name, and the leases that keep dynamic ones open.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use crate::lock::Lock;
use crate::tables::shrink_map;

/// What a directory lists. What it is told, it is told without the directory's lock.
pub(crate) trait Listed: Sized {
    fn name(&self) -> &Arc<str>;

    /// Where it goes with its last lease; `None` for one that lasts until it is closed.
    fn leased_from(&self) -> Option<Arc<Directory<Self>>>;

    /// It can be found from here on.
    fn opened(&self);

    /// It cannot be found any more.
    fn closed(&self);
}

/// The name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken;

/// The open namespaces by name.
pub(crate) struct Directory<S>(Lock<Listing<S>>);

struct Listing<S> {
    /// Nearly every client asks for this one.
    root: Option<Entry<S>>,
    /// The others.
    by_name: HashMap<Arc<str>, Entry<S>>,
    leased_count: usize,
}

struct Entry<S> {
    listed: Arc<S>,
    /// How many leases keep it open; `None` when it needs none.
    leases: Option<usize>,
}

impl<S> Listing<S> {
    fn get(&self, name: &str) -> Option<&Entry<S>> {
        match name {
            "/" => self.root.as_ref(),
            name => self.by_name.get(name),
        }
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Entry<S>> {
        match name {
            "/" => self.root.as_mut(),
            name => self.by_name.get_mut(name),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Entry<S>> {
        self.root.iter().chain(self.by_name.values())
    }
}

impl<S: Listed> Listing<S> {
    fn insert(&mut self, listed: &Arc<S>, leases: Option<usize>) {
        self.leased_count += usize::from(leases.is_some());
        let name = Arc::clone(listed.name());
        let listed = Arc::clone(listed);
        let entry = Entry { listed, leases };
        match &*name {
            "/" => self.root = Some(entry),
            _ => drop(self.by_name.insert(name, entry)),
        }
    }

    /// The entry of this very one, not of another of its name.
    fn entry_of(&mut self, listed: &S) -> Option<&mut Entry<S>> {
        let entry = self.get_mut(listed.name())?;
        std::ptr::eq(&*entry.listed, listed).then_some(entry)
    }

    fn remove(&mut self, listed: &S) -> Option<Entry<S>> {
        self.entry_of(listed)?;
        let removed = match &**listed.name() {
            "/" => self.root.take(),
            name => {
                let removed = self.by_name.remove(name);
                shrink_map(&mut self.by_name);
                removed
            }
        };
        let is_leased = |entry: &Entry<S>| entry.leases.is_some();
        self.leased_count -= usize::from(removed.as_ref().is_some_and(is_leased));
        removed
    }

    fn lease(&mut self, name: &str) -> Option<Lease<S>> {
        let entry = self.get_mut(name)?;
        if let Some(leases) = &mut entry.leases {
            *leases += 1;
        }
        Some(Lease::new(Arc::clone(&entry.listed)))
    }
}

impl<S: Listed> Directory<S> {
    pub(crate) fn new() -> Self {
        Self(Lock::new(Listing {
            root: None,
            by_name: HashMap::new(),
            leased_count: 0,
        }))
    }

    /// Lists one that lasts.
    pub(crate) fn open(&self, listed: &Arc<S>) -> Result<(), Taken> {
        let mut listing = self.0.lock();
        if listing.get(listed.name()).is_some() {
            return Err(Taken);
        }
        listing.insert(listed, None);
        drop(listing);
        listed.opened();
        Ok(())
    }

    /// Takes one off the list, whatever leases there are: nobody comes in any more.
    pub(crate) fn close(&self, listed: &S) {
        let removed = self.0.lock().remove(listed);
        if removed.is_some() {
            listed.closed();
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<S>> {
        let listing = self.0.lock();
        listing.get(name).map(|entry| Arc::clone(&entry.listed))
    }

    /// The same, kept open by the lease.
    pub(crate) fn lease(&self, name: &str) -> Option<Lease<S>> {
        self.0.lock().lease(name)
    }

    /// The same, made if it is not open; `None` when so many are open already that go with their last lease.
    pub(crate) fn lease_or_open(
        &self,
        name: &str,
        max_leased: usize,
        make: impl FnOnce() -> S,
    ) -> Option<Lease<S>> {
        let mut listing = self.0.lock();
        if let Some(lease) = listing.lease(name) {
            return Some(lease);
        }
        if listing.leased_count >= max_leased {
            return None;
        }
        let listed = Arc::new(make());
        listing.insert(&listed, Some(1));
        drop(listing);
        listed.opened();
        Some(Lease::new(listed))
    }

    /// Ends one lease. Who took a lease [over](Lease::into_listed) says so here.
    pub(crate) fn give_back(&self, listed: &S) {
        let removed = {
            let mut listing = self.0.lock();
            let entry = listing.entry_of(listed);
            let Some(leases) = entry.and_then(|entry| entry.leases.as_mut()) else {
                // It was closed meanwhile.
                return;
            };
            *leases -= 1;
            if *leases > 0 {
                return;
            }
            listing.remove(listed)
        };
        listed.closed();
        drop(removed);
    }

    /// All, by name.
    pub(crate) fn all(&self) -> Vec<Arc<S>> {
        self.those(|_| true)
    }

    /// Those that last, by name.
    pub(crate) fn lasting(&self) -> Vec<Arc<S>> {
        self.those(|entry| entry.leases.is_none())
    }

    fn those(&self, is_meant: impl Fn(&Entry<S>) -> bool) -> Vec<Arc<S>> {
        let listing = self.0.lock();
        let found = listing.all().filter(|entry| is_meant(entry));
        let mut found: Vec<_> = found.map(|entry| Arc::clone(&entry.listed)).collect();
        drop(listing);
        found.sort_by(|one, other| one.name().cmp(other.name()));
        found
    }
}

/// Keeps one that was found open, until it is dropped.
pub(crate) struct Lease<S: Listed> {
    listed: Arc<S>,
    is_taken_over: bool,
}

impl<S: Listed> Lease<S> {
    fn new(listed: Arc<S>) -> Self {
        Self {
            listed,
            is_taken_over: false,
        }
    }

    /// For who keeps count himself, and [gives it back](Directory::give_back).
    pub(crate) fn into_listed(mut self) -> Arc<S> {
        self.is_taken_over = true;
        Arc::clone(&self.listed)
    }
}

impl<S: Listed> Deref for Lease<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.listed
    }
}

impl<S: Listed> Drop for Lease<S> {
    fn drop(&mut self) {
        if !self.is_taken_over
            && let Some(directory) = self.listed.leased_from()
        {
            directory.give_back(&self.listed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;

    /// Writes down what becomes of it.
    struct Page {
        name: Arc<str>,
        leased_from: Weak<Directory<Self>>,
        told: Arc<Lock<Vec<String>>>,
    }

    impl Listed for Page {
        fn name(&self) -> &Arc<str> {
            &self.name
        }

        fn leased_from(&self) -> Option<Arc<Directory<Self>>> {
            self.leased_from.upgrade()
        }

        fn opened(&self) {
            self.told.lock().push(format!("+{}", self.name));
        }

        fn closed(&self) {
            self.told.lock().push(format!("-{}", self.name));
        }
    }

    struct World {
        directory: Arc<Directory<Page>>,
        told: Arc<Lock<Vec<String>>>,
    }

    impl World {
        fn new() -> Self {
            Self {
                directory: Arc::new(Directory::new()),
                told: Arc::default(),
            }
        }

        fn page(&self, name: &str, leased_from: Weak<Directory<Page>>) -> Page {
            Page {
                name: name.into(),
                leased_from,
                told: Arc::clone(&self.told),
            }
        }

        fn open(&self, name: &str) -> Result<Arc<Page>, Taken> {
            let page = Arc::new(self.page(name, Weak::new()));
            self.directory.open(&page).map(|()| page)
        }

        fn lease(&self, name: &str, max: usize) -> Option<Lease<Page>> {
            let from = Arc::downgrade(&self.directory);
            self.directory
                .lease_or_open(name, max, || self.page(name, from))
        }

        fn names(&self) -> Vec<Arc<str>> {
            let all = self.directory.all();
            all.iter().map(|page| Arc::clone(&page.name)).collect()
        }

        fn told(&self) -> Vec<String> {
            std::mem::take(&mut *self.told.lock())
        }
    }

    #[test]
    fn a_name_is_taken_until_it_is_closed_and_only_its_own_entry_is() {
        let world = World::new();
        for name in ["/", "/b"] {
            let first = world.open(name).ok().unwrap();
            assert!(world.open(name).is_err());
            world.directory.close(&first);
            let second = world.open(name).ok().unwrap();
            world.directory.close(&first);
            let found = world.directory.find(name).unwrap();
            assert!(Arc::ptr_eq(&found, &second), "the first was closed already");
        }
        assert_eq!(world.told(), ["+/", "-/", "+/", "+/b", "-/b", "+/b"]);
        assert_eq!(world.names(), ["/".into(), "/b".into()]);
    }

    #[test]
    fn what_is_leased_goes_with_its_last_lease_however_that_ends() {
        let world = World::new();
        for name in ["/", "/d"] {
            let first = world.lease(name, 1).unwrap();
            let second = world.directory.lease(name).unwrap();
            let page = first.into_listed();
            drop(second);
            assert_eq!(world.names(), [name.into()], "the first was taken over");
            world.directory.give_back(&page);
            assert_eq!(world.names(), []);
            assert_eq!(world.told(), [format!("+{name}"), format!("-{name}")]);
        }
    }

    #[test]
    fn what_lasts_needs_no_lease() {
        let world = World::new();
        let page = world.open("/").ok().unwrap();
        drop(world.directory.lease("/"));
        world.directory.give_back(&page);
        assert_eq!(world.names(), ["/".into()]);
        assert_eq!(world.directory.lasting().len(), 1);
    }

    #[test]
    fn no_more_are_leased_than_the_bound_and_each_that_goes_makes_room() {
        let world = World::new();
        let _lasting = world.open("/").ok().unwrap();
        let one = world.lease("/1", 2).unwrap();
        let two = world.lease("/2", 2).unwrap();
        assert!(world.lease("/3", 2).is_none(), "one past the bound");
        assert!(world.lease("/2", 2).is_some(), "it is open");
        drop(one);
        let three = world.lease("/3", 2).unwrap();
        world.directory.close(&two);
        assert!(
            world.lease("/4", 2).is_some(),
            "a closed one makes room too"
        );
        drop((two, three));
        assert_eq!(world.names(), ["/".into()]);
    }

    #[test]
    fn the_lease_of_a_closed_one_does_not_end_its_successor() {
        let world = World::new();
        let old = world.lease("/d", 1).unwrap();
        world.directory.close(&old);
        let new = world.lease("/d", 1).unwrap();
        drop(old);
        assert_eq!(world.names(), ["/d".into()]);
        drop(new);
        assert_eq!(world.names(), []);
        assert_eq!(world.told(), ["+/d", "-/d", "+/d", "-/d"]);
    }
}
