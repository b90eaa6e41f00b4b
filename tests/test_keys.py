"""Measures that were renamed: their former keys work, and nothing of ours uses them."""

import functools
import re
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from snn_synth.errors import InputError
from snn_synth.models import AEANN, ESVAE, HybridVAE, TemporalCodingAE
from snn_synth.training import (
    LitAutoencoder,
    LitAutoencoderANN,
    LitESVAE,
    LitHybridVAE,
    LitTemporalCodingAE,
    ResumeCheckpoint,
)
from tests.training.tiny import TinyImages, firing_autoencoder, quiet_trainer

ROOT = Path(__file__).parents[1]
OLD = re.compile(r"(?<![\w.])(?:val|test|train|heard|unheard)/mse\b|(?<![\w.])mse_whole_set|[`\"']mse[`\"']|\| mse \|")
EXPLAIN = {"keys.py", "record.py"}  # in which old keys are read


class Squares(TinyImages):
    """ESVAE's convolutions need images of a size."""

    def __init__(self):
        super().__init__(train=40, test=20)
        self.images = self.images.repeat_interleave(10, 2).repeat_interleave(7, 3)[..., :28, :28]


MODULES = {
    "autoencoder": (lambda: LitAutoencoder(firing_autoencoder(12, 5), num_steps=4), "standardized_mse"),
    "online": (lambda: LitAutoencoder(firing_autoencoder(12, 5), num_steps=4, rule="online"), "standardized_mse"),
    "ann": (lambda: LitAutoencoderANN(AEANN(12, 5)), "standardized_mse"),
    "temporal": (lambda: LitTemporalCodingAE(TemporalCodingAE(12, 5)), "pixel_mse"),
    "hybrid": (lambda: LitHybridVAE(HybridVAE(12, 5, latent=3, outputs=12, num_steps=4)), "pixel_mse"),
    "esvae": (lambda: LitESVAE(ESVAE(channels=(2, 3), latent=3, num_steps=3)), "pixel_mse"),
}


def test_nothing_that_is_shipped_or_documented_uses_a_former_key():
    files = [ROOT / "README.md", *(ROOT / "configs").rglob("*.yaml"), *(ROOT / "docs").rglob("*.md")]
    files += [path for folder in ("snn_synth", "benchmarks") for kind in ("py", "md") for path in _all(folder, kind)]
    found = {str(path): OLD.findall(path.read_text()) for path in files if path.name not in EXPLAIN}
    assert len(found) > 200
    assert {path: keys for path, keys in found.items() if keys} == {}


def _all(folder, kind):
    return (ROOT / folder).rglob(f"*.{kind}")


@pytest.mark.parametrize("name", MODULES)
def test_a_monitor_by_the_former_key_sees_the_same_numbers_and_nobody_else_does(name, tmp_path):
    make, measure = MODULES[name]
    data = Squares() if name == "esvae" else TinyImages()
    best = {key: ModelCheckpoint(tmp_path / key, monitor=f"val/{key}", filename="{epoch}") for key in ("mse", measure)}
    trainer = quiet_trainer(tmp_path, max_epochs=3, callbacks=list(best.values()))
    trainer.fit(make(), data)
    metrics = trainer.callback_metrics
    assert metrics["val/mse"] == metrics[f"val/{measure}"]
    scores = [one.best_model_score for one in best.values()]
    assert scores[0] == scores[1] <= metrics["val/mse"]
    assert len({Path(one.best_model_path).name for one in best.values()}) == 1
    assert f"val/{measure}" in trainer.progress_bar_metrics
    assert "val/mse" not in trainer.progress_bar_metrics.keys() | trainer.logged_metrics.keys()
    (found,) = trainer.test(datamodule=data, verbose=False)
    assert f"test/{measure}" in found
    assert "test/mse" not in found
    assert trainer.callback_metrics["test/mse"] == pytest.approx(found[f"test/{measure}"])


def still(folder, monitor, epochs, *more, **options):
    """A run that learns nothing, so that no epoch is better than the first."""
    best = ModelCheckpoint(folder, monitor=monitor, filename="{epoch}", save_top_k=1)
    stop = EarlyStopping(monitor, patience=9)
    module = LitAutoencoder(
        firing_autoencoder(12, 5), num_steps=4, optimizer=functools.partial(torch.optim.SGD, lr=0.0)
    )
    trainer = quiet_trainer(folder, max_epochs=epochs, callbacks=[best, stop, *more, ResumeCheckpoint()])
    trainer.fit(module, TinyImages(), **options)
    return best, stop


@pytest.mark.parametrize("monitor", ["val/mse", "val/standardized_mse"])
def test_a_run_that_monitors_the_former_key_is_resumed_by_either(tmp_path, monitor):
    first, _ = still(tmp_path, "val/mse", 2)
    states = torch.load(tmp_path / "resume.ckpt", weights_only=True)["callbacks"]
    assert sum("'val/mse'" in key for key in states) == 2
    again, stop = still(tmp_path, monitor, 4, ckpt_path=tmp_path / "resume.ckpt")
    assert again.best_model_path == first.best_model_path == str(tmp_path / "epoch=0.ckpt")
    assert stop.wait_count == 3, "epochs without an improvement, those before the resume too"


def test_former_keys_are_named_where_they_are_used_alone(tmp_path, recwarn):
    def run(monitor):
        stop = EarlyStopping(monitor, patience=3)
        trainer = quiet_trainer(
            tmp_path, max_epochs=1, num_sanity_val_steps=1, callbacks=[stop, ModelCheckpoint(tmp_path)]
        )
        trainer.fit(LitAutoencoder(firing_autoencoder(12, 5), num_steps=4), TinyImages())
        return [str(one.message) for one in recwarn if "monitors" in str(one.message)]

    with pytest.raises(InputError, match=r"one of \['val/spike_mse', 'val/standardized_mse'\] as `monitor`"):
        run("val/nothing")
    assert run("val/standardized_mse") == []
    (said,) = run("val/mse")
    assert "EarlyStopping monitors val/mse, now val/standardized_mse" in said
