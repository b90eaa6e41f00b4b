"""What is counted in `make trust` goes into the JUnit report of pytest, of which report.py makes a table."""

from collections import Counter

import pytest


@pytest.fixture
def tried(record_property):
    """Counts, by what was tried, how often it was: also in a test that then fails."""
    counts = Counter()

    def count(what, times=1):
        counts[what] += times

    yield count
    for what, times in counts.items():
        record_property(what, times)
