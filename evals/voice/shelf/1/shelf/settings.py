"""The rules, as numbers."""

import os

# Where the data is kept.
FOLDER = os.environ.get("SHELF_HOME", os.path.expanduser("~/.shelf"))
