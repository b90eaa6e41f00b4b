"""Images of one's own from the command line alone, and sentences about those that are none."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from snn_synth.cli import main
from snn_synth.data import as_pixels, read_image
from snn_synth.training import LitAutoencoder

TINY = [
    "--config=ae_folder",
    "--trainer.accelerator=cpu",
    "--trainer.enable_model_summary=false",
    "--trainer.max_epochs=2",
    "--trainer.check_val_every_n_epoch=1",
    "--model.network.hidden=8",
    "--model.network.threshold=0.2",  # or so few neurons would be silent
    "--model.num_steps=4",
    "--data.batch_size=10",
    "--data.validation_fraction=0.25",
]
SIZED = ["--data.images.size=[6,8]", "--model.network.inputs=144"]


@pytest.fixture
def folder(tmp_path):
    """20 images of each of two classes, of different sizes, kinds and colours."""
    for number, name in enumerate(("cats", "dogs")):
        for place in range(20):
            path = tmp_path / "images" / name / f"{place}.{'png' if place % 2 else 'jpg'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            size, color = (9 + place, 20 - place // 2), (150 * number + 5 * place, 100, 40)
            Image.new("RGB" if place % 3 else "L", size, color if place % 3 else 90).save(path)
    return tmp_path / "images"


def metrics(path):
    return json.loads(Path(path).read_text())


@pytest.mark.slow
def test_fit_resume_test_and_predict_from_a_folder(folder):
    words = [*TINY, *SIZED, "--data.images.root", str(folder)]
    assert main(["fit", *words]) == 0
    run = Path("runs/ae_folder")
    found = metrics(run / "metrics.json")
    assert 0 < found["test/standardized_mse"] < 4
    assert len(list((run / "images").glob("*.png"))) == 2
    assert main(["test", "--config", str(run / "config.yaml")]) == 0
    assert metrics(run / "test.json")["test/standardized_mse"] == pytest.approx(
        found["test/standardized_mse"], abs=1e-6
    )
    assert main(["predict", *words]) == 0
    predicted = load_file(run / "predictions.safetensors")
    assert predicted["images"].shape == predicted["targets"].shape == (8, 3, 6, 8)
    with safe_open(run / "predictions.safetensors", "pt") as file:
        paths = json.loads(file.metadata()["files"])
    read = [as_pixels(read_image(path, [6, 8], color=True)[None])[0] for path in paths]
    assert torch.equal(torch.stack(read), predicted["targets"])
    with Image.open(run / "predictions.png") as picture:
        assert picture.mode in ("RGB", "RGBA")
    assert LitAutoencoder.load_from_checkpoint(run / "best.ckpt").network.inputs == 144
    assert main(["fit", *words, "--trainer.max_epochs=3", "--ckpt_path", str(run / "resume.ckpt")]) == 0
    assert len(list((run / "images").glob("*.png"))) == 3


@pytest.mark.slow
def test_image_sets_of_ones_own_class_and_those_with_names_edit_no_list(tmp_path, monkeypatch, digits):
    Path("mine.py").write_text(
        "import torch\n"
        "from snn_synth.data import ImageDataset\n"
        "class Noise(ImageDataset):\n"
        "    def __init__(self, count: int, side: int = 6) -> None:\n"
        "        super().__init__(torch.randint(0, 256, (count, side, side), dtype=torch.uint8),\n"
        "                         torch.arange(count) % 2, ['even', 'odd'])\n"
    )
    own = ["--allow_import=mine", "--data.images=mine.Noise", "--data.images.count=40", "--model.network.inputs=36"]
    assert main(["fit", *TINY, *own, "--trainer.default_root_dir=runs/noise"]) == 0
    assert metrics("runs/noise/metrics.json")["test/standardized_mse"] > 0
    named = ["--data.images=mnist", f"--data.root={digits}", "--model.network.inputs=784", "--model.network.hidden=64"]
    assert main(["fit", *TINY, *named, "--trainer.default_root_dir=runs/mnist"]) == 0
    assert metrics("runs/mnist/metrics.json")["test/standardized_mse"] > 0


def empty(folder):
    (folder / "birds").mkdir()


def one_image(folder):
    for path in [*folder.rglob("*.png"), *folder.rglob("*.jpg")][1:]:
        path.unlink()
    for path in folder.iterdir():
        if not any(path.iterdir()):
            path.rmdir()


def damaged(folder):
    (folder / "cats" / "0.jpg").write_bytes((folder / "cats" / "0.jpg").read_bytes()[:200])


def as_they_are(folder):
    Path("mine.yaml").write_text("data: {init_args: {images: {init_args: {size: null}}}}\n")


def untouched(folder):
    pass


@pytest.mark.parametrize(
    ("spoil", "words", "message"),
    [
        (untouched, ["--data.images.root=nowhere"], "one folder in it for each class, got none at nowhere"),
        (as_they_are, ["--config=mine.yaml"], "images of one size, or `size` to resize them"),
        (untouched, ["--data.images.size=0"], "`size` as a side"),
        (untouched, ["--data.images.size=big"], "size"),
        (untouched, ["--model.network.inputs=784"], "one with 784 inputs: give --model.network.inputs 3072"),
        (untouched, ["--data.images.color=false"], "images of 1 x 32 x 32 values"),
        (untouched, ["--data.images.class_path=os.system"], "os.system"),
        (untouched, ["--data.images=emnist"], "emnist"),
        (untouched, ["--data.test_fraction=0.99"], "leaves samples of each label"),
        (empty, [], "in the folder of each class, got none in"),
        (one_image, [], "at least 2 samples of a label, to hold one out, got 1 (`test_fraction`)"),
        (damaged, [], "0.jpg"),
        (damaged, [], "repair it, or leave out such files by skip_unreadable=True"),
        (damaged, [], "--data.images.skip_unreadable true"),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_one_sentence(folder, refused, spoil, words, message):
    spoil(folder)
    assert message in refused("fit", *TINY, "--data.images.root", folder, *words)


@pytest.mark.slow
def test_a_damaged_file_is_left_out_on_request(folder, capsys):
    damaged(folder)
    words = ["--data.images.skip_unreadable=true", "--data.images.root", str(folder), "--trainer.max_epochs=1"]
    with pytest.warns(UserWarning, match=r"Left out 1 file, the first: .*0\.jpg"):
        assert main(["fit", *TINY, *SIZED, *words]) == 0
    assert torch.isfinite(torch.tensor(metrics("runs/ae_folder/metrics.json")["test/standardized_mse"]))


def test_another_size_is_refused_before_a_logger_begins(folder, refused, monkeypatch):
    monkeypatch.setattr("snn_synth.cli.trainer.SynthCLI._fit", lambda *_, **__: pytest.fail("loggers begin in it"))
    message = refused("fit", *TINY, "--data.images.root", folder, "--data.images.size=40")
    assert "one with 3072 inputs: give --model.network.inputs 4800" in message


def test_predict_names_what_is_there_where_there_is_no_best(folder, refused):
    words = ["--config=ae_folder", "--data.images.root", folder, *SIZED]
    assert refused("predict", *words).endswith(
        "got no file at runs/ae_folder/best.ckpt: give --ckpt_path, or `fit` first"
    )
    Path("runs/ae_folder").mkdir(parents=True)
    Path("runs/ae_folder/resume.ckpt").touch()
    assert refused("predict", *words).endswith("best.ckpt: give --ckpt_path runs/ae_folder/resume.ckpt")


@pytest.mark.slow
def test_images_without_classes_train_an_autoencoder(folder, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in folder.rglob("*.*"):
        path.rename(flat / f"{path.parent.name}-{path.name}")
    words = [*TINY, *SIZED, "--data.images.root", str(flat)]
    assert main(["fit", *words, "--trainer.max_epochs=3", "--trainer.check_val_every_n_epoch=2"]) == 0
    found = metrics("runs/ae_folder/metrics.json")
    assert found["test/standardized_mse"] > 0
    assert found["checkpoint"] == "runs/ae_folder/best.ckpt"
    assert len(list(Path("runs/ae_folder/images").glob("*.png"))) == 2, "also after the last epoch"


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        (["--hidden", "128"], "got unrecognized arguments: --hidden 128: did you mean --model.network.hidden?"),
        (["--max-epochs=5"], "did you mean --trainer.max_epochs?"),
        (["--images.size", "40"], "did you mean --data.images.size?"),
        (["--alpha", "0.2"], "did you mean --model.network.alpha?"),  # which the config leaves at its default
        (["--root", "mine"], "unrecognized arguments: --root mine"),  # of the images, or of sets with a name
        (["--colour", "false"], "unrecognized arguments: --colour false"),
    ],
)
def test_the_last_part_of_an_option_gets_the_whole_name(refused, words, ending):
    assert refused("fit", "--config", "ae_folder", *words).endswith(ending)
