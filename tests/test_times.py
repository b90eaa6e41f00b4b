"""The seconds of each test file."""

from tests import times

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" tests="4" time="6.25">
<testcase classname="tests.test_a" name="test_x[1]" file="tests/test_a.py" line="1" time="1.500"/>
<testcase classname="tests.test_b" name="test_x" file="tests/test_b.py" line="1" time="3.000"/>
<testcase classname="tests.test_a" name="test_x[2]" file="tests/test_a.py" line="1" time="2.000">
<failure message="no">no</failure></testcase>
<testcase classname="snn_synth.keys" name="" time="0.250"><skipped message="no"/></testcase>
</testsuite></testsuites>
"""


def test_the_files_that_take_longest_come_first(tmp_path, capsys):
    (tmp_path / "tests.xml").write_text(REPORT)
    times.main(tmp_path / "tests.xml", longest=2)
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "6.8 s for 4 tests in 3 files; 6.2 s by the clock",
        "3.5 s tests/test_a.py",
        "3.0 s tests/test_b.py",
    ]
