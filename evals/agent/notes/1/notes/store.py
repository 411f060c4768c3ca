"""Notes in a file."""

import json
import os

from notes import config


class NoteStore:
    def __init__(self, path=config.DEFAULT_FILE):
        self.path = os.path.expanduser(path)
        self.notes = []
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.notes = json.load(file)

    def add(self, text):
        if len(text) > config.MAX_LENGTH:
            raise ValueError("a note has at most %d characters" % config.MAX_LENGTH)
        self.notes.append(text)
        self.save()

    def remove(self, index):
        del self.notes[index]
        self.save()

    def save(self):
        with open(self.path, "w") as file:
            json.dump(self.notes, file)
