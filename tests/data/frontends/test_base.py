import gc
import json

import jsonargparse
import pytest
import torch

from snn_synth.data import FrontEnd, LyonCochleagram, MelSpectrogram, build_front_end
from snn_synth.errors import InputError
from tests.fuzz.harness import bounded

KINDS = [MelSpectrogram, LyonCochleagram]
WORD = torch.sin(2 * torch.pi * 500 * torch.arange(4000) / 8000) * torch.hann_window(4000)


class Ramp(FrontEnd):
    """Shows the word's samples, one frame per sample, in two channels."""

    def __init__(self, frames: int = 10, fit: str = "stretch") -> None:
        super().__init__(sample_rate=1000, frames=frames, fit=fit, trim_db=200.0)

    @property
    def shape(self):
        return 2, self.frames

    def analyse(self, waveform):
        return torch.stack([waveform, waveform / 2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("samples", [1, 100, 4000, 40_000])
@pytest.mark.parametrize("rate", [8000, 22050])
def test_any_word_becomes_a_picture_of_the_shape(kind, fit, samples, rate):
    front_end = kind(frames=70, fit=fit)
    picture = front_end(torch.randn(samples, generator=torch.Generator().manual_seed(0)), rate)
    assert picture.shape == front_end.shape == (39, 70)
    assert picture.dtype == torch.float32
    assert 0 <= picture.min() <= picture.max() <= 1
    assert picture.any() or samples == 1


@pytest.mark.parametrize("kind", KINDS)
def test_loudness_and_silence_around_the_word_change_nothing(kind):
    front_end = kind()
    silence = torch.zeros(800)
    picture = front_end(WORD, 8000)
    assert torch.allclose(front_end(0.01 * WORD, 8000), picture, atol=1e-4)
    quiet = torch.cat([silence, WORD, silence])
    if kind.__name__ == "MelSpectrogram":  # resampling for Lyon's model shifts the samples that a frame holds
        assert torch.allclose(front_end(quiet, 8000), picture, atol=1e-4)
    assert (front_end(quiet, 8000) - picture).abs().mean() < 0.02


def test_stretch_is_linear_in_time():
    ramp = torch.linspace(0, 1, 101)[1:]
    assert torch.allclose(Ramp(frames=34)(ramp, 1000)[0], torch.linspace(0.01, 1, 34), atol=1e-6)
    assert torch.allclose(Ramp(frames=500)(ramp, 1000)[1], torch.linspace(0.01, 1, 500) / 2, atol=1e-6)


def test_pad_keeps_the_rate_and_fills_or_cuts():
    ramp = torch.linspace(0, 1, 101)[1:]
    assert torch.equal(Ramp(40, "pad")(ramp, 1000)[0], ramp[:40])
    assert torch.equal(Ramp(130, "pad")(ramp, 1000)[0], torch.cat([ramp, torch.zeros(30)]))


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (torch.zeros(2, 100), r"shape \[samples\], got \[2, 100\]"),
        (torch.zeros(0), r"got \[0\]"),
        (torch.zeros(100), "silence"),
        (torch.tensor([0.1, float("nan")]), "NaN"),
        (torch.tensor([0.1, float("inf")]), "NaN or infinity"),
    ],
)
def test_bad_waveforms(waveform, message):
    with pytest.raises(InputError, match=message):
        MelSpectrogram()(waveform, 8000)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", [{"frames": 0}, {"fit": "squeeze"}, {"trim_db": 0.0}, {"sample_rate": 0}])
def test_bad_settings(kind, setting):
    with pytest.raises(InputError):
        kind(**setting)


@pytest.mark.parametrize("front_end", [MelSpectrogram(frames=51, fit="pad"), LyonCochleagram(decimation=4)], ids=str)
def test_a_config_survives_json_and_gives_the_same_front_end(front_end):
    config = json.loads(json.dumps(front_end.config()))
    again = build_front_end(config)
    assert again.config() == front_end.config()
    assert torch.equal(again(WORD, 8000), front_end(WORD, 8000))


