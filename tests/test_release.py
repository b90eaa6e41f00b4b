"""What a tag sets off: tests before anything is published, and the changelog's section as the text of the release."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = ROOT / ".github/workflows"
FILES = "https://github.com/snn-synth/snn_synth/blob/v0.2.0/"
SMALL = """# Changelog

## [Unreleased]

- Not yet.

## [0.2.0] - 2026-01-02

A paragraph
of two lines, with a [place](#changed).

### Added

- Words are
  [drawn](docs/web.md#tests), see [there](https://example.org).
  - More -
    or less.
- `code`

## [0.12.0] - 2026-01-01

- Another.
"""


@pytest.fixture(scope="module")
def notes():
    spec = importlib.util.spec_from_file_location("release_notes", ROOT / "docs/release_notes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.notes


@pytest.fixture(scope="module")
def release():
    return yaml.safe_load((WORKFLOWS / "release.yml").read_text())["jobs"]


def test_the_notes_are_the_versions_section(notes):
    assert notes(SMALL, "0.2.0") == (
        f"A paragraph of two lines, with a [place]({FILES}CHANGELOG.md#changed).\n\n"
        "### Added\n\n"
        f"- Words are [drawn]({FILES}docs/web.md#tests), see [there](https://example.org).\n"
        "  - More - or less.\n"
        "- `code`"
    )
    assert notes(SMALL, "0.12.0") == "- Another."


@pytest.mark.parametrize("version", ["0.3.0", "0.2", "2.0", "0x2.0"])
def test_a_version_without_a_section_is_refused(notes, version):
    with pytest.raises(ValueError, match=r"Expected a section \[.*\] with a text in CHANGELOG\.md, got none"):
        notes(SMALL.replace("[0.12.0]", "[0.3.0]").replace("- Another.", ""), version)


def test_no_word_of_the_changelog_is_lost_and_links_lead_to_files(notes):
    changelog = (ROOT / "CHANGELOG.md").read_text()
    found = notes(changelog, "0.2.0")
    lines = changelog.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("## [0.2.0]"))
    after = [place for place, line in enumerate(lines) if line.startswith("## [") and place > start]
    section = lines[start + 1 : after[0] if after else None]
    inside = found.replace(f"{FILES}CHANGELOG.md#", "#").replace(FILES, "")
    assert inside.split() == " ".join(section).split()
    unfolded, folded = (
        [one[:40] for one in part if one.strip().startswith("-")] for part in (inside.splitlines(), section)
    )
    assert unfolded == folded
    for target in re.findall(rf"{re.escape(FILES)}([^)#]+)", found):
        assert (ROOT / target).exists(), target


def test_nothing_is_published_before_all_tests_have_passed(release):
    waits = {name: job.get("needs") for name, job in release.items()}
    assert waits == {"test": None, "build": "test", "publish": "build", "release": "publish"}
    assert release["test"]["uses"] == "./.github/workflows/test.yml"


def test_the_called_workflow_gets_the_permissions_that_its_jobs_ask_for(release):
    called = yaml.safe_load((WORKFLOWS / "test.yml").read_text())
    assert "workflow_call" in called[True]  # YAML reads the key `on` as true
    given = release["test"]["permissions"]
    for asked in [called["permissions"], *(job.get("permissions", {}) for job in called["jobs"].values())]:
        assert asked.items() <= given.items()
