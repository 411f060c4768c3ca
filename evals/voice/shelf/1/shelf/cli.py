"""The command line."""

import sys

from shelf.catalog import Catalog


def main():
    command, *rest = sys.argv[1:] or ["help"]
    catalog = Catalog()
    if command == "add":
        catalog.add(*rest)
    else:
        print("add TITLE AUTHOR")
