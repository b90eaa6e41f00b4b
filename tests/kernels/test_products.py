import pytest
import torch
from torch.testing import assert_close

from snn_synth import kernels
from snn_synth.errors import InputError
from snn_synth.kernels.cpu import choice, products, sparse, tiles
from snn_synth.kernels.products import spike_linear
from tests.kernels import emulated_amx


@pytest.fixture(params=["float32", "listed", "tiles"])
def way(request, monkeypatch):
    if request.param == "tiles":
        emulated_amx.give_amx(monkeypatch)
    return request.param


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def relative(a, b):
    return ((a.double() - b).norm() / b.norm()).item()


def everything(spikes, weight, delta):
    spikes, weight = spikes.clone().requires_grad_(), weight.clone().requires_grad_()
    currents = spike_linear(spikes, weight)
    return currents.detach(), *torch.autograd.grad((currents * delta).sum(), [spikes, weight])


def wanted(spikes, weight, delta):
    spikes, weight, delta = spikes.double(), weight.double(), delta.double()
    by_weight = torch.einsum("tbo,tbi->oi", delta, spikes)
    return spikes @ weight.T, delta @ weight, by_weight


SPIKES, WEIGHT, DELTA = (draw(6, 20, 300) > 1).float(), draw(70, 300, seed=1), draw(6, 20, 70, seed=2)


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_exact_forward(way, precision, monkeypatch):
    monkeypatch.setattr(products, "has_bfloat16", lambda: True)
    with kernels.use("numba", way), kernels.precision(precision):
        ours = everything(SPIKES, WEIGHT, DELTA)
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    assert relative(ours[0], theirs[0]) < 5e-7
    bound = 5e-7 if precision == "float32" else 5e-3
    assert all(relative(a, b) < bound for a, b in zip(ours[1:], theirs[1:], strict=True))
    if precision == "mixed":
        assert relative(ours[1], theirs[1]) > 1e-4  # it was bfloat16


def test_mixed_precision_rounds_nothing_without_hardware_for_it(monkeypatch):
    monkeypatch.setattr(products, "has_bfloat16", lambda: False)
    with kernels.use("numba", "float32"), kernels.precision("mixed"):
        ours = everything(SPIKES, WEIGHT, DELTA)
    assert all(relative(a, b) < 5e-7 for a, b in zip(ours, wanted(SPIKES, WEIGHT, DELTA), strict=True))


@pytest.mark.parametrize("way", ["float32", "tiles"], indirect=True)
def test_bfloat16_both_ways(way):
    with kernels.use("numba", way), kernels.precision("bfloat16"):
        ours = everything(SPIKES, WEIGHT, DELTA)
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    assert all(1e-4 < relative(a, b) < 1e-2 for a, b in zip(ours, theirs, strict=True))


def test_values_that_are_not_spikes_are_not_rounded(way):
    with kernels.use("numba", way):
        ours = everything(SPIKES * 0.3, WEIGHT, DELTA)
    theirs = wanted(SPIKES * 0.3, WEIGHT, DELTA)
    assert all(relative(a, b) < 5e-7 for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_noticed(way, value):
    weight = WEIGHT.clone()
    weight[3, 5] = value
    with kernels.use("numba", way):
        currents = spike_linear(torch.ones_like(SPIKES), weight)
    assert not currents[..., 3].isfinite().any()
    assert currents[..., :3].isfinite().all()


def test_float64_and_autocast_are_left_alone():
    with kernels.precision("bfloat16"):
        assert relative(spike_linear(SPIKES.double(), WEIGHT.double()), wanted(SPIKES, WEIGHT, DELTA)[0]) < 1e-14
        with torch.autocast("cpu", torch.bfloat16):
            assert spike_linear(SPIKES, WEIGHT).dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(6, 20, 300), (1, 1, 3), (40, 1, 64)])
def test_strided_spikes_and_weights(shape):
    spikes, weight = (draw(*shape) > 1).float().transpose(0, 1), draw(shape[-1], 70, seed=1).T
    assert_close(spike_linear(spikes, weight).double(), spikes.double() @ weight.double().T, rtol=1e-5, atol=1e-5)


