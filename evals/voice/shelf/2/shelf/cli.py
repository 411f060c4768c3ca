"""The command line."""

import sys
from datetime import date

from shelf.catalog import Catalog
from shelf.loans import Loans

USAGE = """add TITLE AUTHOR
lend TITLE READER
return TITLE"""


def main():
    command, *rest = sys.argv[1:] or ["help"]
    catalog, loans = Catalog(), Loans()
    if command == "add":
        catalog.add(*rest)
    elif command == "lend":
        loans.lend(rest[0], rest[1], date.today())
    elif command == "return":
        loans.give_back(rest[0])
    else:
        print(USAGE)
