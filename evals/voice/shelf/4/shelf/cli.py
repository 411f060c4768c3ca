"""The command line."""

import sys
from datetime import date

from shelf.catalog import Catalog
from shelf.loans import Loans

USAGE = """add TITLE AUTHOR
find TEXT
lend TITLE READER
return TITLE"""


# FIXME: nothing is written to the disk yet
def main():
    command, *rest = sys.argv[1:] or ["help"]
    catalog, loans = Catalog(), Loans()
    if command == "add":
        catalog.add(*rest)
    elif command == "find":
        for book in catalog.find(rest[0]):
            print(book.title, "by", book.author)
    elif command == "lend":
        loans.lend(rest[0], rest[1], date.today())
    elif command == "return":
        loans.give_back(rest[0])
    else:
        print(USAGE)
