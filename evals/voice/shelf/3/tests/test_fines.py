import unittest
from datetime import date, timedelta

from shelf import settings
from shelf.fines import fine

DUE = date(2026, 6, 1)


class FinesTest(unittest.TestCase):
    def test_a_book_in_time_costs_nothing(self):
        self.assertEqual(fine(DUE, DUE), 0)
        self.assertEqual(fine(DUE, DUE - timedelta(days=3)), 0)

    def test_every_late_day_costs(self):
        self.assertEqual(fine(DUE, DUE + timedelta(days=2)), 2 * settings.FINE_PER_DAY)

    def test_a_very_late_book_costs_no_fortune(self):
        self.assertEqual(fine(DUE, DUE + timedelta(days=400)), settings.MAX_FINE)
