"""The pages say what is there: equations lead to their lines, links lead to files, and no module is missing."""

import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from snn_synth.cli.configs import shipped, shipped_sweeps
from snn_synth.cli.entry import COMMANDS
from snn_synth.experiments.reproduce.catalogue import find
from tests.journey import blocks

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
EQUATIONS = ROOT / "docs" / "equations.md"

CODE_BLOCK = re.compile(r"^ *```.*?^ *```", re.M | re.S)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_LINK = re.compile(r"\[([\w./-]+\.py):(\d+)\]\(\.\./([\w./-]+\.py)#L(\d+)\)")
CITATION = re.compile(r"\beqs?\. ?\d+(?:(?: ?[-–] ?|, ?| and | to )(?:eq\. ?)?\d+)*", re.I)


def cited(text: str) -> set[int]:
    """The equations that a line of code cites: `eq. 3`, `eq. 5-7`, `eq. 10, eq. 16`, `eqs. 1 and 2`."""
    equations: set[int] = set()
    for citation in CITATION.findall(text):
        for first, last in re.findall(r"(\d+)(?: ?(?:[-–]|to) ?(?:eq\. ?)?(\d+))?", citation, re.I):
            equations.update(range(int(first), int(last or first) + 1))
    return equations


def rows() -> dict[int, list[tuple[str, int]]]:
    """Equation number -> the lines of code that its row of the table links to."""
    table: dict[int, list[tuple[str, int]]] = {}
    for line in EQUATIONS.read_text().splitlines():
        number = re.match(r"\|\s*(?:eq\.\s*)?(\d+)\s*\|", line)
        if number is None:
            continue
        links = CODE_LINK.findall(line)
        for name, row, path, anchor in links:
            assert (name, row) == (path, anchor), f"the link says {name}:{row} but leads to {path}#L{anchor}"
        assert int(number[1]) not in table, f"equation {number[1]} has two rows"
        table[int(number[1])] = [(path, int(anchor)) for _, _, path, anchor in links]
    return table


def test_the_table_has_a_row_for_each_equation_and_no_other():
    assert sorted(rows()) == list(range(1, 18))


@pytest.mark.parametrize("equation", range(1, 18))
def test_an_equation_leads_to_lines_that_cite_it(equation):
    places = rows().get(equation, [])
    assert places, f"equation {equation} links to no line"
    for path, number in places:
        lines = (ROOT / path).read_text().splitlines()
        assert number <= len(lines), f"{path} has {len(lines)} lines, not {number}"
        line = lines[number - 1]
        assert equation in cited(line), f"{path}:{number} does not cite eq. {equation}: {line.strip()}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page):
    targets = LINK.findall(CODE_BLOCK.sub("", page.read_text()))
    relative = [target for target in targets if not re.match(r"[a-z]+:|#", target)]
    missing = [target for target in relative if not (page.parent / target.split("#")[0]).exists()]
    assert not missing


def test_the_architecture_shows_every_module():
    picture = re.findall(r"^([\w/.]+)  ", (ROOT / "docs" / "architecture.md").read_text(), re.M)
    modules = {
        child.name + ("/" if child.is_dir() else "")
        for child in (ROOT / "snn_synth").iterdir()
        if (child.suffix == ".py" or (child / "__init__.py").exists()) and not child.name.startswith("__")
    }
    assert modules <= set(picture), f"not in docs/architecture.md: {sorted(modules - set(picture))}"


@pytest.mark.parametrize(
    ("line", "equations"),
    [
        ("x = 1  # eq. 3", {3}),
        ("Source: Roy, Panda & Roy (2019), eq. 5-7.", {5, 6, 7}),
        ("# eq. 10, eq. 16", {10, 16}),
        ("Eqs. 1 and 2, eq. 9–11", {1, 2, 9, 10, 11}),
        ("# eq. 12 to 14", {12, 13, 14}),
        ("# equal 3, seq. 4", set()),
    ],
)
def test_how_a_line_cites(line, equations):
    assert cited(line) == equations


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "generators").glob("*.md")), ids=lambda page: page.stem)
def test_a_generators_page_can_be_followed(page, tmp_path, monkeypatch):
    (code,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(page), "exec"), {})
    promised = set(re.findall(r'"(\w+\.png)"', code))
    assert promised
    assert promised == {path.name for path in tmp_path.iterdir()}


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def _code(page: str) -> list:
    found = [block for block in blocks((ROOT / page).read_text()) if block.language == "python"]
    return [pytest.param(block.code, id=f"{page}:{block.line}") for block in found]


@pytest.mark.slow
@pytest.mark.parametrize("code", _code("README.md") + _code("docs/python.md") + _code("docs/neuron.md"))
def test_a_python_example_runs_by_itself(code, tmp_path, monkeypatch):
    pytest.importorskip("mlxtend")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "example", "exec"), {})


def test_a_python_example_defines_what_it_uses(tmp_path):
    """Each runs in a process of its own when somebody copies it: names of an earlier example are not there."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    examples = [(page, block) for page in pages for block in blocks(page.read_text()) if block.language == "python"]
    assert examples
    for page, block in examples:
        place = "-".join(page.relative_to(ROOT).with_suffix("").parts)
        (tmp_path / f"{place}-{block.line}.py").write_text(block.code)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F821", "--quiet", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", ["README.md", "docs/training.md", "docs/own-data.md"])
def test_the_commands_of_a_page_are_there(page):
    """`make journey` runs them; here, what they name must exist."""
    shell = "".join(block.code for block in blocks((ROOT / page).read_text()) if block.language == "bash")
    lines = shell.replace("\\\n", " ").splitlines()
    ours = [shlex.split(line)[1:] for line in lines if line.startswith("snn-synth ")]
    assert ours
    for command, *rest in ours:
        assert command in COMMANDS
        assert {name for option, name in pairwise(rest) if option == "--config"} <= set(shipped())
        assert command != "sweep" or rest[0] in shipped_sweeps()
        assert command != "reproduce" or find(rest[0])
