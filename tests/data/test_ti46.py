import numpy as np
import pytest
import soundfile

from snn_synth.data import TI46
from snn_synth.errors import InputError


def sphere(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(1250, level), 12500, format="NIST", subtype="PCM_16")
    assert path.read_bytes().startswith(b"NIST_1A")


def level(digit, take):
    return (digit + 1) / 16 + take / 1024


def name(part, speaker, word, take):
    take_name = f"SET{take}" if part == "TRAIN" else f"S{1 + take // 2}T{take % 2}"
    return f"TI20/{part}/{speaker}/{word:02}{speaker}{take_name}.WAV"


@pytest.fixture(params=[str, str.lower], ids=["upper case", "lower case"])
def root(request, tmp_path):
    """Two speakers, 10 training and 16 test takes of words 00 to 11, and the alphabet beside them."""
    for speaker in ("F1", "M8"):
        for word in range(12):
            for part, takes in (("TRAIN", 10), ("TEST", 16)):
                for take in range(takes):
                    path = request.param(name(part, speaker, word, take))
                    sphere(tmp_path / "ti46" / "disc" / path, level(word, take + 10 * (part == "TEST")))
        sphere(tmp_path / "ti46" / "disc" / request.param(f"TI_ALPHA/TRAIN/{speaker}/00{speaker}SET0.WAV"), 0.9)
    return tmp_path


def test_the_layout_of_the_ldc(root):
    data = TI46(root)
    assert data.sample_rate == 12500
    assert len(data) == 2 * 10 * 26
    assert data.labels.bincount().tolist() == [52] * 10
    assert sorted(set(data.speakers)) == ["f1", "m8"]
    assert sorted(data.takes) == sorted(list(range(26)) * 20)
    for index in (0, 25, 26, 259, 260, 519):
        waveform, digit = data[index]
        assert waveform.shape == (1250,)
        assert waveform[0] == pytest.approx(level(digit, data.takes[index]), abs=1 / 32768)
    train, test = data.official_split()
    assert {data.takes[i] for i in train} == set(range(10))
    assert {data.takes[i] for i in test} == set(range(10, 26))
    assert all("train" in data.files[i].as_posix().lower() for i in train)


def test_a_missing_corpus_says_who_licenses_it_and_where_it_goes(tmp_path):
    with pytest.raises(InputError) as caught:
        TI46(tmp_path)
    for part in ("LDC93S9", str(tmp_path / "ti46"), "TI20", "SNN_SYNTH_DATA"):
        assert part in str(caught.value)


def test_a_folder_without_digits_is_told(tmp_path):
    sphere(tmp_path / "ti46" / "TI20" / "TRAIN" / "F1" / "11F1SET0.WAV", 0.5)
    with pytest.raises(InputError, match=r"00F1SET0\.WAV.*found none.*LDC"):
        TI46(tmp_path)


def test_a_truncated_sphere_file_is_named(tmp_path):
    path = tmp_path / "ti46" / "TI20" / "TRAIN" / "F1" / "00F1SET0.WAV"
    sphere(path, 0.5)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"00F1SET0\.WAV"):
        TI46(tmp_path)[0]


def test_only_the_folders_train_and_test_count(tmp_path):
    for part in ("TRAIN", "TEST", "EXTRA"):
        sphere(tmp_path / "ti46" / "TI20" / part / "F1" / "00F1SET0.WAV", 0.5)
    sphere(tmp_path / "ti46" / "TI20" / "TRAIN" / "00F1SET0.WAV", 0.5)
    assert [file.parents[1].name for file in TI46(tmp_path).files] == ["TRAIN", "TEST"]
