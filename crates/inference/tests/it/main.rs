//! The host as a real process.
