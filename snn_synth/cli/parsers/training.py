"""The pages of fit, validate, test and predict. LightningCLI parses these commands: it knows far more options."""

from snn_synth.cli.arguments import Parser
from snn_synth.cli.configs import shipped

_DATA = "Data is looked for in $SNN_SYNTH_DATA, else downloaded where that is possible."
_TRAINED = "the checkpoint; best.ckpt of the run's folder if not given"


def fit() -> Parser:
    """Train."""
    about = """
Train a model. The run's folder gets config.yaml, best.ckpt, resume.ckpt, images/, logs/, and metrics.json with
one reading of the test set at the end."""
    examples = [
        "fit --config ae_mnist",
        "fit --config ae_mnist --config ae_mnist_online         the paper's learning rule and settings",
        "fit --config ae_mnist --model.network.hidden 100 --trainer.default_root_dir runs/narrow",
        "fit --config a2i_fsdd --config a2i_fsdd_online         the same for speech (and ae_fashion_mnist_online)",
        "fit --config ae_fashion_mnist --config ae_fashion_mnist_ann    a conventional network of the same size",
        "fit --config ae_fashion_mnist_conv                     convolutions; ae_mnist_stacked: layer by layer",
        "fit --config ae_folder --data.images.root my_images    images of your own: docs/own-data.md",
        "fit --config a2i_folder --data.corpus.root my_sounds --data.images.root my_images    sounds, too",
        "fit --config ae_mnist --config ddp                     several processes: docs/scaling.md",
        "fit --config ae_mnist --ckpt_path runs/ae_mnist/resume.ckpt     go on with a run that was killed",
        "fit --config ae_mnist --ckpt_path runs/ae_mnist/resume.ckpt --trainer.max_epochs 3    train it longer",
    ]
    note = f"""
A run that was in the folder before is kept in earlier/1, earlier/2, ...; --trainer.fast_dev_run true writes nothing.
{_DATA}"""
    parser = Parser("fit", "train a model, then read its test set once", about, examples, note)
    _add_options(parser, "go on from this checkpoint, bit for bit")
    parser.add_argument(
        "--test_after_fit", metavar="BOOL", help="false leaves the test set unread, which sweeps should (default: true)"
    )
    return parser


def validate() -> Parser:
    """Measure on the validation set."""
    return _measure("validate", "validation")


def test() -> Parser:
    """Measure on the test set."""
    return _measure("test", "test")


def predict() -> Parser:
    """Write images."""
    about = """
Write the images that a checkpoint makes of the test set into the run's folder: predictions.safetensors
(`images`, [N, C, H, W] in [0, 1]) and predictions.png, the first hundred. Of an autoencoder, both have the test
images too (`targets`; above the outputs), and the first the paths of your files, as JSON under `files` in its metadata.
A GAN draws new images of the test labels' classes; predictive coding writes `predictions`, the most probable pair of
neurons at each step. Images that are not in the test set are for `snn-synth reconstruct`."""
    examples = ["predict --config ae_mnist", "predict --config a2i_fsdd --ckpt_path runs/a2i_fsdd/best.ckpt"]
    parser = Parser("predict", "write the images that a checkpoint makes of the test set", about, examples, _DATA)
    _add_options(parser, _TRAINED)
    return parser


def _measure(command: str, which: str) -> Parser:
    about = f"Measure a checkpoint on the {which} set and write {command}.json into the run's folder."
    examples = [
        f"{command} --config ae_mnist",
        f"{command} --config runs/narrow/config.yaml     a run with settings of its own",
    ]
    parser = Parser(command, f"measure a checkpoint on the {which} set", about, examples, _DATA)
    _add_options(parser, _TRAINED)
    return parser


def _add_options(parser: Parser, checkpoint: str) -> None:
    parser.usage = f"{parser.prog} --config NAME [options]"
    configs = ", ".join(shipped())
    again = "given again, the later one changes the earlier one"
    parser.add_argument("--config", metavar="NAME", help=f"a shipped config ({configs}) or a YAML file; {again}")
    parser.add_argument("--ckpt_path", metavar="FILE", help=checkpoint)
    keys = "--trainer.max_epochs 2, --model.num_steps 30, --data.batch_size 50"
    parser.add_argument("--KEY", metavar="VALUE", help=f"any key of the config: {keys}")
    folder = "the run's folder, runs/NAME in the shipped configs"
    parser.add_argument("--trainer.default_root_dir", metavar="DIR", help=folder)
    parser.add_argument("--allow_import", metavar="NAME", help="a package of yours whose classes a config may name")
    parser.add_argument("--print_config", action="store_true", help="show the complete config and stop")
    parser.add_argument("--model.help", metavar="CLASS", help="the settings of a model")
    parser.add_argument("--data.help", metavar="CLASS", help="the settings of data")
    parser.add_argument("--help_all", action="store_true", help="every option there is")
