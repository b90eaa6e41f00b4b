import json
from pathlib import Path

import pytest

from tests.trust.report import OTHER, changes, main, rows, table

ROOT = Path(__file__).parents[2]
REPORT = """<testsuites><testsuite>
<testcase classname="a" name="one" time="60"><properties><property name="kills" value="1200"/></properties></testcase>
<testcase classname="a" name="two" time="60"><properties><property name="kills" value="3"/></properties>
  <failure message="bits differ"/></testcase>
<testcase classname="b" name="three" time="6"/>
<testcase classname="b" name="four" time="0"><skipped message="only root can"/></testcase>
</testsuite></testsuites>"""
MORE = """<testsuites><testsuite><testcase classname="c" name="five" time="30">
<properties><property name="kills" value="7"/></properties></testcase></testsuite></testsuites>"""


def test_a_table_of_what_was_tried_and_what_failed(tmp_path):
    (tmp_path / "one.xml").write_text(REPORT)
    (tmp_path / "two.xml").write_text(MORE)
    found, failed, skipped = rows(tmp_path)
    assert found == {
        "kills": {"tried": 1210, "lost": 1, "seconds": 150.0},
        OTHER: {"tried": 1, "lost": 0, "seconds": 6.0},
    }
    assert failed == ["a.two"]
    assert skipped == ["b.four: only root can"]
    assert "| kills | 1,210 | 1 | 2.5 |" in table(found)


def test_changes_that_no_test_notices_fail_where_they_are_more_than_five_in_a_hundred(tmp_path):
    path = tmp_path / "mutants.json"
    assert changes(path) == ("Changes of the code: none tried.", False)
    path.write_text(json.dumps({"tried": 20, "survivors": ["a.py, f: 1 -> 2"]}))
    text, unnoticed = changes(path)
    assert text.splitlines() == [
        "Changes of the code: 20 tried, of which tests notice 19.",
        "- not noticed: `a.py, f: 1 -> 2`",
    ]
    assert not unnoticed
    path.write_text(json.dumps({"tried": 19, "survivors": ["a.py, f: 1 -> 2"]}))
    assert changes(path)[1]


def test_a_part_that_did_not_end_is_told_and_fails(tmp_path, monkeypatch, capsys):
    """As a process does that is killed before it writes its report, and mutants whose tests fail unchanged."""
    (tmp_path / "load.xml").write_text(MORE)
    words = ["report", str(tmp_path), "--parts", "kills", "load", "mutants"]
    monkeypatch.setattr("sys.argv", words)
    assert main() == 1
    assert "\nDid not end: kills, mutants.\n" in capsys.readouterr().out
    (tmp_path / "kills.xml").write_text(MORE)
    (tmp_path / "mutants.json").write_text(json.dumps({"tried": 20, "survivors": []}))
    assert main() == 0
    assert "Did not end" not in capsys.readouterr().out


@pytest.mark.parametrize("machine", ["xeon-amx-2-cores", "epyc-2-cores"])
def test_the_page_has_the_tables_of_the_full_run(machine):
    found = json.loads((ROOT / f"benchmarks/results/trust/{machine}.json").read_text())
    page = (ROOT / "docs/trust.md").read_text()
    assert (found["scale"], found["failed"]) == (1000, [])
    assert {row["lost"] for row in found["rows"].values()} == {0}
    assert f"on {found['date']}" in page
    assert table(found["rows"]) in page
    if "none tried" not in found["changes"]:
        assert found["changes"] in page


def test_everything_was_run_as_one_command_too():
    folder = ROOT / "benchmarks/results/trust"
    whole, *parts = (
        json.loads((folder / f"{name}.json").read_text())
        for name in ("epyc-2-cores-one-command", "xeon-amx-2-cores", "epyc-2-cores")
    )
    assert whole["failed"] == whole["unended"] == []
    assert {row["lost"] for row in whole["rows"].values()} == {0}
    assert all(part["rows"].keys() <= whole["rows"].keys() for part in parts)
    assert f"N = {whole['scale']} in one command" in (ROOT / "docs/trust.md").read_text()
