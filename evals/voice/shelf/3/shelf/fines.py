"""What late books cost."""

from shelf import settings


def fine(due, returned):
    """The fine for a book that was due on one day and came back on another, in cents."""
    late = (returned - due).days
    if late <= 0:
        return 0
    return late * settings.FINE_PER_DAY
