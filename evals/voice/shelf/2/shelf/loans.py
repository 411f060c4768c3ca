"""Books that are away."""

from datetime import timedelta

from shelf import settings


class AlreadyLent(Exception):
    """Somebody else has the book."""


class TooManyLoans(Exception):
    """The reader has as many books as one may have."""


class Loans:
    def __init__(self):
        # From the book to its reader and the day it is due.
        self.out = {}

    # TODO: let a reader keep a book for another week
    def lend(self, book, reader, today):
        if book in self.out:
            raise AlreadyLent(book.title)
        if len(self.of(reader)) >= settings.MAX_LOANS:
            raise TooManyLoans(reader)
        self.out[book] = (reader, today + timedelta(days=settings.LOAN_DAYS))

    def give_back(self, book):
        reader, due = self.out.pop(book)
        return due

    def of(self, reader):
        return [book for book, (who, _) in self.out.items() if who == reader]
