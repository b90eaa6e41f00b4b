"""The static page in headless Chromium, against the same network in Python."""

import json
import os
import shutil
import time

import numpy as np
import pytest
import soundfile
import torch

from snn_synth.data import FSDD, build_front_end, find_words, resample
from snn_synth.encoding import poisson_encode
from snn_synth.experiments.hearing import hear
from snn_synth.experiments.synthesis import draw, load, read_recording
from snn_synth.models import AudioToImage
from tests.web.conftest import microphone
from tests.web.pages import PHONE, TRY_STATUS, WIDE, assert_shown, open_try, picture_try

DREW = f"({TRY_STATUS}.startsWith('It drew') ? {TRY_STATUS} : '')"
ENDED = f"(['It drew', 'This', 'There', 'A ', 'At '].some(w => {TRY_STATUS}.startsWith(w)) ? {TRY_STATUS} : '')"


@pytest.fixture(scope="module")
def page(chromium, try_page):
    with chromium() as browser:
        browser.colours("light", reduced_motion=True)
        open_try(browser, try_page)
        yield browser
        assert browser.outside == []
        assert browser.errors == []


def drawn_of(page, file, status=DREW):
    """What the page says of an uploaded file."""
    page.run(f"{TRY_STATUS.removesuffix('.textContent')}.textContent = ''")
    page.upload("#file", file)
    return page.wait(status, 120)


