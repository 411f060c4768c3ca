//! Real commands under the real sandbox.
