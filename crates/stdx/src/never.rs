//! A broken assumption in code that must go on running.

/// Fails a test and logs nothing in a release: the caller names the sane path that follows.
///
/// ```ignore
/// let Some(turn) = self.turn.as_mut() else {
///     never!("a tool finished without a turn");
///     return;
/// };
/// ```
#[macro_export]
macro_rules! never {
    ($($message:tt)+) => {
        debug_assert!(false, $($message)+)
    };
}
