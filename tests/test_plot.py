from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from snn_synth import plot
from snn_synth.errors import InputError


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def shown(figure: Figure) -> np.ndarray:
    """The images of a figure, axis by axis, as they were given to matplotlib."""
    return np.stack([ax.images[0].get_array() for ax in figure.axes])


def labels(figure: Figure, axis: int = 0) -> tuple[str, str]:
    return figure.axes[axis].get_xlabel(), figure.axes[axis].get_ylabel()


def spikes_drawn(figure: Figure, axis: int = 0) -> set[tuple[int, int]]:
    """(time step, neuron) of every dash: its middle."""
    segments = figure.axes[axis].collections[0].get_segments()
    drawn = [(round(float(dash[:, 0].mean()) - 1), round(float(dash[0, 1]))) for dash in segments]
    assert len(drawn) == len(set(drawn))
    return set(drawn)


def test_names_of_words_are_no_formulas(tmp_path):
    figure = plot.image_grid(some(2, 28, 28), titles=["$5^", r"$\nonsense$"])
    plot.save_figure(figure, tmp_path / "grid.png")
    assert figure.axes[0].get_title() == "$5^"


@pytest.mark.parametrize("shape", [(7, 1, 28, 28), (7, 28, 28), (7, 1, 14, 12)])
def test_image_grid_shows_each_image_in_reading_order(shape):
    images = some(*shape)
    images[2] *= 0.3
    images[3] *= 0.01
    figure = plot.image_grid(images, columns=3, titles=[f"no. {i}" for i in range(7)])
    np.testing.assert_array_equal(shown(figure), images.reshape(7, *shape[-2:]))
    assert [ax.get_title() for ax in figure.axes] == [f"no. {i}" for i in range(7)]
    spots = [ax.get_subplotspec() for ax in figure.axes]
    assert [(spot.rowspan.start, spot.colspan.start) for spot in spots] == [divmod(i, 3) for i in range(7)]
    brightest = images.reshape(7, -1).max(dim=1).values.clamp_min(0.1)  # all but silent images stay dark
    for ax, white in zip(figure.axes, brightest.tolist(), strict=True):
        assert ax.images[0].get_clim() == pytest.approx((0, white))


def test_colour_is_shown_with_each_image_at_full_brightness():
    images = some(4, 3, 10, 20)
    images[2] *= 0.3
    images[3] *= 0.01
    figure = plot.reconstructions(images[:2], images[2:])
    expected = (images / images.flatten(1).max(1).values.clamp_min(0.1)[:, None, None, None]).permute(0, 2, 3, 1)
    np.testing.assert_allclose(shown(figure), expected, rtol=1e-6)
    width, height = figure.get_size_inches()
    assert (width, height) == pytest.approx((1.8, 0.9)), "half as high as wide"


def test_tensors_of_any_float_type_that_need_a_gradient_are_drawn():
    images = some(2, 28, 28).bfloat16().requires_grad_()
    np.testing.assert_array_equal(shown(plot.image_grid(images)), images.detach().float())


def test_reconstructions_put_each_output_below_its_original():
    originals, outputs = some(4, 1, 28, 28), some(4, 1, 28, 28, seed=1)
    figure = plot.reconstructions(originals, outputs, labels=list("7210"))
    np.testing.assert_array_equal(shown(figure), torch.cat([originals, outputs])[:, 0])
    assert [ax.get_title() for ax in figure.axes] == [*"7210", "", "", "", ""]
    assert figure.axes[0].get_ylabel() == "input"
    assert figure.axes[4].get_ylabel() == "output"
    assert [ax.get_subplotspec().rowspan.start for ax in figure.axes] == [0] * 4 + [1] * 4


def test_digit_grid_has_a_column_for_each_digit():
    images = some(10, 5, 28, 28)
    figure = plot.digit_grid(images)
    assert len(figure.axes) == 50
    for ax, image in zip(figure.axes, shown(figure), strict=True):
        spot = ax.get_subplotspec()
        np.testing.assert_array_equal(image, images[spot.colspan.start, spot.rowspan.start])
    assert [ax.get_title() for ax in figure.axes[:10]] == [str(digit) for digit in range(10)]


def test_waveform_is_drawn_over_seconds():
    samples = some(400) - 0.5
    figure = plot.waveform(samples, rate=8000)
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), samples)
    np.testing.assert_allclose(line.get_xdata(), np.arange(400) / 8000)
    assert labels(figure) == ("time (s)", "amplitude")


