"""A list of sound files with what is said in them: a table (CSV) or a JSON object a line (JSONL)."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from snn_synth.errors import InputError, brief

MAX_BYTES = 1 << 26
MAX_LINE = 1 << 16  # characters
SEPARATORS = (",", ";", "\t")  # a semicolon where the comma is the decimal point
SPLITS = ("train", "test")


class Row(NamedTuple):
    """One recording of a manifest."""

    path: Path
    label: str
    speaker: str
    """Empty where nobody knows."""
    split: str
    """`train` or `test`; empty if the manifest says nothing of a split."""


def read_manifest(path: str | Path) -> list[Row]:
    r"""The recordings that a manifest lists.

    Its columns, or keys, are `path` and `label`, and if known `speaker` and `split` (`train` or `test`); others are
    ignored. A path is relative to the manifest's folder. The text is UTF-8; a table has a first line of names, and its
    values are separated by commas, semicolons or tabs.

    Args:
        path: of the manifest; JSONL where its first character is `{`.

    Raises:
        InputError: the file cannot be read or is too large, a column is missing, a value is empty or of another kind,
            only some lines have a split, or a file is listed twice or is not there.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "1.wav").touch()
        >>> _ = (folder / "words.csv").write_text("path,label,speaker\n1.wav,cat,ann\n")
        >>> [(row.path.name, *row[1:]) for row in read_manifest(folder / "words.csv")]
        [('1.wav', 'cat', 'ann', '')]
    """
    path = Path(path)
    text = _text(path)
    rows: list[Row] = []
    first_line: dict[Path, int] = {}
    for line, values in (_objects if text.lstrip().startswith("{") else _table)(text, path):
        row = _row(values, path, line)
        if first_line.setdefault(row.path, line) != line:
            raise InputError(
                f"Expected each file once in {path}, got {str(row.path)!r} in lines {first_line[row.path]} and {line}"
            )
        rows.append(row)
    if not rows:
        raise InputError(f"Expected recordings in {path}, got none")
    with_split = sum(bool(row.split) for row in rows)
    if with_split not in (0, len(rows)):
        raise InputError(f"Expected the split of all lines in {path} or of none, got {with_split} of {len(rows)}")
    missing = [row.path for row in rows if not row.path.is_file()]
    if missing:
        raise InputError(
            f"Expected the files that {path} lists, found no file at {str(missing[0])!r}"
            + (f" and {len(missing) - 1} others of {len(rows)}" if len(missing) > 1 else "")
        )
    return rows


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"Expected a manifest that can be read, got {path} ({error.strerror})") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"Expected a manifest of at most {MAX_BYTES:,} bytes, got more in {path}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"Expected a manifest in UTF-8, got {path} ({brief(error)}): save it as UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _table(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and values by column of a CSV."""
    header, found = text.partition("\n")[0], []
    for separator in SEPARATORS:
        found = [name.strip().lower() for name in next(csv.reader([header[:MAX_LINE]], delimiter=separator), [])]
        if "path" in found and "label" in found:
            break
    else:
        raise InputError(f"Expected the columns path and label in the first line of {path}, got {header[:80]!r}")
    repeated = {name for name in found if name and found.count(name) > 1}
    if repeated:
        raise InputError(f"Expected each column once in {path}, got {sorted(repeated)[0]!r} again")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        next(lines)
        for values in lines:
            if any(value.strip() for value in values):
                yield lines.line_num, dict(zip(found, values, strict=False))
    except csv.Error as error:
        raise InputError(f"Expected a table in CSV, got line {lines.line_num} of {path} ({brief(error)})") from error


def _objects(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and objects of a JSONL."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            raise InputError(f"Expected lines of at most {MAX_LINE:,} characters, got more in line {number} of {path}")
        try:
            values = json.loads(line)
        except RecursionError:
            raise InputError(f"Expected a JSON object a line, got line {number} of {path}, nested too deep") from None
        except ValueError as error:  # of JSON's grammar, or of a number with too many digits
            raise InputError(f"Expected a JSON object a line, got line {number} of {path} ({brief(error)})") from None
        if not isinstance(values, dict):
            raise InputError(f"Expected a JSON object a line, got {type(values).__name__} in line {number} of {path}")
        yield number, values


def _row(values: Mapping[str, Any], manifest: Path, line: int) -> Row:
    path, label, speaker, split = (_value(values, name, manifest, line) for name in Row._fields)
    label, speaker = (" ".join(unicodedata.normalize("NFC", name).split()) for name in (label, speaker))
    split = split.lower()
    for name, value in (("path", path), ("label", label)):
        if not value:
            raise InputError(f"Expected a {name} in line {line} of {manifest}, got none")
    if "://" in path or "\0" in path:
        raise InputError(f"Expected the path of a file in line {line} of {manifest}, got {path[:200]!r}")
    if split and split not in SPLITS:
        raise InputError(f"Expected train or test as split in line {line} of {manifest}, got {split[:80]!r}")
    return Row(manifest.parent / path, label, speaker, split)


def _value(values: Mapping[str, Any], name: str, manifest: Path, line: int) -> str:
    """A text, or a whole number as one: a digit is as good a label."""
    value = values.get(name)
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InputError(f"Expected a text as {name} in line {line} of {manifest}, got {type(value).__name__}")
    return str(value).strip()
