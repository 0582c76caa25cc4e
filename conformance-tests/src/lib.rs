//! Conformance suite for Engine.IO and Socket.IO servers.
