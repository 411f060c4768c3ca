"""A book."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Book:
    title: str
    author: str

    def surname(self):
        return self.author.split()[-1]
