import csv
import json
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy

from snn_synth.cli import main
from snn_synth.cli.configs import find, shipped, with_paths
from snn_synth.cli.parsers import PARSERS
from snn_synth.cli.trainer import SynthCLI
from snn_synth.cli.undo import Undo
from snn_synth.errors import InputError
from snn_synth.experiments.reproduce.generators import GENERATORS
from snn_synth.experiments.reproduce.rows import CLOTHES_512, CLOTHES_1024, DIGITS, SPEECH_A, SPEECH_B
from snn_synth.experiments.reproduce.spoken import SPOKEN
from tests.processes import command, exit_codes, free_port

from .conftest import TINY

ROOT = Path(__file__).parents[2]

# Each shipped config with those it stands on: layer sizes, T, epochs, batch size, learning rate, scheduled or not.
CONFIGS = {
    "ae_mnist": (["ae_mnist"], [784, 196, 784], 15, 1, 10, 1.6e-3, True),
    "ae_mnist_online": (["ae_mnist", "ae_mnist_online"], [784, 196, 784], 15, 1, 100, 5e-4, False),
    "ae_fashion_mnist": (["ae_fashion_mnist"], [784, 512, 784], 60, 1, 5, 1e-3, True),
    "ae_fashion_mnist_online": (
        ["ae_fashion_mnist", "ae_fashion_mnist_online"],
        [784, 512, 784],
        60,
        1,
        100,
        5e-4,
        False,
    ),
    "ae_nmnist": (["ae_nmnist"], [2312, 512, 2312], 15, 1, 20, 1.6e-3, True),
    "ae_fashion_mnist_ann": (["ae_fashion_mnist", "ae_fashion_mnist_ann"], [784, 512, 784], None, 1, 100, 5e-3, False),
    "a2i_fsdd": (["a2i_fsdd"], [3900, 1024, 196], 30, 20, 10, 2.5e-4, True),
    "a2i_fsdd_b": (["a2i_fsdd_b"], [3900, 1024, 196], 30, 20, 10, 2.5e-4, True),
    "a2i_fsdd_online": (["a2i_fsdd", "a2i_fsdd_online"], [3900, 512, 196], 30, 20, 50, 5e-5, False),
    "a2i_ti46": (["a2i_ti46"], [58500, 2048, 196], 30, 20, 50, 5e-5, False),
    "shd_a2i": (["shd_a2i"], [700, 1024, 196], 50, 20, 50, 2e-3, True),
}
PAIRINGS = {"a2i_fsdd": "A", "a2i_fsdd_b": "B", "a2i_fsdd_online": "A", "a2i_ti46": "A", "shd_a2i": "A"}


def test_every_shipped_config_is_tested_here():
    others = ["a2i_any_speaker", "a2i_folder", "ae_folder", "tc_mnist", "hv_mnist", "hv_mnist_dvs", "hv_blobs"]
    others += ["gan_mnist", "gan_mnist_means", "esvae_mnist", "vqd_mnist", "vqd_fashion", "imagine_fsdd"]
    others += ["ae_fashion_mnist_conv", "ae_mnist_stacked"]
    assert sorted(shipped()) == sorted([*CONFIGS, "ddp", *others])
    page = PARSERS["fit"]().format_help()
    assert all(name in page for name in shipped())


@pytest.mark.parametrize("name", ["fit", "validate", "test", "predict"])
def test_every_option_on_the_page_is_one_that_lightning_cli_takes(name, capsys):
    named = set(re.findall(r"^  (--\S+)", PARSERS[name]().format_help(), re.MULTILINE))
    with pytest.raises(SystemExit):
        main([name, "--help_all"])
    taken = set(re.findall(r"--[\w.]+", capsys.readouterr().out))
    assert named - taken == {"--KEY", "--help_all", "--allow_import"}  # a placeholder; we take the others first


@pytest.fixture
def parsed(monkeypatch, tmp_path):
    """What LightningCLI makes of a command line, without the run."""
    monkeypatch.setattr(SynthCLI, "fit", lambda self, **arguments: None)

    def parse(*words):
        with Undo() as undo:
            return SynthCLI(["fit", "--trainer.accelerator=cpu", *words], undo)

    return parse


def test_the_temporal_coding_config_makes_what_it_says(parsed):
    cli = parsed("--config=tc_mnist")
    assert cli.model.network.config["hidden"] == 32
    assert cli.model.network.latency == 1
    assert (cli.trainer.max_epochs, cli.datamodule.batch_size, cli.model.penalty) == (12, 32, 0.3)
    (group,) = cli.model.optimizer(cli.model.network.parameters()).param_groups
    assert group["lr"] == 3e-3


