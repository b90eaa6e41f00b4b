"""Spoken digits that are spikes: files written here in SHD's format, digits as bands of the cochlea that fire."""

import numpy as np
import pytest
import torch

from snn_synth.data import MNISTSubset, SpectrogramAugmentation
from snn_synth.errors import InputError
from snn_synth.models import ACSNN
from snn_synth.training import LitAudiocoder, SHDData, SSCData
from tests.recordings import write_spike_file
from tests.training.tiny import firing_autoencoder, quiet_trainer

STEPS, STEP = 8, 50_000


def write_shd(root, train=3, test=1, unheard=("4", "5")):
    """Each of the 20 words: `train` takes by speakers 0 and 1, of the test by both, and by those never heard."""
    draw = np.random.default_rng(0)

    def file(part, takes, speakers):
        words, labels, names = [], [], []
        for label in range(20):
            for speaker in speakers:
                for _ in range(takes):
                    band = 35 * label + draw.integers(0, 35, 60)
                    words.append((draw.uniform(0, 0.4, 60), band))
                    labels.append(label)
                    names.append(int(speaker))
        write_spike_file(root / "shd" / f"shd_{part}.h5", words, labels, names)

    file("train", train, ("0", "1"))
    file("test", test, ("0", "1", *unheard))
    return str(root)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNN_SYNTH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield write_shd(tmp_path_factory.mktemp("data"))


@pytest.fixture
def data(root):
    """Makes the data of a test, ready for it."""

    def make(**settings):
        settings = {"images": "mnist_subset", "num_steps": STEPS, "step": STEP, "batch_size": 20} | settings
        made = SHDData(root, **settings)
        made.prepare_data()
        made.setup("fit")
        return made

    return make


@pytest.fixture
def module():
    """Makes an audiocoder with an autoencoder that fires."""

    def make(**settings):
        torch.manual_seed(0)
        made = LitAudiocoder(ACSNN(700, 24, 12), num_steps=settings.pop("num_steps", STEPS), **settings)
        made.adopt(firing_autoencoder(784, 12))
        return made

    return make


