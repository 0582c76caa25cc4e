//! Placeholder replaced by the simulation of whole sessions.
