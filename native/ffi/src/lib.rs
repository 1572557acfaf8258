//! The C edge of Lodestone.
//!
//! No logic lives here: each function checks its pointers, calls the runtime behind one panic guard, and turns the
//! result into a status number. All functions look alike: handle first, inputs, outputs, and last the place for an
//! error's text. They may be called from any thread. Engines are named by a number that is never used twice, so a
//! number that outlived its engine is refused and never followed.

mod abi;
mod client;
mod client_types;
mod edge;
mod engine;
mod graph;
mod handles;
mod layout;
mod load;
mod moves;
mod routes;
mod sessions;
mod state;
mod types;
mod watches;
mod words;

pub use abi::lodestone_abi_fingerprint;
pub use client::{
    lodestone_client_close, lodestone_client_describe, lodestone_client_free, lodestone_client_news,
    lodestone_client_open, lodestone_client_poll, lodestone_client_reason, lodestone_client_submit,
    lodestone_client_token,
};
pub use client_types::{LodestoneClientInfo, LodestoneCompletion, LodestoneNodeNews, LodestoneRequest};
pub use engine::{lodestone_engine_close, lodestone_engine_describe, lodestone_engine_open};
pub use graph::{lodestone_graph_load, lodestone_graph_put, lodestone_route_find};
pub use layout::lodestone_layout_list;
pub use load::{
    lodestone_load_close, lodestone_load_finish, lodestone_load_open, lodestone_load_put, lodestone_load_step,
};
pub use moves::lodestone_moves_submit;
pub use routes::{lodestone_routes_await, lodestone_routes_cancel, lodestone_routes_find};
pub use sessions::{
    lodestone_identity_reload, lodestone_session_close, lodestone_session_revoke, lodestone_sessions_list,
    lodestone_token_revoke,
};
pub use state::{lodestone_revision_find, lodestone_state_hash, lodestone_state_rollback, lodestone_state_verify};
pub use types::{
    LodestoneDescription, LodestoneError, LodestoneHash, LodestoneLayout, LodestoneLoad, LodestoneMove,
    LodestoneProgress, LodestoneRollback, LodestoneRoute, LodestoneRouteAnswer, LodestoneSession, LodestoneStatus,
    LodestoneSubmission,
};
pub use watches::{lodestone_watch_add, lodestone_watch_remove};
pub use words::{lodestone_word_wait, lodestone_word_wake};