def test_the_hybrid_config_makes_what_it_says(parsed):
    cli = parsed("--config=hv_mnist")
    expected = {"inputs": 784, "hidden": 200, "latent": 64, "num_steps": 16, "decoding": "mlp", "n_basis": 4}
    assert cli.model.network.config.items() >= expected.items()
    assert (cli.model.encoding, cli.model.beta, cli.model.reference_rate, cli.model.draws) == ("rate", 1e-3, 0.3, 4)
    assert (cli.trainer.max_epochs, cli.datamodule.batch_size, cli.model.encoder_share) == (5, 64, 0.15)


def test_the_event_config_makes_what_it_says(parsed):
    cli = parsed("--config=hv_mnist_dvs")
    expected = {"inputs": 1352, "hidden": 200, "latent": 32, "num_steps": 80, "decoding": "mlp"}
    assert cli.model.network.config.items() >= expected.items()
    assert cli.model.encoding == "events"
    assert (cli.datamodule.num_steps, cli.datamodule.step, cli.datamodule.batch_size) == (80, 25_000, 32)


@pytest.mark.parametrize(("name", "step"), [("shd_a2i", 25_000), ("ae_nmnist", 21_000)])
def test_configs_whose_data_are_spikes_have_one_number_of_steps(name, step, parsed):
    cli = parsed(f"--config={name}")
    assert cli.datamodule.num_steps == cli.model.num_steps
    assert cli.datamodule.step == step
    assert cli.datamodule.gives_spikes


def test_the_predictive_coding_config_makes_what_it_says(parsed):
    cli = parsed("--config=hv_blobs", "--data.delay=3")
    expected = {"inputs": 20, "outputs": 210, "latent": 10, "window": 5, "decoding": "linear"}
    assert cli.model.network.config.items() >= expected.items()
    assert (cli.model.beta, cli.model.reference_rate, cli.model.draws) == (1e-2, 0.2, 2)
    assert (cli.datamodule.sequences, cli.datamodule.steps, cli.datamodule.delay) == (50_000, 100, 3)


def test_the_esvae_config_makes_what_it_says(parsed):
    cli = parsed("--config=esvae_mnist")
    expected = {"side": 28, "channels": [16, 32, 64], "latent": 32, "num_steps": 8, "alpha": 0.75}
    assert cli.model.network.config == expected
    assert (cli.trainer.max_epochs, cli.datamodule.batch_size, cli.model.mmd_weight) == (8, 64, 1e-3)
    assert {"ImageGrid", "SampleGrid"} <= {type(callback).__name__ for callback in cli.trainer.callbacks}


def test_the_config_of_spoken_words_makes_what_it_says_as_the_experiment_does(parsed):
    cli = parsed("--config=imagine_fsdd")
    trial = SPOKEN["spoken-diffusion"].variants["VQ-diffusion"]
    assert (cli.model.audio_source, cli.model.diffusion_source) == (trial.audio, "mnist-vqd")
    assert (cli.model.guidance, cli.trainer.max_epochs) == (trial.guidance, trial.recipe.epochs)
    assert cli.datamodule.batch_size == trial.recipe.batch_size
    optimizer = cli.model.optimizer(cli.model.network.parameters())
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (trial.recipe.lr, trial.recipe.weight_decay)
    assert cli.model.network.config == {"code": 196, "conditions": 10}


@pytest.mark.parametrize(("name", "tokens"), [("vqd_mnist", 128), ("vqd_fashion", 256)])
def test_the_vqd_configs_make_what_they_say_as_the_experiment_does(parsed, name, tokens):
    cli = parsed(f"--config={name}")
    trial = GENERATORS["vq-diffusion"].variants["MNIST" if name == "vqd_mnist" else "Fashion-MNIST"]
    assert type(cli.datamodule).name == trial.images
    assert cli.model.network.autoencoder.tokens == cli.model.network.denoiser.tokens == trial.codebook == tokens
    assert tuple(cli.model.network.autoencoder.config["channels"]) == trial.channels
    assert cli.model.network.denoiser.config["hidden"] == trial.hidden
    assert (cli.trainer.max_epochs, cli.datamodule.batch_size) == (trial.recipe.epochs, trial.recipe.batch_size)
    assert (cli.model.autoencoder_epochs, cli.model.precision) == (trial.autoencoder_epochs, "mixed")
    (group,) = cli.model.optimizer(cli.model.network.parameters()).param_groups
    assert (group["lr"], group["weight_decay"]) == (trial.recipe.lr, trial.recipe.weight_decay)


