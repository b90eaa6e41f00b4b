import json

import pytest

from snn_synth.data import manifest, read_manifest
from snn_synth.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in ("1.wav", "2.wav", "other/3.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def written(folder, content, name="words.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_tables_as_spreadsheets_save_them(folder, separator, end, mark):
    lines = [["Label", " PATH ", "comment", "speaker"], ["cat", "1.wav", "x", "ann"], ["chien d'été", "2.wav", "", ""]]
    text = end.join(separator.join(line) for line in lines) + end + end
    rows = read_manifest(written(folder, mark + text))
    assert rows == [(folder / "1.wav", "cat", "ann", ""), (folder / "2.wav", "chien d'été", "", "")]


def test_json_lines(folder):
    objects = [
        {"path": "1.wav", "label": "cat", "speaker": "ann", "split": "train", "more": {"a": [1]}},
        {"path": str(folder / "other" / "3.wav"), "label": 7, "speaker": None, "split": "TEST"},
    ]
    rows = read_manifest(written(folder, "\n".join(map(json.dumps, objects)), "words.jsonl"))
    assert [tuple(row) for row in rows] == [
        (folder / "1.wav", "cat", "ann", "train"),
        (folder / "other" / "3.wav", "7", "", "test"),
    ]


def test_quotes_and_accents_in_either_form(folder):
    rows = read_manifest(written(folder, 'path,label\n"1.wav","a ""b"", c"\n2.wav,cafe\u0301\n'))
    assert [row.label for row in rows] == ['a "b", c', "caf\u00e9"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "columns path and label in the first line of .*words.csv, got ''"),
        ("path,word\n1.wav,cat\n", "columns path and label in the first line .*, got 'path,word'"),
        ("path,label,path\n1.wav,cat,2.wav\n", "each column once in .*, got 'path' again"),
        ("path,label\n", "Expected recordings in .*words.csv, got none"),
        ("path,label\n1.wav\n", "a label in line 2 of .*words.csv, got none"),
        ("path,label\n1.wav,cat\n,dog\n", "a path in line 3"),
        ("path,label\n1.wav,cat\n./1.wav,dog\n", "each file once in .*, got .*1.wav' in lines 2 and 3"),
        ("path,label\n4.wav,cat\n1.wav,dog\n5.wav,dog", "found no file at '.*4.wav' and 1 others of 3"),
        ("path,label\nother,cat\n", "found no file at '.*other'$"),
        ("path,label\nhttps://example.org/1.wav,cat\n", "path of a file in line 2 .*, got 'https://example.org/1.wav'"),
        ("path,label,split\n1.wav,cat,dev\n", "train or test as split in line 2 .*, got 'dev'"),
        ("path,label,split\n1.wav,cat,train\n2.wav,cat,\n", "split of all lines in .* or of none, got 1 of 2"),
        ('path,label\n1.wav,"' + "x" * 200_000 + '"\n', "table in CSV, got line 2 .*field larger"),
        (b"path,label\n1.wav,\xe9t\xe9\n", "manifest in UTF-8, got .*: save it as UTF-8"),
        ('{"path": "1.wav", "label": "cat"\n', "a JSON object a line, got line 1"),
        ('{"path": "1.wav", "label": "cat"}\n[1]\n', "a JSON object a line, got list in line 2"),
        ('{"path": "1.wav", "label": true}\n', "a text as label in line 1 .*, got bool"),
        ('{"path": ["1.wav"], "label": "cat"}\n', "a text as path in line 1 .*, got list"),
        ('{"path": "1.wav", "label": 1' + "0" * 5000 + "}\n", "a JSON object a line, got line 1"),
        ('{"path": ' + "[" * 50_000 + "\n", "a JSON object a line, got line 1"),
        ('{"path": "' + "x" * 70_000 + '"}\n', "at most 65,536 characters, got more in line 1"),
    ],
)
def test_manifests_that_are_none(folder, content, sentence):
    with pytest.raises(InputError, match=sentence):
        read_manifest(written(folder, content))


def test_a_huge_or_missing_manifest(folder, monkeypatch):
    monkeypatch.setattr(manifest, "MAX_BYTES", 20)
    with pytest.raises(InputError, match="at most 20 bytes"):
        read_manifest(written(folder, "path,label\n1.wav,cat\n"))
    with pytest.raises(InputError, match=r"can be read, got .*none.csv"):
        read_manifest(folder / "none.csv")


def test_a_manifest_and_a_line_may_be_as_long_as_their_limits(folder, monkeypatch):
    assert manifest.MAX_BYTES == 64 * 2**20
    content = "path,label\n1.wav,cat\n"
    monkeypatch.setattr(manifest, "MAX_BYTES", len(content))
    assert len(read_manifest(written(folder, content))) == 1
    monkeypatch.setattr(manifest, "MAX_BYTES", len(content) - 1)
    with pytest.raises(InputError, match=rf"at most {len(content) - 1} bytes, got more"):
        read_manifest(written(folder, content))
    monkeypatch.undo()
    line = json.dumps({"path": "1.wav", "label": "cat"})
    assert len(read_manifest(written(folder, line.ljust(65_536)))) == 1
    with pytest.raises(InputError, match="at most 65,536 characters, got more in line 1"):
        read_manifest(written(folder, line.ljust(65_537)))


def test_columns_without_a_name_may_be_several_and_a_path_is_that_of_a_file(folder):
    rows = read_manifest(written(folder, "path,label,,\n1.wav,cat,x,y\n,,,\n"))
    assert rows == [(folder / "1.wav", "cat", "", "")]
    with pytest.raises(InputError, match=r"path of a file in line 2 .*, got 'a\\x00b'"):
        read_manifest(
            written(folder, json.dumps({"path": "1.wav", "label": "x"}) + '\n{"path": "a\\u0000b", "label": 1}')
        )
