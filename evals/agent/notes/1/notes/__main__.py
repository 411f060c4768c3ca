"""The command line."""

import sys

from notes.search import find
from notes.store import NoteStore


def main(arguments):
    store = NoteStore()
    if len(arguments) == 2 and arguments[0] == "add":
        store.add(arguments[1])
    elif len(arguments) == 2 and arguments[0] == "find":
        for note in find(store.notes, arguments[1]):
            print(note)
    else:
        print("usage: notes add TEXT | notes find WORD")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