def test_what_is_fastest_is_asked_for_once_and_adopted(monkeypatch):
    monkeypatch.setattr(products, "WORTH", 0)
    monkeypatch.setattr(choice, "_chosen", {})
    spike_linear(SPIKES, WEIGHT)
    found = kernels.choices()
    assert set(found.values()) <= set(products.available())
    (key,) = found
    assert key == "float32 product of spikes, 112x64x256, up to 0.2, " + key.rsplit(", ", 1)[1]
    kernels.adopt_choices({key: "listed"})
    used = []
    listed = products.WAYS["listed"]
    forward = lambda *inputs: used.append(1) or listed.forward(*inputs)  # noqa: E731
    monkeypatch.setitem(products.WAYS, "listed", listed._replace(forward=forward))
    spike_linear(SPIKES, WEIGHT)
    assert used == [1]
    kernels.adopt_choices({key: "of another machine"})
    kernels.adopt_choices(["no choices"])
    assert kernels.choices() == {key: "listed"}


@pytest.fixture
def measured(monkeypatch):
    """Choices are made even of small products, anew, and nothing of them stays."""
    monkeypatch.setattr(products, "WORTH", 0)
    monkeypatch.setattr(choice, "_chosen", {})
    monkeypatch.setattr(choice, "_file", lambda: None)
    monkeypatch.setattr(choice, "SECONDS", 0)