def test_the_gan_config_makes_what_it_says(parsed):
    cli = parsed("--config=gan_mnist")
    expected = {"side": 14, "latent": 16, "hidden": 400, "classes": 10, "num_steps": 64, "smoothing": 64.0}
    assert cli.model.network.config == expected
    assert (cli.trainer.max_epochs, cli.datamodule.batch_size) == (4, 64)
    assert (cli.model.loss, cli.model.matching, cli.model.adversarial) == ("softmax", 0, 2)
    assert (cli.model.energy, cli.model.repulsion) == (100, 0.63)
    assert "SampleGrid" in {type(callback).__name__ for callback in cli.trainer.callbacks}
    (group,) = cli.model.optimizer(cli.model.network.generator.parameters()).param_groups
    assert (group["lr"], tuple(group["betas"])) == (2e-3, (0.5, 0.99))


def test_the_gan_of_class_means_makes_what_it_says(parsed):
    cli = parsed("--config=gan_mnist_means")
    assert cli.model.network.config.items() >= {"side": 14, "latent": 64, "hidden": 256}.items()
    assert (cli.model.matching, cli.model.adversarial, cli.model.energy) == (200, 1, 0)
    (group,) = cli.model.optimizer(cli.model.network.generator.parameters()).param_groups
    assert group["lr"] == 5e-4


def test_the_convolutional_config_makes_what_it_says(parsed):
    cli = parsed("--config=ae_fashion_mnist_conv")
    assert cli.model.network.code == 392
    assert cli.model.network.layers[0][1].reset_mechanism == "subtract"
    assert (cli.model.num_steps, cli.model.rule, cli.model.loss, cli.model.greedy_epochs) == (60, "bptt", "rate", 0)
    assert (cli.trainer.max_epochs, cli.datamodule.batch_size, cli.model.neuron_share) == (1, 20, 3)


def test_the_stacked_config_makes_what_it_says(parsed):
    cli = parsed("--config=ae_mnist_stacked")
    assert cli.model.network.sizes == [784, 256, 64, 256, 784]
    assert (cli.model.num_steps, cli.model.greedy_epochs, cli.trainer.max_epochs) == (15, 1, 3)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_makes_what_it_says(name, parsed):
    stack, sizes, num_steps, epochs, batch_size, lr, scheduled = CONFIGS[name]
    cli = parsed(*[f"--config={part}" for part in stack])
    root = Path("runs", name)
    assert cli.model.network.sizes == sizes
    if num_steps is not None:
        assert cli.model.num_steps == num_steps
        assert cli.model.rule == ("online" if "online" in name or "ti46" in name else "bptt")
    assert cli.trainer.max_epochs == epochs
    assert cli.datamodule.batch_size == batch_size
    assert getattr(cli.datamodule, "pairing", None) == PAIRINGS.get(name)
    optimizer = cli.model.optimizer(cli.model.network.parameters())
    assert isinstance(optimizer, torch.optim.AdamW)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["fused"]) == (lr, 1e-4, True)
    assert (cli.model.lr_scheduler is not None) == scheduled
    if scheduled:
        assert cli.model.lr_scheduler(optimizer, total_steps=10)._schedule_phases
    assert Path(cli.trainer.default_root_dir) == root
    assert [Path(logger.save_dir) for logger in cli.trainer.loggers] == [root, root]
    best = next(c for c in cli.trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint))
    assert Path(best.dirpath) == root.absolute()
    kinds = [type(callback).__name__ for callback in cli.trainer.checkpoint_callbacks]
    assert kinds.index("ModelCheckpoint") < kinds.index("ResumeCheckpoint"), "else a resumed run forgets its best"
    names = {type(callback).__name__ for callback in cli.trainer.callbacks}
    assert {"ResumeCheckpoint", "ImageGrid"} <= names
    assert ({"SpikeStatistics", "LayerWarning"} <= names) == (num_steps is not None)
    assert type(cli.trainer.strategy.checkpoint_io).__name__ == "AtomicCheckpointIO"


# The comment of ae_fashion_mnist.yaml says so.
WIDER = ("--model.network.hidden=1024", "--model.optimizer.lr=5e-4", "--model.lr_scheduler.max_lr=5e-4")


