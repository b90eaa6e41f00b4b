import json

import pytest

from snn_synth.cli import main
from snn_synth.experiments import robustness
from snn_synth.models import ACSNN, AESNN, AudioToImage
from tests.experiments.test_robustness import FRONT_END, Tones


@pytest.fixture
def saved(tmp_path):
    labels = [str(digit) for digit in range(10)]
    model = AudioToImage(ACSNN(60, 12, 8), AESNN(9, 8), (1, 3, 3), FRONT_END.config(), labels=labels)
    model.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.mark.parametrize("fsdd", [True, False])
def test_numbers_a_picture_and_a_table(saved, tmp_path, monkeypatch, capsys, fsdd):
    words = robustness.Words(Tones(), [0, 15, 30])
    monkeypatch.setattr(robustness, "find_test_words", lambda count: (words if fsdd else None, words))
    out = tmp_path / "out"
    command = ["robustness", "--checkpoint", saved, "--out", str(out), "--num-steps", "4", "--seed", "2"]
    assert main(command) == 0
    found = json.loads((out / "metrics.json").read_text())
    assert len(found["conditions"]) == len(robustness.CONDITIONS) + fsdd
    assert (found["num_steps"], found["seed"], found["checkpoint"]) == (4, 2, saved)
    assert found["command"].startswith("snn-synth robustness --checkpoint")
    assert (out / "robustness.png").read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "background, -20 dB, low-passed" in printed
    assert ("espeak's voices alone" in printed) is not fsdd


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--words", "0"], "at least 1 word, got 0"),
        (["--words", "many"], "robustness --help"),
        (["--num-steps", "0"], "1 to 5000 time steps"),
        (["--checkpoint", "nowhere.ckpt"], "nowhere.ckpt"),
        (["--out", "file"], "got the file file"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(saved, tmp_path, capsys, options, message):
    (tmp_path / "work" / "file").write_text("")
    assert main(["robustness", "--checkpoint", saved, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "work" / "runs").exists()
