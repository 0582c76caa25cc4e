//! Values by their type.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

/// A value of any type.
pub(crate) type AnyValue = Arc<dyn Any + Send + Sync>;

/// At most one value of each type. There are few, so they are looked through.
#[derive(Clone, Default)]
pub(crate) struct TypeMap(Vec<AnyValue>);

impl TypeMap {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the value that was there of the same type.
    pub(crate) fn insert(&mut self, value: AnyValue) -> Option<AnyValue> {
        match self
            .place_of((*value).type_id())
            .map(|at| self.0.get_mut(at))
        {
            Some(Some(there)) => Some(std::mem::replace(there, value)),
            _ => {
                self.0.push(value);
                None
            }
        }
    }

    pub(crate) fn get(&self, of: TypeId) -> Option<&AnyValue> {
        self.0.iter().find(|value| (***value).type_id() == of)
    }

    pub(crate) fn remove(&mut self, of: TypeId) -> Option<AnyValue> {
        self.place_of(of).map(|at| self.0.swap_remove(at))
    }

    fn place_of(&self, of: TypeId) -> Option<usize> {
        self.0.iter().position(|value| (**value).type_id() == of)
    }
}

/// The very same values.
impl PartialEq for TypeMap {
    fn eq(&self, other: &Self) -> bool {
        let (own, others) = (self.0.iter(), other.0.iter());
        self.0.len() == other.0.len() && own.zip(others).all(|(own, other)| Arc::ptr_eq(own, other))
    }
}

impl Eq for TypeMap {}

impl fmt::Debug for TypeMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeMap({})", self.0.len())
    }
}

/// Changes of such values that are to be made later.
#[derive(Default)]
pub(crate) struct Changes {
    /// By type; `None` where one was removed.
    list: Vec<(TypeId, Option<AnyValue>)>,
}

impl Changes {
    pub(crate) fn of(&self, of: TypeId) -> Option<&Option<AnyValue>> {
        let found = self.list.iter().find(|(changed, _)| *changed == of);
        found.map(|(_, value)| value)
    }

    /// Gives the change that was there of the same type.
    pub(crate) fn set(&mut self, of: TypeId, value: Option<AnyValue>) -> Option<AnyValue> {
        match self.list.iter_mut().find(|(changed, _)| *changed == of) {
            Some((_, there)) => std::mem::replace(there, value),
            None => {
                self.list.push((of, value));
                None
            }
        }
    }

    pub(crate) fn into_list(self) -> Vec<(TypeId, Option<AnyValue>)> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_value() {
        let mut map = TypeMap::default();
        assert!(map.insert(Arc::new(1_u8)).is_none());
        assert!(map.insert(Arc::new("one")).is_none());
        let before = map.insert(Arc::new(2_u8)).unwrap();
        assert_eq!(before.downcast_ref::<u8>(), Some(&1));
        let now = map.get(TypeId::of::<u8>()).unwrap();
        assert_eq!(now.downcast_ref::<u8>(), Some(&2));
        assert!(map.get(TypeId::of::<u16>()).is_none());
        assert!(map.remove(TypeId::of::<u8>()).is_some());
        assert!(map.remove(TypeId::of::<u8>()).is_none());
        assert!(map.get(TypeId::of::<&str>()).is_some(), "the other stays");
    }
}
