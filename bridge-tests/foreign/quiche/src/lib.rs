//! A client of Lodestone's wire protocol on quiche, written from docs/protocol.md alone; the tests are its only user.
#![forbid(unsafe_code)]

pub mod client;
pub mod served;
pub mod wire;
