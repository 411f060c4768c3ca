"""What can be changed without touching the code that uses it."""

DEFAULT_FILE = "~/.notes.json"
TIMEOUT_SECONDS = 12
MAX_LENGTH = 280
