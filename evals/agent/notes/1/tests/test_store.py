import os
import tempfile
import unittest

from notes.store import NoteStore


class StoreTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "notes.json")

    def tearDown(self):
        self.folder.cleanup()

    def test_notes_are_kept(self):
        NoteStore(self.path).add("buy tea")
        self.assertEqual(NoteStore(self.path).notes, ["buy tea"])

    def test_a_removed_note_is_gone(self):
        store = NoteStore(self.path)
        store.add("buy tea")
        store.remove(0)
        self.assertEqual(NoteStore(self.path).notes, [])

    def test_a_long_note_is_refused(self):
        with self.assertRaises(ValueError):
            NoteStore(self.path).add("x" * 281)


if __name__ == "__main__":
    unittest.main()