def test_spectrogram_has_low_channels_at_the_bottom():
    values = some(39, 100)
    figure = plot.spectrogram(values)
    picture = figure.axes[0].images[0]
    np.testing.assert_array_equal(picture.get_array(), values)
    assert picture.origin == "lower"
    assert labels(figure) == ("frame", "channel, low ones below")


def test_spectrograms_and_rasters_say_what_they_show():
    figure = plot.spectrogram(some(39, 100), some(39, 100), titles=["8? (0.53)", "$7$"], seconds=[0.5, 1.234])
    assert [ax.get_title() for ax in figure.axes] == ["8? (0.53)", "$7$"]
    assert [ax.get_xlabel() for ax in figure.axes] == ["frame (100 over 0.50 s)", "frame (100 over 1.23 s)"]
    figure = plot.spike_raster(some(15, 20) < 0.1, titles=["7"], neuron="input neuron")
    assert (figure.axes[0].get_title(), labels(figure)) == ("7", ("time step", "input neuron"))
    with pytest.raises(InputError, match="Expected 2 titles, one for each, got 1"):
        plot.spike_raster(some(15, 20), some(15, 20), titles=["7"])
    with pytest.raises(InputError, match="Expected 1 lengths, one for each spectrogram, got 0"):
        plot.spectrogram(some(39, 100), seconds=[])


@pytest.mark.parametrize("neurons", [20, 3900])
def test_raster_has_one_dash_for_each_spike(neurons):
    spikes = some(15, neurons) < 0.1
    figure = plot.spike_raster(spikes)
    assert spikes_drawn(figure) == {tuple(spike) for spike in spikes.nonzero().tolist()}
    assert labels(figure) == ("time step", "neuron")


def test_raster_of_silence_keeps_its_axes():
    figure = plot.spike_raster(torch.zeros(15, 196))
    assert spikes_drawn(figure) == set()
    assert figure.axes[0].get_xlim() == (0.5, 15.5)
    assert figure.axes[0].get_ylim() == (-0.5, 195.5)


def test_hidden_map_shows_the_stored_bits():
    spikes = some(5, 196) < 0.3
    figure = plot.hidden_map(spikes)
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), spikes.T)
    assert figure.axes[0].images[0].get_extent() == [0.5, 5.5, -0.5, 195.5]
    assert labels(figure) == ("time step", "hidden neuron")


def test_word_to_image_shows_every_station():
    samples, bands, image, target = some(800), some(39, 100), some(28, 28, seed=2), some(28, 28, seed=3)
    spikes, hidden = some(30, 390) < 0.2, some(30, 196) < 0.3
    figure = plot.word_to_image(samples, 8000, bands, spikes, hidden, image, target, "seven")
    stations = ["waveform", "spectrogram", "input spikes", "hidden spikes", "image", "target"]
    assert [ax.get_title() for ax in figure.axes] == stations
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), samples)
    assert len(spikes_drawn(figure, axis=2)) == spikes.sum()
    for axis, values in ((1, bands), (3, hidden.T), (4, image), (5, target)):
        np.testing.assert_array_equal(figure.axes[axis].images[0].get_array(), values)
    assert figure.get_suptitle() == "seven"
    without = plot.word_to_image(samples, 8000, bands, spikes, hidden, image)
    assert [ax.get_title() for ax in without.axes] == stations[:5]


def test_comparison_bars_are_as_high_as_their_values():
    figure = plot.comparison_bars({"AE-SNN": 0.0914, "AE-ANN": 0.119}, "test MSE")
    ax = figure.axes[0]
    assert [bar.get_height() for bar in ax.patches] == [0.0914, 0.119]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["AE-SNN", "AE-ANN"]
    assert [text.get_text() for text in ax.texts] == ["0.091", "0.119"]
    assert ax.get_ylim()[0] == 0, "a cut axis would lie about the ratio"
    assert ax.get_ylabel() == "test MSE"


def test_learning_curve_counts_epochs_from_one():
    figure = plot.learning_curve({"train": [0.5, 0.3, 0.2], "val": [0.6, 0.4]}, "MSE")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    np.testing.assert_array_equal(lines["train"].get_xydata(), [[1, 0.5], [2, 0.3], [3, 0.2]])
    np.testing.assert_array_equal(lines["val"].get_xydata(), [[1, 0.6], [2, 0.4]])
    assert labels(figure) == ("epoch", "MSE")


