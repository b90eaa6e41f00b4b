"""Model folders: an untrusted one is read as data, and a saved one holds all of the constructor's arguments."""

import copy
import gc
import json
import pickle
import time

import numpy as np
import pytest
import torch

from snn_synth.errors import InputError
from snn_synth.functional.inputs import as_constant
from snn_synth.models import ACSNN, AESNN, ESVAE, AudioToImage, SpikingStack
from snn_synth.models.allocation import Allocating
from snn_synth.models.pretrained import Pretrained
from tests.fuzz.harness import bounded


@pytest.fixture
def folder(tmp_path):
    AESNN(8, 4).save_pretrained(tmp_path / "ae")
    return tmp_path / "ae"


def refusal(folder, text, cls=Pretrained):
    (folder / "config.json").write_text(text)
    start = time.monotonic()
    with pytest.raises(InputError) as caught, bounded():
        cls.from_pretrained(folder)
    assert time.monotonic() - start < 5
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    return str(caught.value)


def described(model, **arguments):
    return json.dumps({"model": model, "arguments": arguments})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (described("AESNN", inputs=54_000, hidden=27_000), "fit a file of 64 weights"),
        (described("AESNN", inputs=2**62, hidden=2**62), "fit a file of 64 weights"),
        (described("AESNN", inputs=2**80), "`inputs` to be int"),
        (described("AESNN", inputs="8"), "`inputs` to be int, got '8'"),
        (described("AESNN", inputs=True), "`inputs` to be int, got True"),
        (described("AESNN", inputs=[8]), "`inputs` to be int"),
        (described("AESNN", inputs={"model": "AESNN", "arguments": {}}), "`inputs` to be int"),
        (described("AESNN", alpha=float("nan")), "`alpha` to be float, got nan"),
        (described("AESNN", inputs=9, hidden=4), "weights 'layers.0.0.weight' of shape [4, 9]"),
        (described("AESNN", colour="red"), "colour"),
        (described("SpikingStack", sizes=[1] * 300_000), "far more layers"),
        (described("SpikingStack", sizes=[]), "sizes"),
        (described("SpikingStack", sizes="abc"), "`sizes` to be Sequence[int], got 'abc'"),
        (described("HybridVAE", memory=10**9), "fit a file of"),
        (described("HybridVAE", n_basis=10**5, memory=10**5, hidden=1, latent=1), "fit a file of"),
        (described("HybridVAE", decoding="magic"), "`decoding` to be Literal"),
        (described("ESVAE", channels=[10**5] * 2), "fit a file of"),
        (described("TemporalCodingAE", n_pulses=10**9), "fit a file of"),
        (described("SpikingGAN", side=10**6), "fit a file of"),
        (described("AudioToImage", audiocoder=7, autoencoder=None), "one of ['ACSNN', 'ConvACSNN'], got 7"),
        (described("AudioToImage", audiocoder=json.loads(described("Audiocoder")), autoencoder=None), "Audiocoder"),
        (described("ConvACSNN", frames=10**9), "fit a file of"),
        (described("ConvACSNN", widths=[1] * 10**5), "far more layers"),
        (described("ConvACSNN", bias=True), "got both"),
        (described("AudioToImage", image_shape=[-1, -784]), "AudioToImage"),
        (described("Pretrained"), "description of one of"),
        (described("Popen", args="ls"), "description of one of"),
        (described("subprocess.Popen", args="ls"), "description of one of"),
        ('{"model": ["AESNN"], "arguments": {}}', "description of one of"),
        ("[1, 2]", "description of one of"),
        ("{", "JSON"),
        ("[" * 100_000, "nested too deep"),
        ('{"model": "AudioToImage", "arguments": {"audiocoder": ' * 300 + "1" + "}}" * 300, "Expected"),
        (" " * 2**21, "bytes"),
    ],
    ids=lambda text: text[:60],
)
def test_a_description_that_is_none_ends_in_a_sentence_before_anything_is_allocated(text, named, folder):
    assert named in refusal(folder, text)


