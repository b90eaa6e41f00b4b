import json

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from snn_synth import plot
from snn_synth.cli import main
from snn_synth.cli.devices import find_device
from snn_synth.cli.synthesize import output_files
from snn_synth.data import MelSpectrogram, build_front_end, read_audio
from snn_synth.errors import InputError
from snn_synth.experiments.hearing import hear
from snn_synth.experiments.synthesis import check_steps, draw, load
from snn_synth.models import ACSNN, AESNN, AudioToImage
from snn_synth.training import LitAudiocoder, load_checkpoint

from .conftest import save, vowel


def synthesize(checkpoint, out, *words):
    return main(["synthesize", "--checkpoint", str(checkpoint), "--out", str(out), *map(str, words)])


def frames(path):
    """The frames of a GIF as arrays."""
    with Image.open(path) as gif:
        pictures = []
        for t in range(gif.n_frames):
            gif.seek(t)
            pictures.append(np.asarray(gif.convert("L")))
    return pictures


def test_the_four_pictures_of_a_word(checkpoint, word, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    assert synthesize(checkpoint, out, word) == 0
    names = ["heard.json", "seven-forming.gif", "seven-spectrogram.png", "seven-spikes.png", "seven.png"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert f"Wrote heard.json and 4 pictures into {out}" in capsys.readouterr().out
    assert len(frames(out / "seven-forming.gif")) == 9, "one frame for each time step of the training"


def test_the_last_frame_is_the_image_that_the_model_draws(checkpoint, word, tmp_path):
    assert synthesize(checkpoint, tmp_path / "out", word, "--num-steps", 12, "--seed", 3) == 0
    module = load_checkpoint(LitAudiocoder, checkpoint)
    picture = MelSpectrogram(channels=8, frames=10)(*read_audio(word))
    generator = torch.Generator().manual_seed(3)
    drawn = module.audio_to_image().synthesize(picture[None], num_steps=12, generator=generator)
    assert 0 < drawn.mean() < 1, "the test needs a model that draws something"
    forming = frames(tmp_path / "out" / "seven-forming.gif")
    assert len(forming) == 12
    shown = forming[-1][: 28 * 8, : 28 * 8][4::8, 4::8] / 255
    np.testing.assert_allclose(shown, drawn[0, 0].numpy(), atol=0.01)


def test_a_checkpoint_says_how_its_model_is_run(tmp_path):
    module = LitAudiocoder(ACSNN(80, 24, 12), num_steps=9, max_rate=0.5, seed=3, code="even")
    module.adopt(AESNN(784, 12))
    source = load(save(module, tmp_path / "audiocoder.ckpt"))
    assert (source.num_steps, source.max_rate, source.seed, source.code) == (9, 0.5, 3, "even")


def test_without_a_checkpoint_the_shipped_pair_draws(word, tmp_path):
    assert main(["synthesize", "--out", str(tmp_path / "out"), str(word)]) == 0
    model = AudioToImage.from_pretrained("fsdd")
    picture = build_front_end(model.front_end)(*read_audio(word))
    drawn = model.synthesize(picture[None], generator=torch.Generator().manual_seed(0))
    assert drawn.mean() > 0
    forming = frames(tmp_path / "out" / "seven-forming.gif")
    shown = forming[-1][: 28 * 8, : 28 * 8][4::8, 4::8] / 255
    np.testing.assert_allclose(shown, drawn[0, 0].numpy() / drawn.max().item(), atol=0.01)


def test_the_same_word_at_two_rates_gives_the_same_spectrogram(checkpoint, tmp_path):
    phone, studio = tmp_path / "phone.wav", tmp_path / "studio.wav"
    soundfile.write(phone, vowel(8000), 8000, subtype="PCM_16")
    left = vowel(44100)
    soundfile.write(studio, np.stack([0.6 * left, 0.2 * left], axis=1), 44100, subtype="FLOAT")
    assert soundfile.info(studio).channels == 2
    assert synthesize(checkpoint, tmp_path / "out", phone, studio) == 0
    pictures = [
        np.asarray(Image.open(tmp_path / "out" / f"{n}-spectrogram.png").convert("L")) for n in ("phone", "studio")
    ]
    difference = np.abs(pictures[0].astype(float) - pictures[1].astype(float))
    assert difference.mean() < 5
    assert pictures[0].std() > 20, "the test needs a spectrogram that is not flat"


def test_an_image_does_not_depend_on_its_companions(checkpoint, word, tmp_path):
    other = tmp_path / "other.wav"
    soundfile.write(other, vowel(16000)[::-1], 16000)
    assert synthesize(checkpoint, tmp_path / "alone", word) == 0
    assert synthesize(checkpoint, tmp_path / "together", other, word) == 0
    for name in ("seven.png", "seven-spikes.png", "seven-forming.gif"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "together" / name).read_bytes()


def test_the_seed_changes_the_spikes_and_not_the_spectrogram(checkpoint, word, tmp_path):
    assert synthesize(checkpoint, tmp_path / "a", word, "--seed", 1) == 0
    assert synthesize(checkpoint, tmp_path / "b", word, "--seed", 2) == 0
    assert (tmp_path / "a" / "seven-spikes.png").read_bytes() != (tmp_path / "b" / "seven-spikes.png").read_bytes()
    same = [(tmp_path / folder / "seven-spectrogram.png").read_bytes() for folder in "ab"]
    assert same[0] == same[1]


@pytest.mark.parametrize(("first", "second"), [("seven.wav", "seven.flac"), ("a.wav", "a-spikes.wav")])
def test_no_picture_overwrites_another(first, second, checkpoint, tmp_path, refused):
    (tmp_path / "deep").mkdir()
    files = [tmp_path / first, tmp_path / "deep" / second]
    for file in files:
        soundfile.write(file, vowel(8000), 8000)
    message = refused("synthesize", "--checkpoint", checkpoint, "--out", tmp_path / "out", *files)
    assert all(str(file) in message for file in files)


def test_where_the_pictures_go(tmp_path):
    [paths] = output_files([tmp_path / "two.words.wav"], tmp_path)
    assert {path.name for path in paths.values()} == {
        "two.words.png",
        "two.words-spectrogram.png",
        "two.words-spikes.png",
        "two.words-forming.gif",
    }


def test_a_folder_that_save_pretrained_wrote(word, tmp_path, refused):
    front_end = MelSpectrogram(channels=8, frames=10).config()
    model = AudioToImage(ACSNN(80, 24, 12), AESNN(784, 12), front_end=front_end)
    model.save_pretrained(tmp_path / "saved")
    assert synthesize(tmp_path / "saved", tmp_path / "out", word, "--num-steps", 4) == 0
    assert len(frames(tmp_path / "out" / "seven-forming.gif")) == 4
    model.autoencoder.save_pretrained(tmp_path / "half")
    message = refused("synthesize", "--checkpoint", tmp_path / "half", "--out", tmp_path / "none", word)
    assert "Expected a saved AudioToImage, which draws from sound, got" in message
    assert "AESNN" in message


@pytest.mark.parametrize("num_steps", [10**9, 223_696, 5_001])
def test_a_checkpoint_that_asks_for_time_without_end(num_steps, word, tmp_path, refused):
    module = LitAudiocoder(ACSNN(80, 24, 12), num_steps=num_steps)
    module.front_end = MelSpectrogram(channels=8, frames=10).config()
    module.adopt(AESNN(784, 12))
    path = save(module, tmp_path / "long.ckpt")
    message = refused("synthesize", "--checkpoint", path, "--out", tmp_path / "none", word)
    assert "Expected at most" in message
    assert str(num_steps) in message
    assert not (tmp_path / "none").exists()


def test_many_time_steps_are_bounded_by_what_is_drawn_of_them():
    shipped = load("fsdd")
    loud = torch.ones(1, shipped.model.audiocoder.inputs)
    with pytest.raises(InputError, match=r"Expected at most .* time steps"):
        check_steps(shipped._replace(num_steps=1_000), 1, float(loud.sum()))
    check_steps(shipped._replace(num_steps=500), 1, 0.2 * float(loud.sum()))
    with pytest.raises(InputError, match=r"Expected at most 67 time steps .* got 500"):
        check_steps(shipped._replace(num_steps=500), 20, 20 * 0.2 * float(loud.sum()))
    assert len(draw(shipped._replace(num_steps=500), 0.2 * loud).output_spikes) == 500


def heard(out):
    return json.loads((out / "heard.json").read_text())


def record(path, *sounds, rate=8000, pause=0.5):
    """Sounds with pauses before, between and after them."""
    quiet = np.zeros(int(pause * rate))
    soundfile.write(path, np.concatenate([quiet, *(part for one in sounds for part in (one, quiet))]), rate)
    return path


def test_a_line_says_what_was_heard_and_json_how_sure(checkpoint, word, tmp_path, capsys):
    out = tmp_path / "out"
    assert synthesize(checkpoint, out, word) == 0
    line = capsys.readouterr().out.splitlines()[0]
    said = heard(out)
    assert (said["checkpoint"], said["num_steps"], said["seed"]) == (str(checkpoint), 9, 0)
    [file] = said["files"]
    assert (file["file"], file["sample_rate"]) == (str(word), 8000)
    assert file["seconds"] == pytest.approx(0.9, abs=0.01)
    assert all((out / name).is_file() for name in file["pictures"].values())
    [only] = file["words"]
    assert 0.15 < only["start"] < only["end"] < 0.75
    module = load_checkpoint(LitAudiocoder, checkpoint)
    model, picture = module.audio_to_image().eval(), MelSpectrogram(channels=8, frames=10)(*read_audio(word))
    drawn = model.synthesize(picture[None], num_steps=9, generator=torch.Generator().manual_seed(0))
    expected = dict(zip(("left", "right", "go"), model.recognize(drawn)[0].tolist(), strict=True))
    assert only["probabilities"] == pytest.approx(expected, abs=1e-4)
    assert only["label"] == max(expected, key=expected.get)
    assert only["probability"] == max(only["probabilities"].values())
    assert line.startswith(f"{word}: {only['label']} (probability 0.")
    if only["probability"] < 0.7:
        assert file["warnings"][0].startswith(f"unsure: {only['label']} or ")
        assert file["warnings"][0] in line


def test_several_words_become_a_row_each_as_it_would_be_alone(checkpoint, tmp_path, capsys):
    one, two = vowel(8000)[1600:-1600], vowel(8000)[-1600:1600:-1]
    both, second = record(tmp_path / "both.wav", one, two, one), record(tmp_path / "second.wav", two)
    assert synthesize(checkpoint, tmp_path / "out", both, second) == 0
    files = heard(tmp_path / "out")["files"]
    first, middle, last = files[0]["words"]
    assert first["end"] < middle["start"] < middle["end"] < last["start"]
    assert first["start"] == pytest.approx(0.5, abs=0.1)
    line = capsys.readouterr().out.splitlines()[0]
    assert f"{both}: {first['label']} {middle['label']} {last['label']} (probabilities 0." in line
    row, alone = frames(tmp_path / "out" / "both-forming.gif"), frames(tmp_path / "out" / "second-forming.gif")
    assert (row[0].shape, len(row)) == ((244, 3 * 224), 9)
    np.testing.assert_array_equal(row[-1][:, 224:448], alone[-1])
    np.testing.assert_array_equal(row[-1][:, :224], row[-1][:, 448:])
    with Image.open(tmp_path / "out" / "both.png") as wide, Image.open(tmp_path / "out" / "second.png") as narrow:
        assert wide.width == 3 * narrow.width
    assert len(list((tmp_path / "out").iterdir())) == 9


def test_what_may_be_wrong_with_a_recording_is_said(checkpoint, tmp_path, capsys):
    sound = vowel(8000)
    soundfile.write(tmp_path / "clipped.wav", (30 * sound).clip(-1, 1), 8000)
    soundfile.write(tmp_path / "faint.wav", 5e-4 * sound, 8000)
    soundfile.write(tmp_path / "fine.wav", sound, 8000)
    assert synthesize(checkpoint, tmp_path / "out", *(tmp_path / f"{n}.wav" for n in ("clipped", "faint", "fine"))) == 0
    lines = capsys.readouterr().out.splitlines()
    clipped, faint, fine = (file["warnings"] for file in heard(tmp_path / "out")["files"])
    assert any(one.startswith("clipped: ") for one in clipped)
    assert "; clipped: " in lines[0]
    assert any(one == "nearly silent: the peak is 0.0003 of full scale" for one in faint)
    assert all(one.startswith("unsure") for one in fine)


def test_a_model_without_labels_draws_as_before(word, tmp_path, capsys):
    front_end = MelSpectrogram(channels=8, frames=10).config()
    AudioToImage(ACSNN(80, 24, 12), AESNN(784, 12), front_end=front_end).save_pretrained(tmp_path / "saved")
    assert synthesize(tmp_path / "saved", tmp_path / "out", word, "--num-steps", 4) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{word}: drawn, by a model without labels"
    [file] = heard(tmp_path / "out")["files"]
    assert set(file["words"][0]) == {"start", "end"}


def test_more_words_than_a_row_has_room_for(checkpoint, tmp_path, refused):
    path = record(tmp_path / "many.wav", *[vowel(8000)[1600:-1600]] * 21, pause=0.3)
    message = refused("synthesize", "--checkpoint", checkpoint, "--out", tmp_path / "out", path)
    assert f"Expected at most 20 words in a recording, got 21 in {path}" in message


def test_bad_files_are_named_at_the_end_and_the_others_drawn(checkpoint, word, tmp_path, capsys):
    broken, silent, last = tmp_path / "broken.wav", tmp_path / "silent.wav", tmp_path / "last.wav"
    broken.write_bytes(b"RIFF")
    soundfile.write(silent, np.zeros(8000), 8000)
    soundfile.write(last, vowel(8000), 8000)
    assert synthesize(checkpoint, tmp_path / "out", broken, word, silent, tmp_path / "absent.wav", last) == 2
    said = capsys.readouterr()
    error = said.err.splitlines()[-1]
    assert error.startswith("snn-synth: error: Expected 5 sounds that can be drawn, got 3 that cannot: Expected ")
    assert all(str(tmp_path / f"{name}.wav") in error for name in ("broken", "silent", "absent"))
    assert [line.split(":")[0] for line in said.out.splitlines()[:2]] == [str(word), str(last)]
    assert [file["file"] for file in heard(tmp_path / "out")["files"]] == [str(word), str(last)]
    assert len(list((tmp_path / "out").iterdir())) == 9


def test_where_no_file_can_be_drawn_nothing_is_written(checkpoint, tmp_path, refused):
    broken, silent = tmp_path / "broken.wav", tmp_path / "silent.wav"
    broken.write_bytes(b"RIFF")
    soundfile.write(silent, np.zeros(8000), 8000)
    message = refused("synthesize", "--checkpoint", checkpoint, "--out", tmp_path / "out", broken, silent)
    assert message.startswith("Expected 2 sounds that can be drawn, got 2 that cannot: ")
    alone = refused("synthesize", "--checkpoint", checkpoint, "--out", tmp_path / "out", silent)
    assert alone == f"Expected a sound with a peak of at least 0.0001, got silence in {silent}"


def test_a_mistake_that_no_file_has_is_said_once(checkpoint, word, tmp_path, refused):
    other = tmp_path / "other.wav"
    soundfile.write(other, vowel(8000), 8000)
    message = refused("synthesize", "--checkpoint", checkpoint, "--out", tmp_path, "--num-steps", 0, word, other)
    assert message.startswith("Expected `num_steps` ")
    assert message.count("Expected") == 1


def test_the_pictures_say_what_they_show(checkpoint, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(plot, "save_figure", lambda figure, path, dpi=120: drawn.update({path.name: figure}))
    one, two = vowel(8000)[1600:-1600], vowel(8000)[-1600:1600:-1]
    several, single = record(tmp_path / "several.wav", one, two), record(tmp_path / "single.wav", one)
    assert synthesize(checkpoint, tmp_path / "out", several, single) == 0
    for file in heard(tmp_path / "out")["files"]:
        words = file["words"]
        titles = [
            word["label"]
            if word["probability"] >= 0.7
            else f"{word['label']}? ({int(100 * word['probability']) / 100:.2f})"
            for word in words
        ]
        for kind in ("image", "spectrogram", "spikes"):
            assert [ax.get_title() for ax in drawn[file["pictures"][kind]].axes] == titles
        lengths = [f"frame (10 over {word['end'] - word['start']:.2f} s)" for word in words]
        shown = drawn[file["pictures"]["spectrogram"]].axes
        assert [ax.get_xlabel() for ax in shown] == lengths
        assert shown[0].get_ylabel() == "channel, low ones below"
        raster = drawn[file["pictures"]["spikes"]].axes[0].get_ylabel()
        assert raster == "input neuron: 10 frames\nof each channel, low ones below"


def test_of_several_words_the_unsure_one_is_named():
    model = AudioToImage.from_pretrained("fsdd")
    blend = (model.gallery[8] + model.gallery[3]) / 2
    images = torch.stack([model.gallery[1], blend, model.gallery[9]])
    said = hear(model, images, [])
    assert said.labels[0] == "1"
    assert said.labels[2] == "9"
    (warning,) = said.warnings
    assert warning in ("unsure of word 2: 8 or 3", "unsure of word 2: 3 or 8")
    assert hear(model, images[1:2], []).warnings == [warning.replace(" of word 2", "")]
    assert said.titles[::2] == ["1", "9"]
    assert said.titles[1].startswith(f"{said.labels[1]}? (0.")


def test_a_folder_of_sounds_and_a_folder_in_the_way(checkpoint, word, tmp_path, refused):
    (tmp_path / "sounds").mkdir()
    (tmp_path / "out" / "heard.json").mkdir(parents=True)
    message = refused("synthesize", "--checkpoint", checkpoint, "--out", tmp_path / "out", tmp_path / "sounds")
    assert (
        message
        == f"Expected sound files, got the folder {tmp_path}/sounds: give the files in it, {tmp_path}/sounds/*.wav"
    )
    assert "heard.json" in refused("synthesize", "--checkpoint", checkpoint, "--out", tmp_path / "out", word)


@pytest.mark.parametrize("seed", ["4294967296", "-4294967296", str(10**23)])
def test_a_seed_that_is_too_large(seed, checkpoint, word, tmp_path, refused):
    out = tmp_path / "out"
    message = refused("synthesize", "--checkpoint", checkpoint, "--out", out, f"--seed={seed}", word)
    assert f"a seed of at most 4,294,967,295, got {seed}" in message
    assert not out.exists()


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "tpu", "gpu", "cuda:x", "", "cpu:0", "meta"])
def test_devices_that_are_not_there(device, checkpoint, word, tmp_path, refused, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    words = ("--checkpoint", checkpoint, "--out", tmp_path / "out", "--device", device)
    assert f"Expected a device of this machine, ['cpu'], got {device!r}" in refused("synthesize", *words, word)


def test_the_devices_that_are_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(InputError, match=r"\['cpu', 'cuda', 'cuda:0', 'cuda:1'\], got 'cuda:2'"):
        find_device("cuda:2")