def test_a_curve_too_many_is_refused_instead_of_left_out():
    with pytest.raises(InputError, match="at most 4 curves, got 5"):
        plot.learning_curve({str(i): [1.0] for i in range(5)}, "MSE")


def test_frames_show_the_spikes_so_far_and_end_at_full_contrast():
    spikes = (some(6, 784) < 0.5).float()
    frames = plot.image_forming(spikes)
    assert len(frames) == 6
    for t, frame in enumerate(frames, start=1):
        pixels = np.asarray(frame)[: 28 * 8].reshape(28, 8, 28, 8)
        grey = (spikes[:t].sum(0) / spikes.sum(0).max()).reshape(28, 28).numpy()
        np.testing.assert_allclose(pixels[:, 0, :, 0] / 255, grey, atol=0.5 / 255 + 1e-6)
        assert (pixels == pixels[:, :1, :, :1]).all(), "each pixel must be one block of one grey"


def test_the_words_of_a_recording_side_by_side():
    one, two = (plot.image_forming((some(6, 784, seed=seed) < 0.5).float()) for seed in (1, 2))
    joined = plot.side_by_side([one, two])
    assert len(joined) == 6
    np.testing.assert_array_equal(np.asarray(joined[3]), np.hstack([np.asarray(one[3]), np.asarray(two[3])]))
    pictures = some(39, 100), some(39, 100, seed=3)
    for axes, values in zip(plot.spectrogram(*pictures).axes, pictures, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), values)
    assert len(plot.spike_raster(some(15, 20) < 0.1, some(15, 20) < 0.2).axes) == 2