def test_the_words_of_both_files_are_paired_with_the_first_image_of_their_digit(data):
    made, digits = data(), MNISTSubset(train=True)
    assert (len(made.train_index), len(made.validation_index), len(made.test_index)) == (110, 10, 80)
    batch = next(iter(made.train_dataloader()))
    assert batch.spikes.shape == (STEPS, 20, 700)
    for place in range(20):
        label = int(batch.labels[place])
        assert torch.equal(made.gallery[batch.image[place]][0], digits.images[digits.labels == label][0] / 255)
        said = set((batch.spikes[:, place].sum(0).nonzero().flatten() // 35 % 10).tolist())
        assert said == {label}, "label and spikes are of the same word"
    everything = torch.cat([made.train_index, made.validation_index, made.test_index])
    assert everything.sort().values.tolist() == list(range(200))


@pytest.mark.parametrize("language", ["english", "german"])
def test_a_language_has_its_words_alone(data, language):
    made = data(language=language)
    assert len(made.labels) == 100
    units = made.batch(torch.arange(100)).spikes.sum((0, 1)).nonzero().flatten()
    assert (units < 350).all() if language == "english" else (units >= 350).all()


def test_the_test_is_the_test_file_or_the_speakers_who_are_in_it_alone(data):
    official, apart = data(), data(split="held-out-speakers")
    assert [official.speakers[i] for i in official.held_out_index] == ["4", "5"] * 20
    assert len(official.test_dataloader().dataset) == 80
    unheard, heard = apart.test_dataloader()
    assert {apart.speakers[i] for i in unheard.dataset.index} == {"4", "5"}
    assert {apart.speakers[i] for i in heard.dataset.index} == {"0", "1"}
    assert len(unheard.dataset) + len(heard.dataset) == 80
    assert not set(apart.train_index.tolist()) & set(official.test_index.tolist())


def test_test_files_without_new_speakers_are_split_as_they_are(tmp_path):
    made = SHDData(write_shd(tmp_path, unheard=()), images="mnist_subset", num_steps=STEPS, step=STEP)
    made.setup("fit")
    assert len(made.test_dataloader().dataset) == 40
    assert len(made.held_out_index) == 0


def test_pairing_b_gives_each_word_an_image_of_its_own(data):
    made = data(pairing="B")
    assert len(made.gallery) == len(made.train_index) == 110
    batch = made.batch(made.train_index)
    assert torch.equal(made.gallery_labels[batch.image], batch.labels)


@pytest.mark.parametrize("settings", [{}, {"loss": "rate"}, {"rule": "online"}], ids=str)
def test_spikes_go_in_as_they_are_by_both_rules(data, module, settings, tmp_path, monkeypatch):
    made, lit = data(split="held-out-speakers"), module(**settings)
    monkeypatch.setattr(lit, "encode", lambda *arguments: pytest.fail("spikes are encoded"))
    seen, network = [], type(lit.network)
    monkeypatch.setattr(LitAudiocoder, "learn", _watched(LitAudiocoder.learn, seen))
    before = [weight.clone() for weight in lit.network.parameters()]
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(lit, datamodule=made)
    assert isinstance(lit.network, network)
    assert not any(torch.equal(*pair) for pair in zip(before, lit.network.parameters(), strict=True))
    batches = list(made.train_dataloader())
    assert len(seen) == 5
    assert torch.equal(seen[0], batches[0].spikes)
    keys = {f"{stage}/{name}" for stage in ("test", "heard") for name in ("standardized_mse", "nearest_class")}
    assert keys <= set(trainer.test(lit, datamodule=made, verbose=False)[0]) | set(trainer.callback_metrics)
    drawn = trainer.predict(lit, datamodule=made)
    first = next(iter(made.test_dataloader()[0]))
    assert torch.equal(drawn[0], lit.audio_to_image().draw(first.spikes).images)
    assert drawn[0].shape == (20, 1, 28, 28)


def _watched(learn, seen):
    def watched(self, spikes, targets):
        seen.append(spikes.clone())
        return learn(self, spikes, targets)

    return watched


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_steps": 7}, "Expected the same `num_steps` of model and data, .* got 7 and 8"),
        ({"code": "even"}, "Expected `code` poisson, as SHDData gives spikes that nothing encodes, got even"),
        ({"max_rate": 0.5}, r"Expected `max_rate` 1\.0, as SHDData .* got 0\.5"),
        ({"direct": True}, "Expected `direct` False, as SHDData .* got True"),
        ({"augmentation": SpectrogramAugmentation()}, "Expected `augmentation` None, as SHDData .* got"),
        ({"train_steps": 4}, "Expected no `train_steps` of their own where the data gives spikes, got 4"),
    ],
)
def test_what_has_no_use_for_spikes_is_refused(data, module, settings, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        quiet_trainer(tmp_path, max_epochs=1).fit(module(**settings), datamodule=data())


def test_a_network_of_another_size_is_refused(data, module, tmp_path):
    with pytest.raises(InputError, match="Expected an audiocoder with 70 inputs for spikes, got 700"):
        quiet_trainer(tmp_path, max_epochs=1).fit(module(), datamodule=data(channels=70))


def test_settings_that_do_not_fit(root, tmp_path, data):
    with pytest.raises(InputError, match=r"Expected `split` of \['official', 'held-out-speakers'\], got 'random'"):
        SHDData(root, split="random")
    with pytest.raises(InputError, match="Expected `pairing` of"):
        SHDData(root, pairing="C")
    with pytest.raises(InputError, match="Expected `batch_size` to be at least 1, got 0"):
        SHDData(root, batch_size=0)
    heard = write_shd(tmp_path, train=1, unheard=())
    made = SHDData(heard, images="mnist_subset", split="held-out-speakers")
    with pytest.raises(InputError, match=r"Expected speakers in shd_test.h5 who are not in .* got none among 0, 1"):
        made.setup("fit")


def test_a_checkpoint_remembers_the_data_and_the_model(data, module, tmp_path):
    made, lit = data(language="german"), module()
    trainer = quiet_trainer(tmp_path, max_epochs=1)
    trainer.fit(lit, datamodule=made)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    again, remembered = (kind.load_from_checkpoint(tmp_path / "one.ckpt") for kind in (LitAudiocoder, SHDData))
    assert (remembered.language, remembered.num_steps, remembered.step) == ("german", STEPS, STEP)
    assert again.front_end is None
    spikes = made.batch(made.test_index[:5]).spikes
    assert torch.equal(again.audio_to_image().draw(spikes).images, lit.audio_to_image().draw(spikes).images)


COMMANDS = ("cat", "seven", "zero", "up", "one")


def write_ssc(root, keys=COMMANDS, takes=4):
    """Words of Speech Commands, a band of the cochlea for each label; speakers of the parts are others."""
    draw = np.random.default_rng(1)
    for place, part in enumerate(("train", "valid", "test")):
        labels = [label for label in range(len(keys)) for _ in range(takes)]
        words = [(draw.uniform(0, 0.4, 60), 35 * label + draw.integers(0, 35, 60)) for label in labels]
        write_spike_file(root / "ssc" / f"ssc_{part}.h5", words, labels, [place] * len(labels), keys)
    return str(root)


def test_ssc_has_its_digits_alone_and_its_own_files_are_the_split(tmp_path):
    images = {"images": "mnist_subset", "num_steps": STEPS, "step": STEP}
    made = SSCData(write_ssc(tmp_path, (*COMMANDS, "two", "three", "four", "five", "six", "eight", "nine")), **images)
    made.setup("fit")
    parts = made.train_index, made.validation_index, made.test_index
    assert [{made.speakers[i] for i in part} for part in parts] == [{"0"}, {"1"}, {"2"}]
    assert [len(part) for part in parts] == [40, 40, 40]
    batch = made.batch(made.validation_index)
    band = {7: 1, 0: 2, 1: 4, 2: 5, 3: 6, 4: 7, 5: 8, 6: 9, 8: 10, 9: 11}
    for place, label in enumerate(batch.labels.tolist()):
        assert set((batch.spikes[:, place].sum(0).nonzero().flatten() // 35).tolist()) == {band[label]}
    assert torch.equal(made.gallery_labels[batch.image], batch.labels)
    assert len(made.val_dataloader()[0].dataset) == 40
    assert (len(made.held_out_index), made.tests_unheard, made.validation_fraction) == (0, False, 0)
    digits = MNISTSubset(train=True)
    first = torch.stack([digits.images[digits.labels == label][0] for label in range(10)])
    assert torch.equal((255 * made.gallery[:, 0]).round().to(torch.uint8), first), "images to train on"


def test_ssc_without_a_digit_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"Expected some of the words zero to nine in extra/keys, got .*cat"):
        SSCData(write_ssc(tmp_path, ("cat", "up")), images="mnist_subset").setup("fit")
