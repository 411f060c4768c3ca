"""Finding notes."""


def find(notes, word):
    """The notes that contain the word, oldest first."""
    return [note for note in notes if word in note]