def test_a_word_becomes_an_image_step_by_step():
    hidden, output = (some(4, 20) < 0.5).float(), (some(4, 784, seed=2) < 0.5).float()
    frames = plot.word_forming(some(800), 8000, some(39, 100), hidden, output, word="seven")
    assert [(frame.mode, frame.size) for frame in frames] == [("RGB", (960, 264))] * 4
    pixels = [np.asarray(frame).astype(int) for frame in frames]
    # The sound and its spectrogram stay; the raster fills and the image brightens.
    changed = [np.abs(one - pixels[0])[:, : 960 // 2].max() for one in pixels]
    assert changed == [0] * 4
    dark = [(one[:, 560:770] < 60).all(2).sum() for one in pixels]
    bright = [one[40:200, 800:950].sum() for one in pixels]
    assert dark == sorted(dark)
    assert dark[0] < dark[-1]
    assert bright == sorted(bright)
    assert bright[0] < bright[-1]
    with pytest.raises(InputError, match=r"hidden spikes of shape \[4, \*\], got \[3, 20\]"):
        plot.word_forming(some(800), 8000, some(39, 100), hidden[:3], output)


def test_frames_of_other_sizes_and_of_colour():
    spikes = (some(4, 3 * 8 * 6) < 0.5).float()
    frames = plot.image_forming(spikes, image_shape=(3, 8, 6))
    assert (frames[-1].mode, frames[-1].size) == ("RGB", (6 * 28, 8 * 28 + 20))
    pixels = np.asarray(frames[-1])[: 8 * 28 : 28, ::28]
    rates = (spikes.sum(0) / spikes.sum(0).max()).reshape(3, 8, 6)
    np.testing.assert_allclose(pixels / 255, rates.permute(1, 2, 0), atol=0.5 / 255 + 1e-6)
    assert plot.image_forming(torch.ones(2, 500 * 400), (1, 500, 400))[0].size == (400, 520)


def test_the_animation_has_every_frame_and_holds_the_last(tmp_path: Path):
    frames = plot.image_forming(torch.zeros(15, 784))  # silent: only the caption tells the frames apart
    path = tmp_path / "forming.gif"
    plot.save_animation(frames, path, frame_ms=100, last_ms=1500)
    with Image.open(path) as gif:
        assert (gif.format, gif.n_frames, gif.info["loop"]) == ("GIF", 15, 0)
        durations = []
        for t, frame in enumerate(frames):
            gif.seek(t)
            durations.append(gif.info["duration"])
            difference = np.asarray(gif.convert("L")).astype(int) - np.asarray(frame)
            assert np.abs(difference).max() <= 1
    assert durations == [100] * 14 + [1500]
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_that_fails_halfway_leaves_the_old_one(tmp_path: Path):
    path = tmp_path / "grid.png"
    figure = plot.image_grid(some(3, 28, 28))
    plot.save_figure(figure, path)
    before = path.read_bytes()
    figure.text(0, 0, "$\\broken$")  # matplotlib only finds out while it draws
    with pytest.raises(ValueError, match="broken"):
        plot.save_figure(figure, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_saved_figure_is_the_picture(tmp_path: Path):
    image = torch.zeros(1, 28, 28)
    image[0, :, :14] = 1
    plot.save_figure(plot.image_grid(image), tmp_path / "half.png")
    with Image.open(tmp_path / "half.png") as png:
        pixels = np.asarray(png.convert("L"))
    row = pixels[len(pixels) // 2]
    assert row[len(row) // 4] == 255
    assert row[3 * len(row) // 4] == 0


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plot.image_grid(torch.rand(3, 2, 28, 28)), r"\[\*, \*, \*\], got \[3, 2, 28, 28\]"),
        (lambda: plot.image_grid(torch.rand(0, 28, 28)), r"got \[0, 28, 28\]"),
        (lambda: plot.image_grid(torch.rand(3, 28, 28), columns=0), "at least 1, got 0"),
        (lambda: plot.image_grid(torch.rand(3, 28, 28), titles=["a"]), "3 titles.*got 1"),
        (
            lambda: plot.reconstructions(torch.rand(3, 28, 28), torch.rand(2, 28, 28)),
            r"\[3, 28, 28\], got \[2, 28, 28\]",
        ),
        (lambda: plot.reconstructions(torch.rand(1, 28, 28), torch.rand(1, 28, 28), "ab"), "1 labels.*got 2"),
        (lambda: plot.digit_grid(torch.rand(9, 5, 28, 28)), r"\[10, \*, \*, \*\], got \[9, 5, 28, 28\]"),
        (lambda: plot.waveform(torch.rand(2, 80), 8000), r"samples of shape \[\*\], got \[2, 80\]"),
        (lambda: plot.waveform(torch.rand(80), 0), "rate.*got 0"),
        (lambda: plot.spectrogram(torch.rand(1, 39, 100)), r"got \[1, 39, 100\]"),
        (lambda: plot.spike_raster(torch.rand(15)), r"\[\*, \*\], got \[15\]"),
        (lambda: plot.image_forming(torch.rand(15, 196)), r"\[\*, 784\], got \[15, 196\]"),
        (lambda: plot.comparison_bars({}, "MSE"), "got none"),
        (lambda: plot.learning_curve({"train": []}, "MSE"), "got none"),
        (lambda: plot.save_animation([], "nowhere.gif"), "got none"),
    ],
)
def test_bad_input_says_what_was_expected_and_what_came(draw, message):
    with pytest.raises(InputError, match=message):
        draw()


def test_image_rows_name_the_first_row_of_each():
    rows = {"input": some(3, 28, 28), "SNN": some(2, 3, 28, 28, seed=1)}
    figure = plot.image_rows(rows)
    np.testing.assert_array_equal(shown(figure), torch.cat([rows["input"], *rows["SNN"]]))
    assert [ax.get_ylabel() for ax in figure.axes] == ["input", "", "", "SNN", "", "", "", "", ""]
    with pytest.raises(InputError, match="one length"):
        plot.image_rows({"a": some(3, 28, 28), "b": some(2, 28, 28)})
    with pytest.raises(InputError, match="one length and one size"):
        plot.image_rows({"a": some(3, 28, 28), "b": some(3, 14, 14)})


def test_where_nothing_was_watched_the_ends_stand_alone():
    finals = {"one": {"right": (0.9, 0.01, None)}, "two": {"right": (0.8, 0.0, None)}}
    figure = plot.training_and_test({"one": ([], []), "two": ([], [])}, finals)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["one", "two"]
    assert [bar.get_width() for bar in axes.patches] == [0.9, 0.8]


def test_training_and_test_shows_each_arm_and_the_published_value():
    curves = {f"variant {i}": ([1, 20, 40], [1.0, 0.5, 0.1 * i]) for i in range(6)}
    finals = {
        name: {"test": (0.1 + 0.05 * i, 0.01, 0.3 if i == 2 else None), "train": (0.05 * i, 0.0, None)}
        for i, name in enumerate(curves)
    }
    figure = plot.training_and_test(curves, finals)
    left, right = figure.axes
    assert [list(line.get_ydata()) for line in left.lines] == [errors for _, errors in curves.values()]
    looks = [(line.get_color(), line.get_linestyle()) for line in left.lines]
    assert len(set(looks)) == 6, "no two look the same"
    expected = [found[0] for one in finals.values() for found in one.values()]
    assert [bar.get_width() for bar in right.patches] == pytest.approx(expected)
    assert [bar.get_facecolor()[:3] for bar in right.patches[::2]] == [to_rgb(colour) for colour, _ in looks]
    assert all(test.get_alpha() > train.get_alpha() for test, train in zip(*[iter(right.patches)] * 2, strict=True))
    tops = [bar.get_y() for bar in right.patches]
    assert tops == sorted(tops), "in the order given, none upon another"
    [diamond] = [line for line in right.lines if line.get_marker() == "D"]
    assert diamond.get_xdata() == [0.3]
    assert right.get_xlabel() == "test, then train (diamond: the paper)"
    with pytest.raises(InputError, match="same variants"):
        plot.training_and_test(curves, {"variant 0": finals["variant 0"]})
    with pytest.raises(InputError, match="same measures"):
        plot.training_and_test(curves, finals | {"variant 1": {"test": (0.1, 0.0, None)}})


@pytest.mark.parametrize(
    ("published", "placed"), [(None, 0.51), (0.4, 0.51), (0.5, 0.52), (0.54, 0.56), (0.8, 0.51)], ids=str
)
def test_a_published_value_covers_no_number(published, placed):
    finals = {"SNN": {"test": (0.5, 0.01, published)}, "ANN": {"test": (1.0, 0.0, None)}}
    figure = plot.training_and_test(dict.fromkeys(finals, ([], [])), finals)
    figure.canvas.draw()
    number = figure.axes[0].texts[0]
    assert number.get_position()[0] == pytest.approx(placed, abs=1e-9)
    diamonds = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert not any(number.get_window_extent().overlaps(line.get_window_extent()) for line in diamonds)


def test_grouped_bars_are_as_high_as_each_members_measures():
    found = {"george": {"unheard": (0.75, 0.02, None), "heard": (0.97, 0.0, None)}}
    found["theo"] = {"unheard": (0.9, 0.0, None), "heard": (0.98, 0.0, None)}
    figure = plot.grouped_bars({"SNN": found, "ANN": found}, "share")
    for ax, title in zip(figure.axes, ("SNN", "ANN"), strict=True):
        assert [bar.get_height() for bar in ax.patches] == [0.75, 0.9, 0.97, 0.98]
        assert [label.get_text() for label in ax.get_xticklabels()] == ["george", "theo"]
        assert ax.get_title() == title
    with pytest.raises(InputError, match="same measures"):
        plot.grouped_bars({"SNN": found, "ANN": {"george": {"heard": (1.0, 0.0, None)}}}, "share")


def test_first_spikes_are_dots_at_their_times():
    times = {"input": torch.tensor([0.0, 3.0, 8.0, torch.inf]), "output": torch.tensor([8.0, 5.0])}
    figure = plot.first_spikes(times, never=8)
    upper, lower = (ax.collections[0].get_offsets().tolist() for ax in figure.axes)
    assert (upper, lower) == ([[0, 0], [3, 1]], [[5, 1]])
    assert [ax.get_title() for ax in figure.axes] == ["input: 2 of 4 fire", "output: 1 of 2 fire"]
    silent = plot.first_spikes({"input": torch.full((3,), torch.inf)})
    assert silent.axes[0].get_title() == "input: 0 of 3 fire"
    with pytest.raises(InputError, match="at least one layer, got none"):
        plot.first_spikes({})


def test_a_membrane_rises_to_each_value_and_starts_again_from_0_after_a_spike():
    inputs = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    membrane, spikes = torch.tensor([0.6, 1.5, 0.0, 0.9]), torch.tensor([0.0, 1.0, 0.0, 0.0])
    above, middle, below = plot.membrane_trace(inputs, membrane, spikes, threshold=1.2).axes
    rows = [[tuple(dash[:, 0]) for dash in row.get_segments()] for row in above.collections]
    assert rows == [[(1, 1), (2, 2)], [(2, 2), (4, 4)]]
    pieces = [line.get_xydata().tolist() for line in middle.lines[:4]]
    np.testing.assert_allclose(
        pieces, [[[0, 0], [1, 0.6]], [[1, 0.6], [2, 1.5]], [[2, 0], [3, 0]], [[3, 0], [4, 0.9]]], atol=1e-6
    )
    (fall,) = middle.collections[0].get_segments()
    np.testing.assert_allclose(fall, [[2, 0], [2, 1.5]])
    assert middle.lines[-1].get_ydata() == [1.2, 1.2]
    (spike,) = below.collections[0].get_segments()
    assert spike[:, 0].tolist() == [2, 2]
    with pytest.raises(InputError, match=r"a membrane of shape \[4\], got \[3\]"):
        plot.membrane_trace(inputs, membrane[:3], spikes)


def test_the_architecture_shows_the_way_of_the_image_above_that_of_the_word():
    images = [some(28, 28, seed=seed) for seed in range(3)]
    maps = [(some(steps, 196, seed=steps) < 0.3).float() for steps in (15, 30)]
    figure = plot.architecture(some(39, 100), maps[1], images[0], images[1], maps[0], images[2])
    drawn = [ax.images[0].get_array() for ax in figure.axes]
    expected = [images[1], maps[0].T, images[2], some(39, 100), maps[1].T, images[0]]
    for found, given in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(found, given)
    said = {text.get_text() for text in figure.texts}
    assert {"encoder\n784-196", "decoder\n196-784", "audiocoder"} <= said
    with pytest.raises(InputError, match="hidden spikes of shape"):
        plot.architecture(some(39, 100), maps[1], images[0], images[1], maps[0][0], images[2])


def test_the_former_name_of_word_to_image_still_works_and_warns():
    with pytest.warns(DeprecationWarning, match="word_to_image"):
        assert plot.word_journey is plot.word_to_image
    with pytest.raises(AttributeError, match="no_such_plot"):
        plot.no_such_plot  # noqa: B018


def test_reconstructions_in_pairs_of_rows():
    originals, outputs = torch.rand(5, 6, 8), torch.rand(5, 6, 8)
    figure = plot.reconstructions(originals, outputs, list("abcde"), columns=3)
    assert len(figure.axes) == 10
    shown = [ax.images[0].get_array() for ax in figure.axes]
    expected = [*originals[:3], *outputs[:3], *originals[3:], *outputs[3:]]
    for one, image in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(one, image)
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "c", "", "", "", "d", "e", "", ""]
    assert [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()] == ["input", "output"] * 2
    with pytest.raises(InputError, match="`columns`"):
        plot.reconstructions(originals, outputs, columns=0)


def test_long_names_of_measures_stay_within_the_picture():
    measures = {f"share of the samples with a probability above 0.9, {part}": (0.5, 0.1, None) for part in ("a", "b")}
    figure = plot.training_and_test({"SNN": ([1, 2], [0.2, 0.4])}, {"SNN": measures}, ylabel=next(iter(measures)))
    figure.canvas.draw()
    whole = figure.bbox
    for ax in figure.axes:
        for label in (ax.xaxis.label, ax.yaxis.label):
            box = label.get_window_extent()
            assert whole.x0 <= box.x0 <= box.x1 <= whole.x1
            assert whole.y0 <= box.y0 <= box.y1 <= whole.y1


def test_long_names_of_variants_leave_space_for_what_they_name():
    name = "a conventional network of the same size that is fed the same spikes, batch 50, updates: 60, lr 5e-4"
    finals = {name: {"test": (0.5, 0.01, None)}, "SNN": {"test": (0.4, 0.01, None)}}
    bars = plot.training_and_test({one: ([1, 2], [0.9, 0.5]) for one in finals}, finals)
    images = plot.image_rows({one: torch.ones(8, 28, 28) for one in finals})
    for figure in (bars, images):
        figure.canvas.draw()  # a name too long for a figure would be a warning, here an error
        whole = figure.bbox
        assert all(ax.get_window_extent().width > 0.05 * whole.width for ax in figure.axes)
    shown = [bars.axes[1].get_yticklabels()[0].get_text(), images.axes[0].get_ylabel()]
    assert [" ".join(text.split()) for text in shown] == [name, name]
