import time

import pytest
import yaml

from snn_synth.errors import InputError
from snn_synth.parsing import read_json, read_yaml
from tests.fuzz.harness import bounded

LISTS = "\n".join(["a0: &a0 [x, x]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40))])
# PyYAML itself copies what is merged: forty lines of this fill all memory in yaml.safe_load.
MERGES = "\n".join(["a0: &a0 {k: x}", *(f"a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 40))])


def refusal(read, path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    start = time.monotonic()
    with pytest.raises(InputError) as caught, bounded():
        read(path)
    assert time.monotonic() - start < 2
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (LISTS, "aliases"),
        (MERGES, "aliases"),
        ("a: &a [*a]", "inside of what it refers to"),
        ("a: &a {<<: *a}", "inside of what it refers to"),
        ("[" * 100_000, "nest"),  # PyYAML's own word from 6.0.4 on
        ("- " * 100_000, "nested"),
        ("{a: " * 100_000, "nested"),
        ("a: " + "9" * 5000, "without quotes"),
        ("a: " + "1:" * 5000 + "1", "without quotes"),
        ('a: !!int "' + "1:" * 300_000 + '1"', "under a tag"),
        ("x" * 2_000_000, "bytes"),
        ("a: !!python/object/apply:os.system [ls]", "python/object/apply:os.system"),
        ("a: !!int x", "does not fit its tag"),
        ("a: !!timestamp x", "does not fit its tag"),
        ("a: 2001-13-45", "does not fit its tag"),
        ("a: *b", "alias"),
        (b"\xff\xfe\x00", "YAML"),
    ],
)
def test_yaml_beyond_bounds_is_refused_in_one_sentence(content, named, tmp_path):
    assert named in refusal(read_yaml, tmp_path / "a.yaml", content)


@pytest.mark.skipif(
    tuple(map(int, yaml.__version__.split(".")[:3])) >= (6, 0, 4), reason="PyYAML bounds what merges take"
)
def test_the_merges_would_fill_the_memory(monkeypatch):
    monkeypatch.setattr("tests.fuzz.harness.SECONDS", 1)
    with pytest.raises((MemoryError, TimeoutError)), bounded():
        yaml.safe_load(MERGES)


def test_an_alias_that_is_used_again_is_plain_data(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "base: &base {lr: 1e-3, sizes: &s [1, 2]}\nmine: {<<: *base, lr: 2.0, again: *s}\n"
    )
    assert read_yaml(tmp_path / "a.yaml")["mine"] == {"lr": 2.0, "sizes": [1, 2], "again": [1, 2]}


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("[" * 100_000, "nested"),
        ("1" * 5000, "4300 digits"),
        ("{", "JSON"),
        (b"\xff", "utf-8"),
        (b" " * 2**21, "bytes"),
    ],
)
def test_json_beyond_bounds_is_refused_in_one_sentence(content, named, tmp_path):
    assert named in refusal(lambda path: read_json(path, "a model's description"), tmp_path / "a.json", content)
