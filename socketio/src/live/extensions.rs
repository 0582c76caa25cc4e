//! What the application keeps with a socket.

use std::any::TypeId;

use super::candidate::Candidate;
use super::core::Core;
use crate::running::guard;
use crate::type_map::{AnyValue, Changes, TypeMap};

impl Core {
    /// The value of a type, as a candidate sees it if there is one.
    pub(crate) fn extension(&self, candidate: Option<&Candidate>, of: TypeId) -> Option<AnyValue> {
        let changed = candidate.and_then(|candidate| {
            candidate.with_changes(|changes| changes.and_then(|changes| changes.of(of).cloned()))
        });
        changed.unwrap_or_else(|| {
            let state = self.state.lock();
            let extensions = state.extra.as_ref()?.extensions.as_ref()?;
            extensions.get(of).cloned()
        })
    }

    /// Gives the value that was there.
    pub(crate) fn set_extension(
        &self,
        candidate: Option<&Candidate>,
        of: TypeId,
        value: Option<AnyValue>,
    ) -> Option<AnyValue> {
        let Some(candidate) = candidate else {
            return self.set_own(of, value);
        };
        let before = self.extension(Some(candidate), of);
        let mut value = Some(value);
        let overwritten = candidate.with_changes(|changes| {
            let changes = changes?;
            changes.set(of, value.take()?)
        });
        // The same as `before`, unless the value was changed on another thread meanwhile. It ends behind the lock.
        drop(overwritten);
        match value {
            None => before,
            // The socket is that one meanwhile, or never will be.
            Some(value) if candidate.is_in_place() => self.set_own(of, value),
            Some(_) => None,
        }
    }

    fn set_own(&self, of: TypeId, value: Option<AnyValue>) -> Option<AnyValue> {
        self.has_changed();
        let mut state = self.state.lock();
        match value {
            Some(value) => {
                let extensions = &mut state.extra().extensions;
                extensions.get_or_insert_default().insert(value)
            }
            None => state.extra.as_mut()?.extensions.as_mut()?.remove(of),
        }
    }

    /// The value of a type, which is this one when there is none.
    pub(crate) fn extension_or(
        &self,
        candidate: Option<&Candidate>,
        of: TypeId,
        value: AnyValue,
    ) -> AnyValue {
        if let Some(candidate) = candidate {
            if let Some(found) = self.extension(Some(candidate), of) {
                return found;
            }
            drop(self.set_extension(Some(candidate), of, Some(value.clone())));
            return value;
        }
        let mut state = self.state.lock();
        let extensions = state.extra().extensions.get_or_insert_default();
        if let Some(found) = extensions.get(of) {
            return found.clone();
        }
        extensions.insert(value.clone());
        value
    }

    /// All that is kept with the socket, shared.
    pub(super) fn extensions(&self) -> TypeMap {
        let state = self.state.lock();
        let extra = state.extra.as_ref();
        let extensions = extra.and_then(|extra| extra.extensions.as_deref());
        extensions.cloned().unwrap_or_default()
    }

    /// What was kept with it before it lost its connection. User code has not seen it since.
    pub(super) fn restore_extensions(&self, extensions: TypeMap) {
        if !extensions.is_empty() {
            self.state.lock().extra().extensions = Some(Box::new(extensions));
        }
    }

    pub(crate) fn forget_extensions(&self) {
        let extensions = {
            let mut state = self.state.lock();
            let extra = state.extra.as_mut();
            extra.and_then(|extra| extra.extensions.take())
        };
        let _ = guard(|| drop(extensions));
    }

    /// The socket is whom middleware was asked about: what was kept for that one is the socket's.
    pub(super) fn apply(&self, changes: Changes) {
        for (of, value) in changes.into_list() {
            let before = self.set_own(of, value);
            // It is the application's, and so is what its end does.
            let _ = guard(|| drop(before));
        }
    }
}
