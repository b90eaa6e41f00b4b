import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from filelock import FileLock
from lightning.pytorch import Callback

from snn_synth.cli.reproduce import table
from snn_synth.errors import InputError
from snn_synth.experiments.reproduce import trials
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.curve import Curve
from snn_synth.experiments.reproduce.experiment import Experiment
from snn_synth.experiments.reproduce.recipes import Recipe
from snn_synth.experiments.reproduce.run import _draw, run
from snn_synth.experiments.reproduce.trials import RESULT, Trial
from snn_synth.models import AESNN

SNN = AutoencoderTrial(
    Recipe(lr=0.01, one_cycle=True, batch_size=20), images="mnist_subset", hidden=40, num_steps=6, train_images=1500
)
ANN = AutoencoderTrial(
    Recipe(lr=0.1, optimizer="sgd", batch_size=20), kind="ann", images="mnist_subset", hidden=12, train_images=100
)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")


class Stop(Callback):
    """A crash after some batches."""

    def __init__(self, batches):
        self.batches = batches

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == self.batches:
            raise KeyError("crash")


@pytest.fixture
def experiment():
    return Experiment("A test.", {"SNN": SNN, "ANN": ANN}, (1, 1), {"SNN": 0.5})


def test_a_trial_logs_its_numbers_and_its_picture_to_wandb(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    ANN.run(0, tmp_path, name="ANN", group="a test")
    folder = tmp_path / ANN.key(0)
    (logged,) = folder.glob("wandb/offline-run-*/files/media/images/drawn_*.png")
    assert logged.read_bytes() == (folder / "drawn.png").read_bytes()
    assert list(folder.glob("wandb/offline-run-*/*.wandb"))


def test_an_experiment_leaves_numbers_of_all_seeds_and_pictures(experiment, tmp_path):
    metrics = run("tiny", experiment, tmp_path, "full", seeds=2, argv=["reproduce", "tiny"])
    assert json.loads((tmp_path / "tiny" / "metrics.json").read_text()) == metrics
    for variant, trial in experiment.variants.items():
        found = metrics["variants"][variant]
        each = []
        for seed in (0, 1):
            result = json.loads((tmp_path / "trials" / trial.key(seed) / RESULT).read_text())
            each.append(result["test"]["standardized_mse"])
        assert each[0] != each[1]
        assert found["test/standardized_mse"]["each"] == pytest.approx(each, abs=1e-5)
        assert found["test/standardized_mse"]["mean"] == pytest.approx(np.mean(each), abs=1e-5)
        assert found["test/standardized_mse"]["std"] == pytest.approx(np.std(each, ddof=1), abs=1e-5)
    snn = metrics["variants"]["SNN"]
    assert snn["curve"]["batch"] == [1, 18, 36, 54, 72], "a quarter of the 75 batches, which is less than 20"
    assert snn["curve"]["standardized_mse"][-1] < 0.9 * snn["curve"]["standardized_mse"][0], "it learned"
    assert (snn["paper"], metrics["variants"]["ANN"]["paper"]) == (0.5, None)
    assert metrics["command"] == "snn-synth reproduce tiny"
    assert metrics["drawn"] == ["SNN", "ANN"]
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {"metrics.json", "errors.png", "images.png"}
    assert metrics["trial_seconds"] == pytest.approx(sum(one["trial_seconds"] for one in metrics["variants"].values()))
    again = run("tiny", experiment, tmp_path, "full", seeds=2, argv=["reproduce", "tiny"])
    assert again["trial_seconds"] == metrics["trial_seconds"] > 0, "of what is kept, too"


def test_the_picture_shows_the_rows_that_an_experiment_asks_for(tmp_path, monkeypatch):
    drawn = {name: np.arange(7)[:, None, None, None] * np.ones((7, 10, 28, 28)) / 6 for name in ("one", "two", "three")}
    shown = {}
    monkeypatch.setattr("snn_synth.experiments.reproduce.run.plot.image_rows", lambda rows: shown.update(rows))
    monkeypatch.setattr("snn_synth.experiments.reproduce.run.plot.save_figure", lambda figure, path: None)
    metrics = {"variants": {}, "measures": ["test/fad"], "groups": {}}
    monkeypatch.setattr("snn_synth.experiments.reproduce.run.plot.training_and_test", lambda *_: None)
    drawn["two"][0] = drawn["three"][0] = 0.5  # drawn of other images
    names = {"one": (), "two": (), "three": ("repeated", "completed", "samples")}
    for first, expected in ((1, [1, 2, 3, 4]), (-4, [3, 4, 5, 6]), (-2, [5, 6])):
        shown.clear()
        _draw(tmp_path, metrics, drawn, names, first)
        places = {name: (6 * rows[:, 0, 0, 0]).round().tolist() for name, rows in shown.items() if "image" not in name}
        assert [name for name in shown if "image" in name] == ["image", "two, image"][: 1 + (first > 0)]
        assert places["one"] == places["two"] == expected
        of_kinds = {"three, repeated": {1}, "three, completed": {2}, "three, samples": {3, 4, 5, 6}}
        named = {kind: [place for place in expected if place in of] for kind, of in of_kinds.items()}
        named = {kind: of for kind, of in named.items() if of}
        assert {name: places[name] for name in places if "three" in name} == (
            named if len(named) > 1 else {"three": expected}
        )


def test_groups_of_variants_have_a_mean_and_a_picture(experiment, tmp_path):
    groups = {"both": {"spiking": "SNN", "conventional": "ANN"}}
    metrics = run(
        "tiny", replace(experiment, groups=groups, also=("train/standardized_mse",)), tmp_path, "full", seeds=2
    )
    for measure in ("test/standardized_mse", "train/standardized_mse"):
        each = np.mean([metrics["variants"][variant][measure]["each"] for variant in ("SNN", "ANN")], 0)
        assert metrics["groups"]["both"][measure]["each"] == pytest.approx(each, abs=1e-5)
        assert metrics["groups"]["both"][measure]["mean"] == pytest.approx(each.mean(), abs=1e-5)
        assert metrics["groups"]["both"][measure]["std"] == pytest.approx(each.std(ddof=1), abs=1e-5)
    assert (tmp_path / "tiny" / "groups.png").is_file()
    assert f"both, mean of 2 {each.mean():.3f}"[:14] in table(metrics)


def test_what_another_process_is_at_is_left_to_it_and_waited_for_at_the_end(experiment, tmp_path, monkeypatch):
    lock = FileLock(tmp_path / "trials" / SNN.key(0) / "lock", thread_local=False)
    (tmp_path / "trials" / SNN.key(0)).mkdir(parents=True)
    ran, original = [], Trial._run

    def recorded(self, *arguments):
        ran.append(self.kind)
        lock.release()  # the other process dies while this one is at the next trial
        return original(self, *arguments)

    monkeypatch.setattr(Trial, "_run", recorded)
    lock.acquire()
    assert SNN.run(0, tmp_path / "trials", wait=False) is None
    run("tiny", experiment, tmp_path, "full")
    assert ran == ["ann", "snn"]


def test_later_settings_at_their_defaults_leave_a_trials_name_alone():
    assert AutoencoderTrial(Recipe(lr=0.1)).key(0) == "mnist-snn-196-seed0-19c9725c68"
    assert AutoencoderTrial(Recipe(lr=0.1, warmup=0.2)).key(0) != AutoencoderTrial(Recipe(lr=0.1)).key(0)


def test_what_was_trained_is_not_trained_again(experiment, tmp_path, monkeypatch):
    first = run("tiny", experiment, tmp_path, "full")
    monkeypatch.delattr(trials.Trainer, "fit")
    again = run("tiny", experiment, tmp_path, "full")
    assert again["variants"] == first["variants"]
    shared = Experiment("Another.", {"also": ANN}, (1, 1))
    assert (
        run("other", shared, tmp_path, "full")["variants"]["also"]["test/standardized_mse"]
        == first["variants"]["ANN"]["test/standardized_mse"]
    )


def former_names(value):
    """As files were written before measures were renamed."""
    return json.loads(json.dumps(value).replace("standardized_mse", "mse"))


def test_trials_of_before_measures_were_renamed_are_read(experiment, tmp_path, monkeypatch):
    first = run("tiny", experiment, tmp_path, "full")
    for result in (tmp_path / "trials").glob(f"*/{RESULT}"):
        result.write_text(json.dumps(former_names(json.loads(result.read_text()))))
        assert {"mse", "mse_whole_set"} <= json.loads(result.read_text())["test"].keys()
    monkeypatch.delattr(trials.Trainer, "fit")
    assert run("tiny", experiment, tmp_path, "full")["variants"] == first["variants"]
    assert first["variants"]["SNN"].keys() >= {"test/standardized_mse", "test/standardized_mse_whole_set"}


def test_a_curve_of_before_goes_on():
    curve = Curve(lambda module, data: {}, 1)
    curve.load_state_dict({"points": {"batch": [1.0], "mse": [0.5], "pixel_mse": [0.1]}})
    assert curve.points == {"batch": [1.0], "standardized_mse": [0.5], "pixel_mse": [0.1]}


def test_saved_networks_tell_what_results_of_before_lack(experiment, tmp_path, monkeypatch):
    first = run("tiny", experiment, tmp_path, "full")
    path = tmp_path / "tiny" / "metrics.json"
    old = json.loads(path.read_text())
    for summary in old["variants"].values():
        for key in [key for key in summary if key.startswith(("inference/", "stored/"))]:
            del summary[key]
    path.write_text(json.dumps(old))
    monkeypatch.delattr(trials.Trainer, "fit")
    assert run("tiny", experiment, tmp_path, "full")["variants"] == first["variants"]
    assert {"inference/operations", "stored/bytes, T_h = 5"} <= set(first["variants"]["SNN"])
    path.write_text(json.dumps(old))
    shutil.rmtree(tmp_path / "trials")
    assert run("tiny", experiment, tmp_path, "full")["variants"] == old["variants"], "nothing is trained for their sake"


def test_results_that_are_there_stay_and_what_is_new_is_added(experiment, tmp_path, monkeypatch):
    first = run("tiny", experiment, tmp_path, "full")
    shutil.rmtree(tmp_path / "trials")
    trained, fit = [], trials.Trainer.fit
    monkeypatch.setattr(
        trials.Trainer, "fit", lambda trainer, *rest, **more: trained.append(fit(trainer, *rest, **more))
    )
    changed = replace(ANN, recipe=replace(ANN.recipe, warmup=0.2))
    more = replace(experiment, variants={"ANN, longer warmup": changed, **experiment.variants})
    again = run("tiny", more, tmp_path, "full")
    assert len(trained) == 1
    assert list(again["variants"]) == ["ANN, longer warmup", "SNN", "ANN"]
    assert {variant: again["variants"][variant] for variant in first["variants"]} == first["variants"]
    other = run("tiny", replace(experiment, variants={"ANN": changed}), tmp_path, "full")["variants"]["ANN"]
    assert other == again["variants"]["ANN, longer warmup"], "another trial of the name that results have"
    assert len(trained) == 1, "it has run"


def test_the_time_of_results_that_are_there_counts(experiment, tmp_path):
    """Whether each has its own or, as earlier versions kept it, all have one."""
    first = run("tiny", experiment, tmp_path, "full")
    shutil.rmtree(tmp_path / "trials")
    assert run("tiny", experiment, tmp_path, "full")["trial_seconds"] == pytest.approx(first["trial_seconds"], abs=0.11)
    for one in first["variants"].values():
        del one["trial_seconds"]
    (tmp_path / "tiny" / "metrics.json").write_text(json.dumps(first | {"trial_seconds": 300.0}))
    changed = replace(ANN, recipe=replace(ANN.recipe, warmup=0.2))
    again = run("tiny", replace(experiment, variants={"new": changed, **experiment.variants}), tmp_path, "full")
    new = again["variants"]["new"]["trial_seconds"]
    assert again["trial_seconds"] == pytest.approx(300 + new, abs=0.11)


def test_results_of_other_settings_are_replaced_by_force_alone(experiment, tmp_path):
    run("tiny", experiment, tmp_path, "full")
    before = (tmp_path / "tiny" / "metrics.json").read_bytes()
    with pytest.raises(InputError, match=r"\[0, 1\].* got .*\[0\].*--force"):
        run("tiny", experiment, tmp_path, "full", seeds=2)
    assert (tmp_path / "tiny" / "metrics.json").read_bytes() == before
    assert run("tiny", experiment, tmp_path, "full", seeds=2, force=True)["seeds"] == [0, 1]
    with pytest.raises(InputError, match="at least 1, got 0"):
        run("tiny", experiment, tmp_path, "full", seeds=0)


def test_missing_data_is_said_before_anything_trains(tmp_path, monkeypatch):
    monkeypatch.setattr("snn_synth.data.mnist.fetch", lambda *a, **k: (_ for _ in ()).throw(InputError("no network")))
    monkeypatch.setenv("SNN_SYNTH_DATA", str(tmp_path / "nowhere"))
    needs = Experiment("A test.", {"subset": SNN, "mnist": AutoencoderTrial(Recipe(lr=0.1))}, (1, 1))
    with pytest.raises(InputError):
        run("tiny", needs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rule", ["bptt", "online"])
def test_an_interrupted_trial_goes_on_to_the_same_bits(tmp_path, monkeypatch, rule):
    recipe = Recipe(lr=0.005, rule=rule, batch_size=20)
    trial = AutoencoderTrial(recipe, images="mnist_subset", hidden=8, num_steps=3, train_images=2400)
    whole = trial.run(0, tmp_path / "whole")
    original = trials.Trainer

    def dying(callbacks, **settings):
        return original(callbacks=[Stop(110), *callbacks], **settings)

    with monkeypatch.context() as patch:
        patch.setattr(trials, "Trainer", dying)
        with pytest.raises(KeyError, match="crash"):
            trial.run(0, tmp_path / "parts")
    kept = torch.load(tmp_path / "parts" / trial.key(0) / "resume.ckpt", weights_only=True)["loops"]["fit_loop"]
    assert kept["epoch_loop.batch_progress"]["total"]["processed"] == 100
    parts = trial.run(0, tmp_path / "parts")
    for part in ("test", "train", "curve"):
        assert parts[part] == whole[part]
    first, second = (tmp_path / way / trial.key(0) for way in ("whole", "parts"))
    assert np.array_equal(np.load(first / "drawn.npy"), np.load(second / "drawn.npy"))
    weights = [dict(AESNN.from_pretrained(folder / "network").named_parameters()) for folder in (first, second)]
    assert all(torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())
