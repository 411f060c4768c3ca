import unittest

from shelf.catalog import Catalog


class CatalogTest(unittest.TestCase):
    def setUp(self):
        self.catalog = Catalog()
        self.catalog.add("Emma", "Jane Austen")
        self.catalog.add("Orlando", "Virginia Woolf")
        self.catalog.add("Persuasion", "Jane Austen")

    def test_added_books_are_there(self):
        self.assertEqual(len(self.catalog.books), 3)

    def test_books_stand_by_surname_and_title(self):
        titles = [book.title for book in self.catalog.in_shelf_order()]
        self.assertEqual(titles, ["Emma", "Persuasion", "Orlando"])