def test_without_gradients_the_product_alone_is_measured(measured):
    weight = WEIGHT.clone().requires_grad_()
    with torch.no_grad():
        spike_linear(SPIKES, weight)
    assert [key.split(",")[0] for key in kernels.choices()] == ["float32 product of spikes"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_whatever_is_the_default(measured, dtype, device):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            ours = everything(SPIKES, WEIGHT, DELTA)
    finally:
        torch.set_default_dtype(before)
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    assert all(x.dtype == torch.float32 and relative(x, y) < 5e-7 for x, y in zip(ours, theirs, strict=True))


def test_a_choice_for_other_sizes_is_not_taken(measured, way):
    """Of a checkpoint from outside: lists need wide layers, and would write beside a narrow one's results."""
    weight = WEIGHT[:3]
    spike_linear(SPIKES, weight)
    kernels.adopt_choices(dict.fromkeys(kernels.choices(), way))
    assert relative(spike_linear(SPIKES, weight), wanted(SPIKES, weight, DELTA[..., :3])[0]) < 5e-7


def test_layers_of_no_neurons(way):
    weight, spikes = WEIGHT[:0].clone().requires_grad_(), SPIKES.clone().requires_grad_()
    with kernels.use("numba", way):
        currents = spike_linear(spikes, weight)
        currents.sum().backward()
    assert currents.shape == (6, 20, 0)
    assert not spikes.grad.any()


def test_a_machine_without_amx(monkeypatch, measured):
    monkeypatch.setattr(products, "has_amx", lambda: False)
    assert products.available() == ["float32", "listed"]
    theirs = wanted(SPIKES, WEIGHT, DELTA)
    for way in (None, "tiles"):
        with kernels.use("numba", way):
            ours = everything(SPIKES, WEIGHT, DELTA)
        assert all(relative(a, b) < 5e-7 for a, b in zip(ours, theirs, strict=True))
    assert set(kernels.choices().values()) <= {"float32", "listed"}


# --- which way is taken, with the answers of others in place of a processor and a clock ---


@pytest.fixture
def asked(monkeypatch):
    """What is asked for the fastest of several ways; the last of them is."""
    found = []
    monkeypatch.setattr(products, "has_amx", lambda: False)
    monkeypatch.setattr(choice, "fastest", lambda *given: found.append(given) or given[3][-1])
    return found


def test_the_fastest_way_is_asked_for_from_two_to_the_20_multiplications_on(asked):
    weight = torch.zeros(2**7, 2**7)
    assert products.way(torch.zeros(2**6 - 1, 2**7), weight, "float32", False, None) == "float32"
    assert not asked
    assert products.way(torch.zeros(2**6, 2**7), weight, "float32", True, None) == "listed"
    assert [given[:4] for given in asked] == [
        ("float32 product of spikes and gradient", (2**6, 2**7, 2**7), 0.0, ["float32", "listed"])
    ]


@pytest.mark.parametrize(
    ("outputs", "share", "precision", "listed"),
    [
        (64, 0.2, "float32", True),
        (64, 0.2, "mixed", True),
        (64, 0.3, "float32", False),
        (63, 0.1, "float32", False),
        (64, 0.1, "bfloat16", False),
    ],
)
def test_spikes_are_listed_where_they_are_few_and_the_layer_is_wide(asked, outputs, share, precision, listed):
    spikes = torch.zeros(10, 2000)
    spikes[:, : int(2000 * share)] = 1
    assert products.way(spikes, torch.zeros(outputs, 2000), precision, False, None) == (
        "listed" if listed else "float32"
    )
    assert len(asked) == listed, "there is no choice of one"


def test_a_way_that_is_asked_for_is_taken_if_it_is_there(asked):
    spikes, weight = torch.zeros(2, 3), torch.zeros(64, 3)
    assert products.way(spikes, weight, "float32", False, "listed") == "listed"
    assert products.way(spikes, weight, "float32", False, "tiles") == "float32"
    assert products.way(spikes, weight, "bfloat16", False, "listed") == "float32"
    assert not asked


@pytest.mark.parametrize(("batch", "outputs", "inputs"), [(0, 64, 3), (2, 0, 3), (2, 64, 0)])
@pytest.mark.parametrize("forced", [None, "float32", "listed"])
def test_a_product_of_nothing_is_plain(measured, batch, outputs, inputs, forced):
    spikes, weight = torch.zeros(1, batch, inputs).requires_grad_(), torch.zeros(outputs, inputs).requires_grad_()
    with kernels.use("numba", forced):
        currents = spike_linear(spikes, weight)
        currents.sum().backward()
    assert currents.shape == (1, batch, outputs)
    assert not currents.any()
    assert not kernels.choices()


@pytest.mark.parametrize("learns", [False, True])
def test_what_is_timed_is_the_product_of_such_sizes_with_such_a_share_of_spikes(asked, monkeypatch, learns):
    done = []

    def forward(x, w, precision):
        done.append((tuple(x.shape), tuple(w.shape), precision))
        assert 0.05 < x.mean() < 0.15
        return x @ w.T, ("kept",)

    def by_weight(delta, kept, w, precision):
        done.append((tuple(delta.shape), kept, tuple(w.shape), precision))

    monkeypatch.setitem(products.WAYS, "listed", products.Way(forward, by_weight))
    products.way(torch.zeros(2**7, 2**7), torch.zeros(2**7, 2**7), "mixed", learns, None)
    asked[0][4]((30, 70, 50), 0.1)["listed"]()
    assert done[0] == ((30, 50), (70, 50), "mixed")
    assert done[1:] == ([((30, 70), ("kept",), (70, 50), "mixed")] if learns else [])


def errors_over_time(steps, samples, outputs, share):
    """Of which so many are new, and the others fade."""
    generator = torch.Generator().manual_seed(0)
    new = (torch.rand(steps, samples, outputs, generator=generator) < share).float()
    errors = new.clone()
    for t in reversed(range(steps - 1)):
        errors[t] += 0.75 * errors[t + 1]
    return errors.flatten(0, 1)


@pytest.mark.parametrize("precision", ["float32", "mixed"])
@pytest.mark.parametrize(("steps", "samples", "outputs", "inputs"), [(20, 7, 100, 70), (1, 9, 65, 64), (9, 1, 30, 100)])
def test_errors_that_fade_are_passed_down_by_what_is_new(steps, samples, outputs, inputs, precision):
    errors = errors_over_time(steps, samples, outputs, 0.1)
    weight = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(1))
    found = products.by_spikes(errors, weight, precision, "listed", (samples, 0.75))
    assert_close(found.double(), errors.double() @ weight.double(), rtol=1e-5, atol=1e-5)
    again = products.by_spikes(errors.sign(), weight, precision, "listed", (samples, 0.75))  # all new: not listed
    rounds = precision == "mixed" and products.has_bfloat16() and steps > 1  # those of one step are few: listed
    expected = errors.sign().double() @ (weight.bfloat16() if rounds else weight).double()
    assert_close(again.double(), expected, rtol=2**-8 if rounds else 1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("share", "inputs", "precision", "fades", "listed"),
    [
        (0.1, 64, "float32", True, True),
        (0.1, 64, "mixed", True, True),
        (0.1, 64, "bfloat16", True, False),
        (0.3, 64, "float32", True, False),
        (0.1, 63, "float32", True, False),
        (0.1, 64, "float32", False, False),
    ],
)
def test_they_are_listed_where_few_are_new_and_the_layer_below_is_wide(
    asked, monkeypatch, share, inputs, precision, fades, listed
):
    taken = []
    for name in products.BY_SPIKES:
        monkeypatch.setitem(products.BY_SPIKES, name, lambda *given, name=name: taken.append((name, given[2:])))
    errors, weight = errors_over_time(20, 50, 200, share), torch.ones(200, inputs)
    fading = (50, 0.75) if fades else None
    products.by_spikes(errors, weight, precision, None, fading)
    assert taken == [("listed" if listed else "float32", (precision, fading))]
    if listed:
        kind, sizes, found, names, ways = asked[0]
        assert (kind, sizes, names) == (
            f"{precision} product of errors",
            (1000, 200, inputs),
            ["float32", "listed"],
        )
        assert found == pytest.approx(share, abs=0.02)
        taken.clear()
        ways((80, 30, 64), 0.1)["listed"]()
        assert taken == [("listed", (precision, (10, 0.5)))]
    products.by_spikes(errors, weight, precision, "float32", fading)
    assert taken[-1] == ("float32", (precision, fading))