@pytest.mark.parametrize(
    ("name", "more", "best"),
    [
        ("ae_mnist", (), DIGITS["SNN best"]),
        ("ae_fashion_mnist", (), CLOTHES_512["SNN best"]),
        ("ae_fashion_mnist", WIDER, CLOTHES_1024["SNN best"]),
        ("a2i_fsdd", (), SPEECH_A["SNN best"]),
        ("a2i_fsdd_b", (), SPEECH_B["SNN best"]),
    ],
)
def test_a_config_has_the_recipe_that_its_search_chose(name, more, best, parsed):
    cli = parsed(f"--config={name}", *more)
    found, recipe = cli.model, best.recipe
    assert found.network.config.items() >= {"learned": best.learned, "reset": best.reset, "slope": best.slope}.items()
    assert (found.rule, found.loss, found.num_steps) == (recipe.rule, recipe.loss, best.num_steps)
    assert (cli.datamodule.batch_size, cli.trainer.max_epochs) == (recipe.batch_size, recipe.epochs)
    optimizer = found.optimizer(found.network.parameters())
    assert isinstance(optimizer, torch.optim.AdamW)
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (recipe.lr, recipe.weight_decay)
    assert found.lr_scheduler(optimizer, total_steps=10)._schedule_phases[0]["end_step"] == recipe.warmup * 10 - 1
    if best.learned:
        assert found.neuron_share == recipe.neuron_share
    if name.startswith("a2i"):
        assert found.autoencoder_recipe == ("learned" if best.autoencoder.learned else "fixed")
        assert cli.datamodule.pairing == best.pairing
    if name == "a2i_fsdd_b":
        assert found.hidden_steps == best.bits


def test_the_papers_rule_on_top_of_data_set_b_keeps_the_data_set(parsed):
    cli = parsed("--config=a2i_fsdd_b", "--config=a2i_fsdd_online")
    assert (cli.model.rule, cli.model.loss, cli.model.hidden_steps) == ("online", "membrane", 10)
    assert (cli.datamodule.pairing, cli.datamodule.batch_size) == ("B", 50)
    assert cli.datamodule.front_end.shape == (39, 100)
    optimizer = cli.model.optimizer(cli.model.network.parameters())
    assert (optimizer.defaults["lr"], cli.model.lr_scheduler) == (5e-5, None)


@pytest.mark.parametrize("name", ["ae_mnist", "a2i_fsdd_online", "shd_a2i"])
def test_ddp_goes_on_top_of_a_config_and_changes_nothing_else(name, parsed):
    stack = [f"--config={part}" for part in CONFIGS[name][0]]
    alone, spread = parsed(*stack), parsed(*stack, "--config=ddp")
    assert type(spread.trainer.strategy) is DDPStrategy
    assert (alone.trainer.world_size, spread.trainer.world_size) == (1, 2)
    settings = alone.config.fit.as_dict(), spread.config.fit.as_dict()
    for fit in settings:
        fit.pop("config")
        for key in ("strategy", "devices", "num_nodes"):
            fit["trainer"].pop(key)
    assert str(settings[0]) == str(settings[1])