def test_words_spectrograms_and_spikes_are_those_of_python(page, words):
    network, noise = AudioToImage.from_pretrained("fsdd"), np.random.default_rng(0)
    front_end = build_front_end(network.front_end)
    for digit, rate, loudness in [(0, 22050, 0), (3, 8000, 0), (6, 44100, 0.003), (7, 48000, 0), (8, 11025, 0.01)]:
        samples, own = soundfile.read(words[digit], dtype="float32")
        word = resample(torch.from_numpy(samples), own, rate)
        if loudness:
            word = torch.nn.functional.pad(word, (rate // 2, rate // 2))
            word = word + loudness * torch.from_numpy(noise.standard_normal(len(word))).float()
        spectrogram = front_end(word, rate)
        page.run(f"window.wave = Float32Array.from({json.dumps(word.tolist())}), 0")
        found = page.run(
            f"""(async () => {{
            const {{ findWords, melSpectrogram, poissonSpikes }} = await import('./front-end.js');
            const model = await (await fetch('model.json')).json();
            const shown = Float32Array.from({json.dumps(spectrogram.flatten().tolist())});
            const heard = melSpectrogram(window.wave, {rate}, model.front_end);
            return {{
                words: findWords(window.wave, {rate}, 30),
                spectrogram: [...heard.picture],
                seconds: heard.seconds,
                spikes: [...poissonSpikes(shown, 30, model.key)].join(''),
            }};
            }})()"""
        )
        assert found["words"] == [list(word) for word in find_words(word, rate, 30.0)]
        heard = find_words(resample(word, rate, 8000), 8000, 30.0)
        assert found["seconds"] == [heard[0][0] / 8000, heard[-1][1] / 8000]
        there = torch.tensor(found["spectrogram"]).view_as(spectrogram)
        assert (there - spectrogram).abs().max() < 1e-3
        spikes = poisson_encode(spectrogram.flatten(), 30, generator=torch.Generator().manual_seed(0))
        assert found["spikes"] == "".join(str(int(spike)) for spike in spikes.flatten())


def test_ten_files_become_their_digits_as_in_python(page, words):
    source = load("fsdd")
    for digit, file in enumerate(words):
        assert drawn_of(page, file).startswith(f"It drew the digit {digit} (probability ")
        image = draw(source, read_recording(source.model, file).spectrograms[0]).images[0, 0]
        shown = page.run(
            "[...document.getElementById('image').getContext('2d').getImageData(0, 0, 28, 28).data]"
            ".filter((_, k) => k % 4 == 0)"
        )
        assert (torch.tensor(shown).view(28, 28) / 255 - image / image.max()).abs().mean() < 0.01


@pytest.mark.skipif("SNN_SYNTH_DATA" not in os.environ, reason="SNN_SYNTH_DATA is not set")
def test_real_speakers_digits(page, tmp_path):
    corpus = FSDD(download=False)
    places = corpus.official_test_mask.nonzero()[:, 0][::15].tolist()
    right = 0
    for place in places:
        waveform, digit = corpus[place]
        soundfile.write(tmp_path / "word.wav", waveform.numpy(), corpus.sample_rate)
        right += drawn_of(page, tmp_path / "word.wav").startswith(f"It drew the digit {digit}")
    assert len(places) == 20
    assert right >= 18


def test_several_digits_in_one_recording(page, words, tmp_path):
    pieces = []
    for digit in (3, 1, 4):
        samples, rate = soundfile.read(words[digit], dtype="int16")
        pieces += [*samples, *[0] * (rate // 2)]
    soundfile.write(tmp_path / "pi.wav", np.array(pieces, np.int16), rate)
    assert drawn_of(page, tmp_path / "pi.wav").startswith("It drew the digits 3 1 4 (probabilities ")
    assert page.run("[...document.querySelectorAll('#words button')].map(one => one.textContent)") == ["3", "1", "4"]
    page.run("document.querySelectorAll('#words button')[2].click()")
    assert page.run("document.querySelector('#probabilities .best').innerText").startswith("4")


def test_words_without_a_pause_are_called_long_and_the_unsure_one_is_named(page, words, tmp_path):
    pieces = []
    for digit in (1, 0, 6, 8):
        samples, rate = soundfile.read(words[digit], dtype="float32")
        pieces.append(samples)
    gap = np.zeros(rate // 2, np.float32)
    soundfile.write(tmp_path / "tight.wav", np.concatenate([gap, *pieces[:3], gap, pieces[3], gap]), rate)
    said = drawn_of(page, tmp_path / "tight.wav")
    recording = read_recording(load("fsdd").model, tmp_path / "tight.wav")
    seconds = [end - start for start, end in recording.words]
    assert seconds[0] > 1, "the test needs words that are heard as one"
    assert f" Long: word 1 lasts {seconds[0]:.1f} s; leave 0.2 s of pause between several words." in said
    source = load("fsdd")
    heard = hear(source.model, torch.cat([draw(source, one).images for one in recording.spectrograms]), [])
    unsure = [f" U{one[1:]}." for one in heard.warnings]
    assert all(one in said for one in unsure)
    assert said.count("Unsure") == len(unsure)
    assert "It always draws one of the ten digits, even for other words or noise" in page.run("document.body.innerText")


def test_bad_files_are_refused_in_one_sentence(page, words, tmp_path):
    for name, content, said in [
        ("text.wav", b"no sound at all", "This is no sound that the browser can read"),
        ("cut.wav", words[0].read_bytes()[:30], "This is no sound that the browser can read"),
        ("large.wav", bytes(11_000_000), "A sound file of at most 10 MB is drawn"),
    ]:
        (tmp_path / name).write_bytes(content)
        assert drawn_of(page, tmp_path / name, ENDED).startswith(said)
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    assert drawn_of(page, tmp_path / "silent.wav", ENDED) == "There is only silence in this recording."
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(0).normal(0, 0.1, 31 * 8000), 8000)
    assert "at most 30 seconds" in drawn_of(page, tmp_path / "long.wav", ENDED)
    assert page.run("document.getElementById('shown').hidden")


def test_half_a_minute_with_background_is_drawn(page, words, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.001, 30 * 44100)
    samples, rate = soundfile.read(words[5], dtype="float32")
    word = resample(torch.from_numpy(samples), rate, 44100).numpy()
    for second in (4, 14, 24):
        noise[second * 44100 :][: len(word)] += word
    soundfile.write(tmp_path / "long.wav", noise, 44100)
    assert drawn_of(page, tmp_path / "long.wav").startswith("It drew the digits 5 5 5")


def test_more_time_steps(page, words):
    drawn_of(page, words[2])
    page.run("(s => { s.value = 50; s.oninput({target: s}); s.onchange(); })(document.getElementById('steps'))")
    page.wait("document.getElementById('T').textContent == '50'")
    assert page.run(TRY_STATUS).startswith("It drew the digit 2")
    page.run("(s => { s.value = 30; s.oninput({target: s}); s.onchange(); })(document.getElementById('steps'))")
    page.wait("document.getElementById('T').textContent == '30'")


def test_by_keyboard(chromium, try_page):
    with chromium() as browser:
        browser.colours("light")
        open_try(browser, try_page)
        for _ in range(12):
            browser.press("Tab")
            if browser.run("document.activeElement.getAttribute('aria-label')") == "four":
                break
        browser.press("Enter")
        assert browser.wait(DREW).startswith("It drew the digit 4")
        browser.wait("document.body.dataset.step == '30'")  # the image has formed
        while browser.run("document.activeElement.id") != "step":
            browser.press("Tab")
        browser.press("ArrowLeft")
        assert browser.run("document.body.dataset.step") == "29"


def test_a_microphone_is_heard_and_nothing_leaves(chromium, try_page, words, padded):
    with chromium(*microphone(padded(words[9]))) as browser:
        open_try(browser, try_page)
        browser.run("document.getElementById('record').click()")
        browser.wait("document.getElementById('record').textContent == 'Stop'")
        time.sleep(3)
        browser.run("document.getElementById('record').click()")
        assert browser.wait(DREW).startswith("It drew the digit 9")
        assert browser.outside == []


def test_the_pages_own_policy_lets_everything_work(chromium, try_page):
    with chromium() as browser:
        browser.send("Page.setBypassCSP", enabled=False)
        open_try(browser, try_page)
        browser.run("document.querySelector('#samples button').click()")
        assert browser.wait(DREW).startswith("It drew the digit 0")
        answer = browser.run("fetch('https://example.org/').then(() => 'left', () => 'stayed')")
        assert answer == "stayed"
        assert browser.outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(page, words, scheme):
    page.resize(360, 740)
    page.colours(scheme, reduced_motion=True)
    drawn_of(page, words[0])
    assert page.fits()
    page.resize(1100, 900)
    page.colours("light", reduced_motion=True)


@pytest.mark.parametrize(("name", "window"), [("try.png", WIDE), ("try-phone.png", PHONE)])
def test_the_picture_of_the_docs_is_this_page(page, try_page, tmp_path, name, window):
    picture_try(page, try_page, tmp_path / "now.png", window)
    assert_shown(name, tmp_path / "now.png")


def test_another_runtime_than_the_pinned_one_is_refused(build, tmp_path, monkeypatch):
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    monkeypatch.setattr(build, "SHA512", "another")
    with pytest.raises(OSError, match="checksum"):
        build.fetch_runtime(tmp_path)
    assert not list(tmp_path.iterdir())