def test_the_command_line_takes_a_front_end_by_class_path():
    parser = jsonargparse.ArgumentParser()
    parser.add_argument("--front_end", type=FrontEnd)
    config = MelSpectrogram(frames=51).config()
    parsed = parser.parse_args([f"--front_end={json.dumps(config)}"])
    front_end = parser.instantiate(parsed).front_end
    assert front_end.config() == config
    parsed = parser.parse_args(["--front_end=snn_synth.data.LyonCochleagram", "--front_end.decimation=4"])
    assert parser.instantiate(parsed).front_end.decimation == 4


@pytest.mark.parametrize("path", ["os.system", "FrontEnd", "nowhere.MelSpectrogram", None])
def test_a_config_runs_no_other_class(path):
    with pytest.raises(InputError, match="Expected a front end among"):
        build_front_end({"class_path": path, "init_args": {}})


def test_an_unknown_setting_is_named():
    with pytest.raises(InputError, match="bands"):
        build_front_end({"class_path": "MelSpectrogram", "init_args": {"bands": 3}})


@pytest.mark.parametrize("config", [None, [], "MelSpectrogram", {"class_path": "MelSpectrogram", "init_args": [1]}])
def test_what_is_no_config_is_told(config):
    with pytest.raises(InputError, match="Expected a front end's class_path and init_args"):
        build_front_end(config)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"frames": "50"}, "`frames` to be a whole number from 1 to 100000, got '50'"),
        ({"hop_ms": float("nan")}, "`hop_ms` to be a number from 0.001 to 10000, got nan"),
        ({"channels": 10**12}, "`channels` to be a whole number from 1 to 10000, got 1000000000000"),
        ({"sample_rate": 384_000, "window_ms": 1000}, "the channels are at most 4194304, got 384000 and 39"),
        ({"frames": 100_000, "channels": 200, "window_ms": 100}, "a picture of at most 16777216 points"),
        ({"sample_rate": 384_000, "hop_ms": 0.001, "window_ms": 10}, "a spectrogram of at most 33554432 points"),
        ({"a\nb": 1}, r"Expected settings of MelSpectrogram among sample_rate, .*, got 'a\\nb'"),
    ],
)
def test_absurd_settings_are_told_before_memory_is_taken(setting, message, monkeypatch):
    monkeypatch.setattr("tests.fuzz.harness.MEMORY", 300 << 20)
    with pytest.raises(InputError, match=message), bounded():
        build_front_end({"class_path": "MelSpectrogram", "init_args": setting})(WORD, 8000)


def test_a_front_end_prints_its_settings():
    assert repr(MelSpectrogram(frames=51)).startswith("MelSpectrogram(sample_rate=8000, channels=39, frames=51")


@pytest.mark.parametrize("kind", KINDS)
def test_a_config_names_the_public_place(kind):
    assert kind().config()["class_path"] == f"snn_synth.data.{kind.__name__}"
    inner = f"{kind.__module__}.{kind.__name__}"
    assert type(build_front_end({"class_path": inner})) is kind


LIMITS = [
    (MelSpectrogram, "sample_rate", 1, 384_000),
    (MelSpectrogram, "frames", 1, 100_000),
    (MelSpectrogram, "trim_db", 1e-6, 1000.0),
    (MelSpectrogram, "channels", 1, 10_000),
    (MelSpectrogram, "window_ms", 1e-3, 10_000.0),
    (MelSpectrogram, "hop_ms", 1e-3, 10_000.0),
    (MelSpectrogram, "dynamic_range_db", 1e-3, 10_000.0),
    (LyonCochleagram, "decimation", 1, 10_000),
    (LyonCochleagram, "ear_q", 0.5, 1000.0),
    (LyonCochleagram, "step_factor", 1e-3, 1000.0),
    (LyonCochleagram, "level", 1e-3, 1000.0),
    (LyonCochleagram, "tau_factor", 1e-3, 1e6),
]