def test_the_share_of_new_errors_is_that_of_16_rows():
    errors = torch.ones(48, 10)
    errors[:16] = 0.75 * errors[16:32]
    errors[:16, 3] = 0.5  # of one neuron they are new
    assert sparse.share(errors, (16, 0.75)) == pytest.approx((16 * 0.1 + 16) / 32, abs=0.1)
    assert sparse.share(errors[:16], (16, 0.75)) == 1
    assert sparse.share(torch.zeros(5, 2), (5, 0.75)) == 0
    assert sparse.share(errors[:32], (16, 0.75)) == pytest.approx(0.1)


@pytest.mark.parametrize(("steps", "samples"), [(2, 8), (15, 100), (16, 8), (32, 8), (32, 16), (64, 1), (1, 64)])
def test_the_share_of_spikes_is_that_of_16_rows_of_all_samples(steps, samples, monkeypatch):
    seen, count = [], sparse._count_some
    monkeypatch.setattr(sparse, "_count_some", lambda x, *given: seen.append(given[-3:]) or count(x, *given))
    spikes = torch.zeros(steps, samples, 4)
    spikes[:, ::2] = 1  # of every other sample
    share = sparse.share(spikes.flatten(0, 1))
    ((stop, stride, number),) = seen
    rows = [k * stride % stop for k in range(number)]
    assert stop == steps * samples
    assert len(set(rows)) == 16
    assert share == spikes.flatten(0, 1)[rows].mean()
    if samples > 1:
        assert 0.25 < share < 0.75


def test_the_share_of_few_rows_is_that_of_all():
    few = torch.zeros(5, 2)
    few[1], few[2, 0] = 0.25, -1
    assert sparse.share(few) == 0.3
    assert sparse.share(few.T.contiguous().T) == 0.3


@pytest.mark.parametrize("rows", [1, 7, 8, 12, 27, 28, 30, 31, 33, 60, 100, 1024])
def test_errors_of_any_number_of_rows_are_timed(asked, rows):
    """T time steps of B samples each, whatever number of rows stands for those that are alike."""
    weight = torch.ones(2**10, 2**10)
    products.by_spikes(torch.zeros(rows, 2**10), weight, "float32", None, (1, 0.9))
    ways = asked[0][4]
    for size in {rows, rows >> max(0, rows.bit_length() - 3) << max(0, rows.bit_length() - 3)}:
        for run in ways((size, 70, 66), 0.2).values():
            assert run().shape == (size, 66)


