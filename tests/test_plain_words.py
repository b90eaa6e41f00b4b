"""No coined word comes back: code, pages, messages and committed results use the terms of the field."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COINED = {
    r"houses?|rooms?": "architecture, module, layer",
    r"arms?|\w+_arms?": "variant",
    r"contenders?": "implementation",
    r"peers?": "other libraries",
    r"judge[sd]?|judge_\w+|judgements?": "classifier, measure",
    r"twins?": "counterpart",
    r"chances?|chance_\w+": "random, generator, probability",
    r"made_by": "class_made_by",
    r"reference path|fast path|kernels\.path": "reference, backend",
    r"words: list\[str\]|command-line words": "argv, command-line arguments",
    r"strangers?": "a file or a user that is not trusted",
    r"so-manieth": "every n-th",
    r"journeys?|\w*_journey": "steps",
}
# What a name was called stays where it is read or told, and `make journey` is the name of a target.
EXCEPT = {
    r"arms?|\w+_arms?": {
        "CHANGELOG.md",
        "snn_synth/experiments/record.py",
        "tests/experiments/reproduce/test_results.py",
    },
    r"houses?|rooms?": {"CHANGELOG.md"},
    r"reference path|fast path|kernels\.path": {"CHANGELOG.md"},
    r"journeys?|\w*_journey": {"CHANGELOG.md", "snn_synth/plot/__init__.py", "tests/test_plot.py"},
}
TARGET = re.compile(r"make journey|journey:|coverage journey fuzz|tests[/.]journey|journey\.yml")
BINARY = {".png", ".gif", ".webp", ".safetensors", ".wav", ".onnx"}


@pytest.fixture(scope="module")
def lines() -> list[tuple[str, int, str]]:
    """File, number and text of each line that git knows, but of this file and of the target's script and test."""
    git = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not in a git repository")
    own = {"tests/test_plain_words.py", "tests/journey.py", "tests/test_journey.py", "LICENSE"}
    names = [name for name in listed.stdout.splitlines() if name not in own and Path(name).suffix not in BINARY]
    return [
        (name, number, line)
        for name in names
        if (ROOT / name).is_file()
        for number, line in enumerate((ROOT / name).read_text(errors="replace").splitlines(), start=1)
    ]


@pytest.mark.parametrize("coined", COINED)
def test_the_terms_of_the_field_are_used(lines, coined):
    word, except_in = re.compile(rf"(?<![\w-])(?:{coined})(?![\w-])", re.I), EXCEPT.get(coined, set())
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, number, line in lines
        if name not in except_in and word.search(TARGET.sub("", line))
    ]
    assert not found, f"say {COINED[coined]} instead:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "line", ["An arm of it", "two rooms", "judge_of(x)", "the twin's", "words: list[str]", "_image_arms"]
)
def test_a_coined_word_is_seen(line):
    assert any(re.search(rf"(?<![\w-])(?:{coined})(?![\w-])", line, re.I) for coined in COINED)


@pytest.mark.parametrize("line", ["charm", "rooms-y", "warmup", "arm64", "harm", "housekeeping", "make journey"])
def test_other_words_are_let_through(line):
    assert not any(re.search(rf"(?<![\w-])(?:{one})(?![\w-])", TARGET.sub("", line), re.I) for one in COINED)