def test_the_bound_is_named_wherever_it_is_reached():
    with Allocating([]) as bound, pytest.raises(InputError, match="far more layers"):
        bound.operations = 0
        as_constant("alpha", 0.1)


def test_the_first_of_them_would_take_gigabytes():
    with pytest.raises(RuntimeError, match="memory"), bounded():
        AESNN(54_000, 27_000)


def test_weights_are_not_read_before_their_shapes_are_right(folder, monkeypatch):
    monkeypatch.setattr("snn_synth.models.pretrained.load_file", None)
    assert "of shape [4, 9]" in refusal(folder, described("AESNN", inputs=9, hidden=4))


@pytest.mark.parametrize("make", [lambda: AESNN(784, 196), lambda: ESVAE(), lambda: SpikingStack([3, 2, 2, 2, 2, 2])])
def test_whole_models_are_within_the_bounds(make, tmp_path):
    model = make()
    model.save_pretrained(tmp_path / "m", dtype=torch.float16)
    assert type(model).from_pretrained(tmp_path / "m").describe() == model.describe()


# Arguments of a subclass


class Coloured(AESNN):
    def __init__(self, *args, colour="red", sizes=(1, 2), **kwargs):
        super().__init__(*args, **kwargs)
        self.colour, self.more = colour, sizes


class Square(AESNN):
    """Passes on what it was not given."""

    def __init__(self, side: int, /, share: float = 0.5, **settings):
        super().__init__(side * side, int(side * side * share), **settings)


class Around(Pretrained):
    """Has a model of its own, without an annotation."""

    def __init__(self, inside, scale=2.0):
        super().__init__()
        self.inside, self.scale = inside, scale


MINE = [
    lambda: Coloured(8, 4, colour="blue", alpha=0.25),
    lambda: Coloured(hidden=4, inputs=8, sizes=[3, (4, 5)]),
    lambda: Square(4, share=0.25, threshold=2.0),
    lambda: Around(Coloured(8, 4, colour="green"), np.int64(3)),
    lambda: AudioToImage(ACSNN(5, 4, 3), Coloured(784, 3, colour="white")),
]


@pytest.mark.parametrize("make", MINE)
def test_what_a_subclass_adds_comes_back(make, tmp_path):
    model = make()
    model.save_pretrained(tmp_path / "mine")
    for again in (type(model).from_pretrained(tmp_path / "mine"), Pretrained.from_pretrained(tmp_path / "mine")):
        assert type(again) is type(model)
        assert again.describe() == model.describe()
        assert getattr(again, "colour", None) == getattr(model, "colour", None)
        assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize("make", MINE)
@pytest.mark.parametrize("again", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_knows_its_arguments(make, again):
    model = make()
    assert again(model).describe() == model.describe()


def test_a_record_does_not_change_with_its_argument():
    sizes = [3, 2, 1]
    model = SpikingStack(sizes)
    sizes.append(7)
    assert model.describe()["arguments"]["sizes"] == [3, 2, 1]


@pytest.mark.parametrize("colour", [torch.zeros(2), object(), len, b"red", {1: 2}])
def test_what_json_cannot_hold_is_refused_when_saved_and_not_dropped(colour, tmp_path):
    model = Coloured(8, 4, colour=colour)
    with pytest.raises(InputError, match="Expected `colour` to be a model or plain data, so that a file can hold it"):
        model.save_pretrained(tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    with pytest.raises(TypeError, match="unexpected keyword argument 'color'"):
        Coloured(8, 4, color="red")


def test_a_class_with_a_known_name_is_the_one_in_hand(folder):
    shadow = type("AESNN", (AESNN,), {})
    assert type(shadow.from_pretrained(folder)) is shadow
    assert type(AESNN.from_pretrained(folder)) is AESNN
    del shadow
    gc.collect()  # while there are two, a config that says `AESNN` is ambiguous, in another test too
    assert "AESNN" not in {cls.__name__ for cls in AESNN.__subclasses__()}
