import unittest
from datetime import date, timedelta

from shelf import settings
from shelf.book import Book
from shelf.loans import AlreadyLent, Loans, TooManyLoans

EMMA = Book("Emma", "Jane Austen")
TODAY = date(2026, 5, 4)


class LoansTest(unittest.TestCase):
    def test_a_book_is_due_after_the_loan_period(self):
        loans = Loans()
        loans.lend(EMMA, "Nora", TODAY)
        self.assertEqual(loans.give_back(EMMA), TODAY + timedelta(days=settings.LOAN_DAYS))

    def test_a_book_is_lent_once(self):
        loans = Loans()
        loans.lend(EMMA, "Nora", TODAY)
        with self.assertRaises(AlreadyLent):
            loans.lend(EMMA, "Tariq", TODAY)

    def test_nobody_has_too_many_books(self):
        loans = Loans()
        for number in range(settings.MAX_LOANS):
            loans.lend(Book("Volume %d" % number, "Anon"), "Nora", TODAY)
        with self.assertRaises(TooManyLoans):
            loans.lend(EMMA, "Nora", TODAY)
