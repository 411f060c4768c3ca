"""The rules, as numbers."""

import os

# Where the data is kept.
FOLDER = os.environ.get("SHELF_HOME", os.path.expanduser("~/.shelf"))

# How long a book may stay away.
LOAN_DAYS = 21

# How many books one reader has at a time.
MAX_LOANS = 7

# What a late book costs, in cents.
FINE_PER_DAY = 35
MAX_FINE = 1000
