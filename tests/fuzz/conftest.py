"""How many files a test of a parser has read goes into pytest's JUnit report: tests/trust/report.py makes a table."""

import pytest

from tests.fuzz.harness import bounded


@pytest.fixture(autouse=True)
def counted(request, record_property):
    before = bounded.times
    yield
    if request.path.name != "test_harness.py":  # whose parsers are toys
        record_property("damaged and hostile files, of every parser", bounded.times - before)