def test_ddp_takes_more_processes_and_machines(parsed, monkeypatch):
    for name, value in (("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "29500"), ("NODE_RANK", "0")):
        monkeypatch.setenv(name, value)
    trainer = parsed("--config=ae_mnist", "--config=ddp", "--trainer.devices=4", "--trainer.num_nodes=3").trainer
    assert (trainer.num_devices, trainer.num_nodes, trainer.world_size) == (4, 3, 12)


def test_several_machines_have_to_be_told_where_they_meet(refused, monkeypatch):
    monkeypatch.delenv("MASTER_PORT", raising=False)
    monkeypatch.setenv("NODE_RANK", "0")
    said = refused("fit", "--config=ae_mnist", "--config=ddp", "--trainer.num_nodes=2", "--trainer.accelerator=cpu")
    assert "MASTER_PORT" in said
    assert "NODE_RANK" not in said


def test_numbers_other_than_slurms_are_refused(refused, monkeypatch, digits):
    slurm = {"NTASKS": 4, "NTASKS_PER_NODE": 4, "NNODES": 1, "NODELIST": "localhost", "JOB_NAME": "train"}
    ranks = {"JOB_ID": 7, "LOCALID": 0, "PROCID": 0, "NODEID": 0}
    for name, value in (slurm | ranks).items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    of_few = f"--data.root={digits}", "--data.validation_fraction=0.25"
    said = refused("fit", "--config=ae_mnist", "--config=ddp", "--trainer.accelerator=cpu", *of_few)
    assert "devices=4" in said


def test_predict_is_for_one_process(refused, digits):
    checkpoint = Path("best.ckpt")
    torch.save({"state_dict": {}, "hyper_parameters": {}}, checkpoint)
    said = refused(
        "predict", *TINY, "--config=ddp", f"--data.root={digits}", f"--ckpt_path={checkpoint}", "--trainer.devices=2"
    )
    assert "one process" in said


@pytest.mark.slow
def test_what_two_processes_write_is_written_once(digits, monkeypatch, fresh_process):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "NODE_RANK": "0"}
    words = ["fit", *TINY, f"--data.root={digits}", "--config=ddp", "--data.batch_size=5", "--trainer.max_epochs=1"]
    processes = []
    for rank in range(2):  # as torchrun, or Lightning itself, starts them
        for name, value in (meeting | {"LOCAL_RANK": str(rank)}).items():
            monkeypatch.setenv(name, value)
        processes.append(fresh_process(command, [*words, "--trainer.log_every_n_steps=1"]))
    assert exit_codes(*processes) == [0, 0]
    run = Path("runs/ae_mnist")
    found = Counter(path.name for path in run.rglob("*") if "wandb" not in path.parts)
    files = ["best.ckpt", "resume.ckpt", "config.yaml", "metrics.json", "metrics.csv", "epoch=000-batch=000003.png"]
    assert all(found[name] == 1 for name in files)
    assert len(list(run.rglob("*.wandb"))) == 1
    [log] = run.rglob("metrics.csv")
    rows = list(csv.DictReader(log.read_text().splitlines()))
    assert [row["step"] for row in rows if row["train/loss"]] == ["0", "1", "2"], "30 images, 10 of them in each step"
    [mse] = [row["val/standardized_mse"] for row in rows if row["val/standardized_mse"]]
    assert json.loads((run / "metrics.json").read_text())["val/standardized_mse"] == pytest.approx(float(mse), abs=1e-6)


def test_the_front_end_of_a2i_gives_the_inputs_of_its_network(parsed):
    cli = parsed("--config=a2i_fsdd")
    assert cli.datamodule.front_end.shape == (39, 100)
    assert cli.datamodule.inputs == cli.model.network.sizes[0]
    assert cli.model.hidden_steps == 15
    assert cli.model.autoencoder is None


def test_a_run_elsewhere_takes_everything_along(parsed):
    cli = parsed("--config=ae_mnist", "--trainer.default_root_dir=elsewhere")
    assert {str(logger.save_dir) for logger in cli.trainer.loggers} == {"elsewhere"}
    best = next(c for c in cli.trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint))
    assert Path(best.dirpath) == Path("elsewhere").absolute()


def test_short_names_and_short_keys_work(parsed):
    cli = parsed("--config=a2i_fsdd", "--model.network.hidden=7", "--data=MNISTData", "--data.batch_size=3")
    assert cli.model.network.sizes == [3900, 7, 196]
    assert type(cli.datamodule).__name__ == "MNISTData"
    assert cli.datamodule.batch_size == 3


def test_names_become_paths_wherever_a_config_is_named(tmp_path):
    path = str(ROOT / "configs" / "ae_mnist.yaml")
    assert find("ae_mnist") == Path(path)
    assert with_paths(["fit", "--config", "ae_mnist", "--x", "ae_mnist"]) == [
        "fit",
        "--config",
        path,
        "--x",
        "ae_mnist",
    ]
    assert with_paths(["fit", "--x=1", "--config", "ae_mnist"]) == ["fit", "--config", path, "--x=1"]
    assert with_paths(["fit", "-c", "ae_mnist", "--config=ae_mnist"]) == ["fit", "-c", path, f"--config={path}"]
    own = tmp_path / "own.yaml"
    own.write_text("model: {}\n")
    assert find(str(own)) == own


def test_a_file_goes_before_a_shipped_name():
    Path("ae_mnist").write_text("model: mine\n")
    assert find("ae_mnist") == Path("ae_mnist")


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(InputError) as error:
        find("ae_mnits")
    assert "'ae_mnits'" in str(error.value)
    assert all(name in str(error.value) for name in CONFIGS)


@pytest.mark.slow
def test_the_wheel_ships_the_configs(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"snn_synth/configs/{name}.yaml" for name in CONFIGS} <= set(names)
    assert "snn_synth/cli/entry.py" in names
