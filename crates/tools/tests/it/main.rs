//! The tools as the engine uses them, on real repositories, in the real sandbox.
