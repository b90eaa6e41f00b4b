"""The changes that `make mutants` makes, and the list of those that change nothing."""

import ast
from pathlib import Path

from tests import changes

EQUIVALENT = Path(__file__).with_name("mutants-equivalent.txt").read_text().splitlines()
SOURCE = '''
LIMIT: tuple[int, 5] = 2

def half(x: "int = 3") -> float:
    """Half of 4 is 2."""
    if not 0 <= x < LIMIT:
        raise ValueError(f"got {x + 1}")
    print(*zip([x], strict=True))
    return x / 2
'''
EXPECTED = [
    ("half: if not 0 <= x < LIMIT: -> if not not 0 <= x < LIMIT:", 6),
    ("half: not 0 <= x < LIMIT -> 0 <= x < LIMIT", 6),
    ("half: 0 <= x < LIMIT -> 0 < x < LIMIT", 6),
    ("half: 0 <= x < LIMIT -> 0 > x < LIMIT", 6),
    ("half: 0 <= x < LIMIT -> 0 <= x <= LIMIT", 6),
    ("half: 0 <= x < LIMIT -> 0 <= x >= LIMIT", 6),
    ("half: 0 <= x < LIMIT -> 1 <= x < LIMIT", 6),
    ("half: 0 <= x < LIMIT -> -1 <= x < LIMIT", 6),
    ("half: raise ValueError(f'got {x + 1}') -> pass", 7),
    ("half: print(*zip([x], strict=True)) -> pass", 8),
    ("half: x / 2 -> x * 2", 9),
    ("half: x / 2 -> x / 3", 9),
    ("half: x / 2 -> x / 1", 9),
]


def test_what_is_changed_and_what_is_left_alone(tmp_path, monkeypatch):
    """Comparisons, operators, numbers, conditions and statements; no words, types or messages."""
    (tmp_path / "toy.py").write_text(SOURCE)
    monkeypatch.setattr(changes, "PACKAGE", tmp_path)
    found = list(changes.mutants("toy.py"))
    inside = [(mutant.name.removeprefix("toy.py, "), mutant.line) for mutant in found if mutant.function]
    assert inside == EXPECTED
    assert [(m.change, m.line) for m in found if not m.function] == [("2 -> 3", 2), ("2 -> 1", 2)]
    whole = ast.unparse(ast.parse(SOURCE))
    for mutant in found:
        assert mutant.source != whole
        differing = sum(a != b for a, b in zip(whole.splitlines(), mutant.source.splitlines(), strict=True))
        assert differing == 1


def test_each_change_in_the_list_can_still_be_made():
    lines = [line.split(" # ") for line in EQUIVALENT if not line.startswith("#")]
    modules = {name.split(",")[0] for name, _ in lines}
    possible = {name for module in modules for name in changes.names(module)}
    assert {name.strip() for name, _ in lines} <= possible