@pytest.mark.parametrize(
    ("features", "wanted"),
    [
        ("+avx512f,+avx512bf16", True),
        ("+amx-bf16,-avx512f", True),
        ("+bf16", True),
        ("-avx512bf16,+avx512f", False),
    ],
)
def test_which_processors_multiply_in_bfloat16(monkeypatch, features, wanted):
    monkeypatch.setattr(products, "compiled_for", lambda: ("+bf16 by name alone", features))
    assert products.has_bfloat16.__wrapped__() == wanted


@pytest.fixture
def on_tiles(monkeypatch):
    """As on a processor with AMX: what is asked of its tiles, beside the two factors."""
    found = []

    def product(a, b, *settings):
        assert a.is_contiguous() or a.T.is_contiguous()
        found.append(settings)
        return a @ b

    monkeypatch.setattr(products, "has_amx", lambda: True)
    monkeypatch.setattr(tiles, "product", product)
    return found


@pytest.mark.parametrize(
    ("precision", "forward", "by_weight", "by_spikes"),
    [
        ("float32", (1, tiles.EXACT, "left"), (tiles.EXACT, 1, "right"), (tiles.EXACT, tiles.EXACT)),
        ("mixed", (1, tiles.EXACT, "left"), (1, 1, None), (1, 1)),
        ("bfloat16", (1, 1, None), (1, 1, None), (1, 1)),
    ],
)
def test_on_tiles_float32_is_in_parts_and_spikes_are_not(on_tiles, precision, forward, by_weight, by_spikes):
    one, (spikes, delta) = products.WAYS["tiles"], (x.flatten(0, 1) for x in (SPIKES, DELTA))
    currents, kept = one.forward(spikes, WEIGHT, precision)
    assert_close(currents, spikes @ WEIGHT.T)
    assert_close(one.by_weight(delta, kept, WEIGHT, precision), delta.T @ spikes)
    assert_close(products.by_spikes(delta, WEIGHT, precision, "tiles"), delta @ WEIGHT)
    assert on_tiles == [forward, by_weight, by_spikes]


def test_the_gradient_by_the_spikes_is_on_tiles_where_that_is_fastest_or_asked_for(on_tiles, monkeypatch):
    found, answer = [], []
    monkeypatch.setattr(choice, "fastest", lambda *given: found.append(given) or answer[0])
    weight, delta = torch.ones(2**7, 2**7), torch.ones(2**6, 2**7)
    for forced, fastest, tiled in ((None, "tiles", 1), (None, "float32", 0), ("tiles", "-", 1), ("float32", "-", 0)):
        on_tiles.clear()
        answer[:] = [fastest]
        assert (products.by_spikes(delta, weight, "float32", forced) == 2**7).all()
        assert len(on_tiles) == tiled
    assert [given[:4] for given in found] == [
        ("float32 product of errors", (2**6, 2**7, 2**7), 1.0, ["float32", "tiles"])
    ] * 2
    ways = found[0][4]((3, 5, 7), 1.0)
    assert ways["float32"]().shape == ways["tiles"]().shape == (3, 7)
    on_tiles.clear()
    products.by_spikes(delta[1:], weight, "float32", None)  # too few multiplications
    monkeypatch.setattr(products, "has_amx", lambda: False)
    products.by_spikes(delta, weight, "float32", "tiles")
    assert not on_tiles
    assert len(found) == 2


def test_unknown_names():
    with pytest.raises(InputError, match="precision"):
        kernels.precision("float16").__enter__()
    with pytest.raises(InputError, match="Expected a product of"):
        kernels.use("numba", "fastest").__enter__()
    with pytest.raises(InputError, match="with the backend 'numba'"):
        kernels.use("reference", "tiles").__enter__()
