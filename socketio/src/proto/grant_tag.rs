//! What tells grants apart at a glance, so that a revocation need not look into those of everybody else.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use socketio_auth::{GrantFacts, revocation::Revocation};

/// A few bits of the hashes of a grant's subject, session and token. They lie beside the sockets of a namespace: the
/// many that are not meant are passed over without a look at socket or grant, and who seems to be meant is looked into.
///
/// Nothing rests on collisions being rare but time, and that no more than it takes to look into everyone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GrantTag(u64);

impl GrantTag {
    /// Of who was granted nothing: a guest, or anybody in a namespace without a policy.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn of(facts: &GrantFacts) -> Self {
        let part = |part: Part, of: Option<&str>| of.map_or(0, |of| part.tag(of));
        Self(
            Part::Subject.tag(facts.subject().id())
                | part(Part::Session, facts.session_id())
                | part(Part::Token, facts.token_id()),
        )
    }
}

/// The tags that a revocation may mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MeantTags {
    mask: u64,
    bits: u64,
}

impl MeantTags {
    pub(crate) fn of(revocation: &Revocation) -> Self {
        let (part, of) = match revocation {
            Revocation::Subject { subject, .. } => (Part::Subject, subject),
            Revocation::Session { id, .. } => (Part::Session, id),
            Revocation::Token { id, .. } => (Part::Token, id),
            // Of an issuer or a key there are few, so it means many, and nobody is passed over.
            _ => return Self { mask: 0, bits: 0 },
        };
        Self {
            mask: part.mask(),
            bits: part.tag(of),
        }
    }

    pub(crate) const fn include(self, tag: GrantTag) -> bool {
        tag.0 & self.mask == self.bits
    }
}

/// What a part of a tag is of, by its place.
#[derive(Clone, Copy, Debug)]
enum Part {
    Subject = 0,
    Session = 21,
    Token = 42,
}

impl Part {
    const LOWEST: u64 = (1 << 21) - 1;

    const fn mask(self) -> u64 {
        Self::LOWEST << self as u32
    }

    /// Never zero, which stands for the absence of one.
    fn tag(self, of: &str) -> u64 {
        let hash = FixedState::default().hash_one(of);
        (hash & Self::LOWEST).max(1) << self as u32
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use socketio_auth::Grant;

    use super::*;

    fn full(name: &str) -> GrantTag {
        let grant = Grant::new((), name)
            .with_session_id(name)
            .with_token_id(name);
        GrantTag::of(grant.facts())
    }

    #[test]
    fn a_revocation_passes_over_most_and_never_over_whom_it_means() {
        for revocation in [
            Revocation::subject("ann", UNIX_EPOCH),
            Revocation::session("ann"),
            Revocation::token("ann"),
        ] {
            let meant = MeantTags::of(&revocation);
            assert!(meant.include(full("ann")), "{revocation:?}");
            let others = (0..1000).filter(|number| meant.include(full(&number.to_string())));
            assert!(others.count() < 10, "{revocation:?}");
            assert!(!meant.include(GrantTag::NONE), "{revocation:?}");
        }
    }

    #[test]
    fn each_part_is_of_its_own() {
        let subject = GrantTag::of(Grant::new((), "ann").facts());
        let meant = |revocation| MeantTags::of(&revocation).include(subject);
        assert!(meant(Revocation::subject("ann", UNIX_EPOCH)));
        assert!(!meant(Revocation::session("ann")), "it has none");
        assert!(!meant(Revocation::token("ann")), "it has none");
    }

    #[test]
    fn an_issuer_a_key_and_all_pass_over_nobody() {
        for revocation in [
            Revocation::issuer("i", UNIX_EPOCH),
            Revocation::key("k"),
            Revocation::all(UNIX_EPOCH),
        ] {
            let meant = MeantTags::of(&revocation);
            assert!(meant.include(full("ann")) && meant.include(GrantTag::NONE));
        }
    }
}
