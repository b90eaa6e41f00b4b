import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import journey

README = """# A project
```bash
mkdir -p .venv/bin && ln -s {python} .venv/bin/python
```
What it prints:
```text
exit 1
```
- in a list:
  ```python
  import os, pathlib
  pathlib.Path("seen").write_text(os.environ["SNN_SYNTH_DATA"])
  ```
```sh
test "$(cat seen)" = {data}
test -z "${{VIRTUAL_ENV:-}}${{PYTHONPATH:-}}${{MAKEFLAGS:-}}${{WANDB_API_KEY:-}}"
test "$(command -v python)" = "$PWD/.venv/bin/python"
```
"""


WALKS = (journey.Walk("README", "README.md"),)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    (tmp_path / "data").mkdir()
    (tmp_path / "temporary").mkdir()
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("SNN_SYNTH_DATA", "data")
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "WANDB_API_KEY"):
        monkeypatch.setenv(name, "leak")
    return folder


def commit(repository: Path, readme: str) -> None:
    (repository / "README.md").write_text(readme)
    identity = ["-c", "user.name=reader", "-c", "user.email=reader@localhost"]
    subprocess.run(["git", "add", "."], cwd=repository, check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "-m", "page"], cwd=repository, check=True)


def page(tmp_path: Path) -> str:
    return README.format(python=sys.executable, data=tmp_path / "data")


def rows(out: str) -> dict[str, tuple[int, int]]:
    """Walk -> its number of blocks and its exit code, of the table at the end."""
    table = out[out.index("blocks  seconds  exit code\n") :].splitlines()[1:]
    found = (re.fullmatch(r"(.+?) +(\d+) +\d+ +(\d+)", row) for row in table)
    return {row[1]: (int(row[2]), int(row[3])) for row in found if row}


def test_blocks_run_in_order_in_the_clone_with_a_fresh_environment(repository, tmp_path, capsys):
    commit(repository, page(tmp_path))
    assert journey.main(repository, WALKS) == 0
    out = capsys.readouterr().out
    assert rows(out) == {"README": (3, 0)}
    assert out.count("exit code 0") == 3
    assert not (repository / "seen").exists(), "a block ran in the repository itself"
    assert not any((tmp_path / "temporary").iterdir()), "a journey that passed must leave nothing"


def test_a_failed_block_is_named_and_the_rest_still_runs(repository, tmp_path, capsys):
    commit(repository, page(tmp_path) + "```bash\necho lost; false; echo never\n```\n```bash\ntrue\n```\n")
    assert journey.main(repository, WALKS) == 1
    out = capsys.readouterr().out
    assert rows(out) == {"README": (5, 1)}
    assert out.count("exit code 1\n") == 1
    assert "| lost" in out
    assert "| never" not in out


def test_what_is_not_committed_is_not_run_and_that_is_said(repository, tmp_path, capsys):
    commit(repository, page(tmp_path))
    (repository / "README.md").write_text("```bash\nfalse\n```\n")
    assert journey.main(repository, WALKS) == 0
    assert "1 uncommitted change(s) are not in it" in capsys.readouterr().out


def test_a_page_without_blocks_does_not_pass(repository):
    commit(repository, "# Nothing to run\n```text\nhello\n```\n")
    assert journey.main(repository, WALKS) == 1


def test_a_python_block_before_there_is_an_environment_fails(repository, capsys):
    commit(repository, "```python\nprint(1)\n```\n")
    assert journey.main(repository, WALKS) == 1
    assert f"{os.sep}.venv/bin/python" in capsys.readouterr().out


def test_the_line_of_a_block_is_that_of_its_fence():
    found = journey.blocks("one\n\n```python title\nx = 1\n```\n\n```yaml\na: 1\n```\n```sh\n```\n")
    assert found == [journey.Block("python", "x = 1\n", 3), journey.Block("sh", "", 10)]


def test_a_walk_takes_the_sections_that_it_names(repository, capsys):
    page = "```sh\nmkdir a\n```\n## One\n```sh\nmkdir a/b\n```\n## Two\n```sh\nmkdir a/c\nexit 3\n```\n"
    commit(repository, page)
    walks = (
        journey.Walk("rest", "README.md", ("a",), without=("One", "Two")),
        journey.Walk("one", "README.md", ("a/b",), ("One",)),
        journey.Walk("two", "README.md", ("a/c",), ("Two",)),
    )
    assert journey.main(repository, walks) == 1
    assert rows(capsys.readouterr().out) == {"rest": (1, 0), "one": (1, 0), "two": (1, 3)}


def test_what_a_walk_must_leave_is_looked_for(repository, capsys):
    commit(repository, "```sh\ntrue\n```\n")
    assert journey.main(repository, (journey.Walk("one", "README.md", ("image.png",)),)) == 1
    out = capsys.readouterr().out
    assert rows(out) == {"one": (1, 1)}
    assert "not there: image.png" in out


def test_a_page_that_is_missing_fails_its_walk(repository, capsys):
    commit(repository, "```sh\ntrue\n```\n")
    assert journey.main(repository, (*WALKS, journey.Walk("other", "docs/other.md"))) == 1
    assert rows(capsys.readouterr().out) == {"README": (1, 0), "other": (0, 1)}


def test_each_block_of_the_pages_is_in_one_walk():
    root = Path(__file__).parents[1]
    for page in {walk.page for walk in journey.WALKS}:
        text = (root / page).read_text()
        walks = [walk.blocks(text) for walk in journey.WALKS if walk.page == page]
        assert all(walks), "a walk without a block"
        assert sorted(block.line for walk in walks for block in walk) == [
            block.line for block in journey.blocks(text) if block.section != journey.OWN
        ]
