import pytest
import torch

from snn_synth.data import find_words
from snn_synth.data.recording import recording_faults


def tone(seconds, rate=8000, peak=0.5):
    """A tone that swells and fades."""
    time = torch.arange(int(seconds * rate)) / rate
    return peak * (6.2832 * 300 * time).sin() * (3.1416 * time / seconds).sin()


def test_a_word_that_is_cut_tight_is_no_fault():
    word = tone(0.5)
    assert recording_faults(word, 8000, [(0, len(word))]) == []


@pytest.mark.parametrize(("share", "said"), [(0.01, []), (0.12, ["clipped: 12 % of the samples are at full scale"])])
def test_samples_at_full_scale_are_counted(share, said):
    sound = tone(0.5)
    sound[: int(share * len(sound))] = -1
    assert recording_faults(sound, 8000, [(80, len(sound))]) == said


def test_a_peak_of_a_few_steps():
    sound = tone(0.5, peak=4e-4)
    assert recording_faults(sound, 8000, [(0, 4000)]) == ["nearly silent: the peak is 0.0004 of full scale"]


def test_words_that_are_long_or_short():
    sound = torch.cat([torch.zeros(800), tone(3), torch.zeros(800)])
    said = recording_faults(sound, 8000, [(800, 1200), (2000, 18000), (19000, 23000)])
    assert said == [
        "long: a word of 2.0 s, or several words without 0.2 s of pause between them",
        "short: a word of 0.05 s",
    ]


def test_two_words_with_less_than_a_pause_between_them_are_called_one_or_several():
    sound = torch.cat([torch.zeros(8000), tone(0.6), torch.zeros(1000), tone(0.6), torch.zeros(8000)])
    (fault,) = recording_faults(sound, 8000, find_words(sound, 8000))
    assert fault == "long: a word of 1.3 s, or several words without 0.2 s of pause between them"
    apart = torch.cat([torch.zeros(8000), tone(0.6), torch.zeros(2400), tone(0.6), torch.zeros(8000)])
    assert recording_faults(apart, 8000, find_words(apart, 8000)) == []


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(0.8, ""), (2.5, ": background, or several words without 0.2 s of pause between them")],
)
def test_background_in_which_nothing_could_be_trimmed(seconds, why):
    noise = 0.2 * torch.randn(int(8000 * seconds), generator=torch.Generator().manual_seed(0))
    sound = (noise + 0.3 * tone(seconds)).clamp(-0.9, 0.9)
    assert recording_faults(sound, 8000, [(0, len(sound))]) == [
        f"nothing could be trimmed: sound from the first to the last sample, {seconds:.1f} s{why}"
    ]


def test_a_sound_of_less_than_a_frame():
    assert recording_faults(torch.full((40,), 0.5), 8000, [(0, 40)]) == ["short: a word of 0.01 s"]


@pytest.mark.parametrize(("samples", "said"), [(800, []), (799, ["short: a word of 0.10 s"])])
def test_a_tenth_of_a_second_is_not_short(samples, said):
    assert recording_faults(tone(2), 8000, [(0, samples), (2000, 6000)]) == said


def test_a_second_is_not_long():
    assert recording_faults(tone(2), 8000, [(0, 8000), (8000, 12000)]) == []
    assert recording_faults(tone(1), 8000, [(0, 8000)]) == []
    (said,) = recording_faults(tone(2), 8000, [(0, 8001), (9000, 12000)])
    assert said.startswith("long: a word of 1.0 s")


def test_silence_all_through():
    assert recording_faults(torch.zeros(8000), 8000, [(0, 8000)]) == [
        "nearly silent: the peak is 0 of full scale",
        "nothing could be trimmed: sound from the first to the last sample, 1.0 s",
    ]


@pytest.mark.parametrize(("rate", "hop"), [(44_100, 441), (8000, 80), (50, 1)])
def test_trimmed_is_what_lacks_two_hundredths_of_a_second(rate, hop):
    sound = tone(3, rate)[: -hop // 2 or None]
    for kept, start in ((len(sound) - 2 * hop, "long: a word"), (len(sound) - 2 * hop + 1, "nothing could be trimmed")):
        (said,) = recording_faults(sound, rate, [(0, kept)])
        assert said.startswith(start)


@pytest.mark.parametrize(("decibel", "faults"), [(14.5, 1), (15.5, 0)])
def test_background_is_less_than_15_decibels_below_the_loudest(decibel, faults):
    """A tenth of the frames is so quiet; what is left of a last frame does not count."""
    frames = torch.full((50,), 0.5)
    frames[::10] *= 10 ** (-decibel / 20)
    sound = torch.cat([frames.repeat_interleave(80), torch.zeros(30)])
    assert len(recording_faults(sound, 8000, [(0, len(sound))])) == faults


def test_full_scale_begins_a_thousandth_below_it():
    sound = tone(0.5)
    sound[:480] = 0.999
    assert recording_faults(sound, 8000, [(80, len(sound))]) == ["clipped: 12 % of the samples are at full scale"]
