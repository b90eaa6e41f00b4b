"""How many files each test has read goes into pytest's JUnit report, of which tests/trust/report.py makes a table."""

import pytest

from tests.fuzz.harness import bounded


@pytest.fixture(autouse=True)
def counted(record_property):
    before = bounded.times
    yield
    record_property("damaged and hostile files, of every parser", bounded.times - before)
