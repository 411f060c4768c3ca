"""All our books."""

from shelf.book import Book


class Catalog:
    def __init__(self):
        self.books = []

    def add(self, title, author):
        book = Book(title, author)
        self.books.append(book)
        return book

    def find(self, text):
        """The books whose title or author holds the text, whatever its capital letters."""
        text = text.lower()
        return [
            book
            for book in self.books
            if text in book.title.lower() or text in book.author.lower()
        ]

    def in_shelf_order(self):
        """As they stand on the shelf: by the surname of the author, then by title."""
        return sorted(self.books, key=lambda book: (book.surname(), book.title))
