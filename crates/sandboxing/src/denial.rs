//! Guesses whether a command failed because of the sandbox.

/// True when the words of a failed command's output are those of a denied write or connection.
///
/// A guess: it decides only whether a sentence about the sandbox is added to the output, never
/// what is done. Programs word these errors in their own ways, in the languages of the C library
/// and of the common runtimes; other human languages are not recognised.
pub fn denied_by_sandbox(output: &str) -> bool {
    const WORDS: [&str; 14] = [
        "permission denied",
        "operation not permitted",
        "read-only file system",
        "permissionerror",
        "eacces",
        "eperm",
        "erofs",
        "could not resolve host",
        "temporary failure in name resolution",
        "name or service not known",
        "network is unreachable",
        "getaddrinfo",
        "eai_again",
        "invalid cross-device link",
    ];
    let output = output.to_lowercase();
    WORDS.iter().any(|words| output.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_are_recognised_by_their_words() {
        for denied in [
            "bash: line 1: /etc/x: Permission denied",
            "touch: cannot touch '/x': Read-only file system",
            "PermissionError: [Errno 1] Operation not permitted",
            "Error: EACCES: permission denied, open '/x'",
            "curl: (6) Could not resolve host: example.com",
        ] {
            assert!(denied_by_sandbox(denied), "{denied}");
        }
        for other in ["", "assertion failed: left == right", "error[E0425]: cannot find value `x`"]
        {
            assert!(!denied_by_sandbox(other), "{other}");
        }
    }
}
