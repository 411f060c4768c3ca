//! The manifest, the shelf, and fetching over real sockets and real archives.

mod fetch;
mod manifest;
mod server;