@pytest.mark.filterwarnings("ignore:At least one mel filterbank", "ignore:divide by zero")
@pytest.mark.parametrize(("kind", "setting", "low", "high"), LIMITS, ids=[limit[1] for limit in LIMITS])
def test_a_setting_may_be_its_lowest_and_its_highest_and_no_more(kind, setting, low, high):
    def refused(value):
        try:
            kind(**{setting: value})
        except InputError as error:  # without quotes where the settings do not go together
            return f"Expected `{setting}` to be a" in str(error)
        return False

    below, above = (low - 1, high + 1) if isinstance(low, int) else (low / 2, high + 0.5)
    assert [refused(value) for value in (low, high, below, above, True)] == [False, False, True, True, True]


@pytest.mark.parametrize(("letters", "shown"), [(78, "'" + 78 * "x" + "'"), (79, "'" + 79 * "x" + "...")])
def test_a_wrong_value_is_shown_whole_up_to_80_letters(letters, shown):
    with pytest.raises(InputError) as caught:
        MelSpectrogram(frames=letters * "x")
    assert str(caught.value).endswith(f", got {shown}")


def test_a_picture_may_have_as_many_points_as_the_limit(monkeypatch):
    ramp = torch.linspace(0, 1, 101)[1:]
    monkeypatch.setattr("snn_synth.data.frontends.base.MAX_PIXELS", 80)
    assert Ramp(frames=40)(ramp, 1000).shape == (2, 40)
    with pytest.raises(InputError, match="at most 80 points, got 2 channels x 41 frames"):
        Ramp(frames=41)(ramp, 1000)


def test_a_picture_is_cut_to_between_0_and_1():
    class Beyond(Ramp):
        def analyse(self, waveform):
            return torch.stack([waveform, 3 * waveform])

    found = Beyond(frames=5, fit="pad")(torch.tensor([-1.0, -0.25, 0.25, 0.5, 1.0]), 1000)
    assert torch.allclose(found, torch.tensor([[0, 0, 0.25, 0.5, 1], [0, 0, 0.75, 1, 1]]))


def test_of_two_classes_of_one_name_the_first_is_made():
    later = type("MelSpectrogram", (Ramp,), {})
    assert type(build_front_end({"class_path": "MelSpectrogram", "init_args": {"channels": 20}})) is MelSpectrogram
    assert later.__name__ == MelSpectrogram.__name__
    del later
    gc.collect()  # while there are two, a config that says `MelSpectrogram` is ambiguous, in another test too
    assert "MelSpectrogram" not in {cls.__name__ for cls in Ramp.__subclasses__()}


def test_a_setting_that_must_be_given_is_named():
    class Needy(Ramp):
        def __init__(self, frames: int) -> None:
            super().__init__(frames)

    with pytest.raises(InputError, match=r"Expected settings of Needy, got: .* argument: 'frames'"):
        build_front_end({"class_path": "Needy"})
    assert build_front_end({"class_path": "Needy", "init_args": {"frames": 3}}).frames == 3


def test_what_is_not_given_is_as_documented():
    assert MelSpectrogram().config()["init_args"] == {
        "sample_rate": 8000,
        "channels": 39,
        "frames": 100,
        "fit": "stretch",
        "window_ms": 25,
        "hop_ms": 5,
        "dynamic_range_db": 60,
        "trim_db": 30,
    }
    assert LyonCochleagram().config()["init_args"] == {  # the paper's
        "sample_rate": 12500,
        "frames": 1500,
        "fit": "stretch",
        "decimation": 8,
        "ear_q": 8,
        "step_factor": 0.5,
        "tau_factor": 3,
        "level": 0.1,
        "trim_db": 30,
    }
