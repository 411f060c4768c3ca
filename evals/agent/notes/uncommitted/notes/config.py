"""What can be changed without touching the code that uses it."""

DEFAULT_FILE = "~/.notes.json"
TIMEOUT_SECONDS = 30
MAX_LENGTH = 280
