"""Lyon's model against a plain loop over samples and channels, after the text of the Auditory Toolbox."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from snn_synth.data import LyonCochleagram
from snn_synth.data.frontends import lyon
from snn_synth.data.frontends.passive_ear import automatic_gain, design_filters, passive_ear
from snn_synth.errors import InputError

RATE, Q, STEP = 12500, 8.0, 0.5


def second_order(f, q, fs):
    rho = math.exp(-math.pi * f / fs / q)
    theta = 2 * math.pi * f / fs * math.sqrt(1 - 1 / (4 * q * q))
    return [1.0, -2 * rho * math.cos(theta), rho * rho]


def with_gain(b, a, gain, f, fs):
    """Toolbox: SetGain; the response of a filter at z = exp(2 pi i f / fs)."""
    z = complex(math.cos(2 * math.pi * f / fs), math.sin(2 * math.pi * f / fs))
    response = abs((b[0] + b[1] / z + b[2] / z**2) / (a[0] + a[1] / z + a[2] / z**2))
    return [x * gain / response for x in b]


def toolbox_centres(fs, q, step):
    top = fs / 2 - math.hypot(fs / 2, 1000) / q * step * 1.5 + math.hypot(fs / 2, 1000) / q * step
    low = 1000 / math.sqrt(4 * q * q - 1)
    count = math.floor(q * (-math.log(low + math.hypot(low, 1000)) + math.log(top + math.hypot(top, 1000))) / step)
    t = top + math.hypot(top, 1000)
    return top, [(-math.exp(n * step / q) * 1000**2 / t + t / math.exp(n * step / q)) / 2 for n in range(1, count + 1)]


def toolbox_filters(fs, q, step):
    """Toolbox: DesignLyonFilters."""
    top, centres = toolbox_centres(fs, q, step)
    stages = []
    for n, f in enumerate(centres):
        width = math.hypot(f, 1000) / q
        zero = f + width * step * 1.5
        b, a = second_order(zero, 5 * zero / width, fs), second_order(f, f / width, fs)
        left = max(n, 1)
        stages.append((with_gain(b, a, centres[left - 1] / centres[left], 0, fs), a))
    first = ([0, 1, -math.exp(-2 * math.pi * 300 / fs)], [1, 0, 0])
    second = ([1, 0, -1], second_order(top, centres[0] / (math.hypot(centres[0], 1000) / q), fs))
    front = [(with_gain(b, a, 1, fs / 4, fs), a) for b, a in (first, second)]
    return front + stages, centres


def toolbox_agc(x, state, target, epsilon):
    """Toolbox: agc.c, one sample of one stage; changes `state`."""
    y = []
    previous = state[0]
    for c in range(len(x)):
        y.append(abs(x[c] * (1 - state[c])))
        right = state[c + 1] if c < len(x) - 1 else state[c]
        f = y[c] * epsilon / target + (1 - epsilon) / 3 * (previous + state[c] + right)
        previous, state[c] = state[c], min(f, 0.9)
    return y


def toolbox_ear(sound, fs, q, step, decimation, tau_factor):
    """Toolbox: LyonPassiveEar, without its test hack."""
    stages, centres = toolbox_filters(fs, q, step)
    n = len(stages)
    xs, ys = np.zeros((n, 2)), np.zeros((n, 2))  # the two last inputs and outputs of each stage
    gains = [[0.0] * n for _ in range(4)]
    smooth = np.zeros((n, 2))
    pole = math.exp(-1 / (decimation * tau_factor))  # 1 - EpsilonFromTauFS(df / fs * taufactor, fs)
    late = np.zeros((n, 2))
    frames = []
    for t, x in enumerate(sound):
        taps = []
        for k, (b, a) in enumerate(stages):
            y = b[0] * x + b[1] * xs[k, 0] + b[2] * xs[k, 1] - a[1] * ys[k, 0] - a[2] * ys[k, 1]
            xs[k], ys[k] = (x, xs[k, 0]), (y, ys[k, 0])
            taps.append(y)
            x = y
        out = [max(0.0, y) for y in taps]
        for state, tau, target in zip(gains, (0.64, 0.16, 0.04, 0.01), (0.0032, 0.0016, 0.0008, 0.0004), strict=True):
            out = toolbox_agc(out, state, target, 1 - math.exp(-1 / tau / fs))
        out = [out[0], *(max(0.0, left - right) for left, right in pairwise(out))]
        if decimation > 1:
            for k in range(n):
                y = (1 - pole) ** 2 * late[k, 1] + 2 * pole * smooth[k, 0] - pole**2 * smooth[k, 1]
                late[k], smooth[k] = (out[k], late[k, 0]), (y, smooth[k, 0])
                out[k] = y
        if t % decimation == decimation - 1:
            frames.append(out[2:])
    return np.array(frames).T, centres


@pytest.mark.parametrize("decimation", [1, 2, 8])
@pytest.mark.parametrize(("rate", "step"), [(RATE, STEP), (8000, 0.25)])
def test_the_ear_equals_the_loop(decimation, rate, step):
    time = np.arange(700) / rate
    sound = 0.3 * np.sin(2 * np.pi * 900 * time) + 0.1 * np.random.default_rng(0).standard_normal(700)
    expected, centres = toolbox_ear(sound, rate, Q, step, decimation, tau_factor=3.0)
    found = passive_ear(sound, rate, Q, step, decimation, tau_factor=3.0)
    assert found.shape == (len(centres), 700 // decimation)
    assert np.abs(found - expected).max() < 1e-10 * np.abs(expected).max()
    assert expected.max() > 0


def test_the_papers_39_channels():
    assert len(design_filters(12500, ear_q=8, step_factor=0.5)[2]) == 39
    assert LyonCochleagram().shape == (39, 1500)


def test_neighbours_are_one_step_apart():
    """The closed form solves: integral of 1 / bandwidth between neighbouring centres = step factor."""
    centres = design_filters(RATE, Q, STEP)[2]
    for high, low in pairwise(centres):
        steps, _ = quad(lambda f: Q / np.hypot(f, 1000), low, high)
        assert steps == pytest.approx(STEP, rel=1e-9)
    assert centres[-1] > 1000 / np.sqrt(4 * Q**2 - 1)


def test_the_gain_control_holds_a_steady_sound_down():
    """At rest in one stage with equal channels: y = x (1 - s) and s = y / g, so y = x g / (g + x)."""
    sound = np.full((40_000, 5), 0.001)
    found = automatic_gain(sound, np.array([0.0016]), np.array([1e-3]))
    assert found[0, 0] == 0.001
    assert found[-1] == pytest.approx(0.001 * 0.0016 / (0.0016 + 0.001), rel=1e-9)


@pytest.mark.parametrize("frequency", [200, 500, 1000, 2500])
def test_a_tone_excites_its_place_on_the_cochlea(frequency):
    tone = torch.sin(2 * torch.pi * frequency * torch.arange(6250) / RATE)
    picture = LyonCochleagram()(tone, RATE)
    centres = design_filters(RATE, Q, STEP)[2][::-1]
    assert abs(int(picture.mean(1).argmax()) - int(np.abs(centres - frequency).argmin())) <= 2


@pytest.mark.parametrize("setting", ["decimation", "ear_q", "step_factor", "tau_factor", "level"])
def test_settings_are_positive(setting):
    with pytest.raises(InputError, match=setting):
        LyonCochleagram(**{setting: 0})


@pytest.mark.parametrize("settings", [{"sample_rate": 100}, {"step_factor": 60.0}])
def test_too_few_channels(settings):
    with pytest.raises(InputError, match="at least 2 channels"):
        LyonCochleagram(**settings)


@pytest.mark.parametrize("q", [0.51, 0.6, 0.8, 1.0, 2.0, 8.0, 30.0])
def test_filters_are_the_toolboxs_at_any_setting(q):
    for rate in (6000, 48_000):
        for step in (0.02, 0.1, 0.25):
            if not 2 <= len(toolbox_centres(rate, q, step)[1]) <= 300:
                continue
            stages, centres = toolbox_filters(rate, q, step)
            numerators, denominators, found = design_filters(rate, q, step)
            assert found == pytest.approx(np.array(centres), rel=1e-9)
            assert numerators == pytest.approx(np.array([b for b, _ in stages]), rel=1e-7, abs=1e-9)
            assert denominators == pytest.approx(np.array([a for _, a in stages]), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("channels", "taken"), [(1, False), (2, True), (1000, True), (1001, False)])
def test_from_2_to_1000_channels(channels, taken):
    low, high = 1e-3, 100.0  # of the step; the more of it, the fewer channels
    while (count := len(toolbox_centres(RATE, Q, step := (low + high) / 2)[1])) != channels:
        low, high = (low, step) if count < channels else (step, high)
    if taken:
        assert len(design_filters(RATE, Q, step)[2]) == LyonCochleagram(step_factor=step).shape[0] == channels
    else:
        with pytest.raises(InputError, match="at least 2 channels and at most 1000"):
            design_filters(RATE, Q, step)


def test_the_picture_is_the_ears_with_low_frequencies_first():
    sound = torch.randn(800, generator=torch.Generator().manual_seed(0))
    ear = passive_ear(0.3 * sound.double().numpy(), RATE, 6.0, STEP, 4, 2.0)
    found = LyonCochleagram(decimation=4, ear_q=6.0, tau_factor=2.0, level=0.3).analyse(sound)
    assert torch.allclose(found, torch.from_numpy(ear[::-1] / ear.max()), rtol=1e-9)


@pytest.mark.parametrize("samples", [1, 7, 8, 15, 16, 17])
def test_a_frame_for_each_whole_decimation_and_one_for_a_click(samples):
    assert LyonCochleagram().analyse(torch.ones(samples)).shape == (39, max(1, samples // 8))


def test_a_sound_may_have_as_many_points_as_the_limit(monkeypatch):
    assert 34 < lyon.MAX_POINTS / 39 / RATE < 35  # seconds
    monkeypatch.setattr(lyon, "MAX_POINTS", 39 * 100)
    assert LyonCochleagram().analyse(torch.ones(100)).shape == (39, 12)
    with pytest.raises(InputError, match="at most 3900, got 101 samples and 39 channels"):
        LyonCochleagram().analyse(torch.ones(101))


def test_an_ear_that_hears_nothing_shows_nothing():
    assert torch.equal(LyonCochleagram().analyse(torch.zeros(80)), torch.zeros(39, 10, dtype=torch.double))
