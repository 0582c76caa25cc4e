//! Stands in for the codec without feature `deflate`: nothing is negotiated then, so none is ever made.

use std::convert::Infallible;

use super::negotiate::{Agreement, PerMessageDeflate, Settings};
use crate::websocket::fault::Fault;

#[derive(Debug)]
pub(crate) struct Inflater(Infallible);

impl Inflater {
    pub(crate) fn new(_: &Agreement) -> Option<Self> {
        None
    }

    pub(crate) fn inflate(&mut self, _: &[u8], _: usize) -> Result<Vec<u8>, Fault> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct Deflater(Infallible);

impl Deflater {
    pub(crate) fn new(_: &Agreement, _: &PerMessageDeflate) -> Option<Self> {
        None
    }

    pub(crate) fn alone(_: Settings) -> Option<Self> {
        None
    }

    pub(crate) fn shared_settings(&self) -> Option<Settings> {
        match self.0 {}
    }

    pub(crate) fn deflate(&mut self, _: &[u8], _: &mut Vec<u8>) -> bool {
        match self.0 {}
    }
}
