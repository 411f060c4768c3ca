import unittest

from notes.search import find


class SearchTest(unittest.TestCase):
    def test_finds_in_order(self):
        self.assertEqual(find(["tea", "milk", "more tea"], "tea"), ["tea", "more tea"])

    def test_ignores_case(self):
        self.assertEqual(find(["Buy Tea", "milk"], "tea"), ["Buy Tea"])


if __name__ == "__main__":
    unittest.main()
