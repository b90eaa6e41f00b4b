"""Parsers of the commands that use a trained network."""

from pathlib import Path

from snn_synth.cli.arguments import Parser

_TIME_STEPS = "time steps; those of the training if not given"
_REPLACED = "files of the same names are replaced"


def synthesize() -> Parser:
    """Sounds to images."""
    about = """
Draw an image of each word in each sound file, and say what was heard:

  seven.wav: 7 (probability 0.98)
  pi.wav: 3 1 4 (probabilities 0.96 0.99 0.51); unsure of word 3: 4 or 5

The network that comes with the package always draws one of the ten English digits, even for other words or noise, and
may report a high probability when it is wrong.
Files are WAV, FLAC, OGG, MP3 or NIST SPHERE, any rate, mono or stereo, up to 30 seconds and 20 words, with pauses
of 0.2 seconds and more between words. For seven.wav, DIR gets seven.png (the image), seven-spectrogram.png,
seven-spikes.png (the input's spikes) and seven-forming.gif (the image forming over the time steps); several words
stand side by side. With --imagine N, seven-imagined.png has N new images of each word in a row, as another network
draws them under the code of the word: other ones for each recording. heard.json says of each file of this run where
its words start and end, how probable each label is, and what makes that doubtful: unsure (below 0.7), clipped, nearly
silent, nothing to trim, a word that is very long or short. A silent or unreadable file is named at the end, with exit
code 2; the others are drawn.
The probability is calibrated for voices like those of the training; for others it is too high. What to do when a word
is drawn wrong: docs/how-to/speak-a-word.md."""
    examples = [
        "synthesize --out pictures seven.wav",
        "synthesize --out pictures recordings/*.wav",
        "synthesize --out pictures --imagine 5 seven.wav",
        "synthesize --checkpoint runs/a2i_fsdd/best.ckpt --out pictures --num-steps 60 seven.wav",
        "synthesize --checkpoint my_model/ --out pictures --device cuda seven.wav",
    ]
    parser = Parser("synthesize", "draw images from sound files", about, examples)
    checkpoint = (
        "a checkpoint (best.ckpt) that `snn-synth fit --config a2i_fsdd` or another a2i config wrote, a folder that "
        "AudioToImage.save_pretrained wrote, or a model of the Hugging Face Hub, user/name; %(default)s if not given: "
        "the networks that come with the package, trained on English digits; an older model without labels draws and "
        "does not say what it heard; with --imagine, of `snn-synth fit --config imagine_fsdd`, or a saved "
        "SpokenDiffusion"
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="sounds")
    parser.add_argument("--checkpoint", metavar="MODEL", default="fsdd", help=checkpoint)
    folder = f"made if it is not there; {_REPLACED}, heard.json too, and older pictures stay"
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=folder)
    imagine = "also draw N new images of each word, up to 100, all different"
    parser.add_argument("--imagine", type=int, metavar="N", help=imagine)
    parser.add_argument("--num-steps", type=int, metavar="T", help=_TIME_STEPS)
    seed = "seed of the input's spikes and of new images; that of the training if not given"
    parser.add_argument("--seed", type=int, help=seed)
    parser.add_argument("--device", metavar="NAME", default="cpu", help="%(default)s if not given, cuda, cuda:1, mps")
    return parser


def reconstruct() -> Parser:
    """Images to images."""
    about = """
Let a trained autoencoder draw images that it has not seen. Each is read as those of its training were: resized, in
grey or colour. For tom.jpg, DIR gets tom.png, what the network draws; reconstructions.png shows all images above what
is drawn of them (the first hundred). The standardized MSE of each is printed: 0 is perfect, and a silent output
scores 1.

Files are PNG, JPEG, TIFF, BMP, WebP or GIF."""
    examples = [
        "reconstruct --checkpoint runs/ae_folder/best.ckpt --out pictures tom.jpg",
        "reconstruct --checkpoint my_network --out pictures photos/*.png",
        "reconstruct --checkpoint mnist --out pictures digit.png",
    ]
    parser = Parser("reconstruct", "redraw image files by an autoencoder", about, examples)
    checkpoint = (
        "a checkpoint of a LitAutoencoder, as `snn-synth fit --config ae_folder` writes it, a folder that "
        "save_pretrained wrote, a network that comes with the package (mnist, ...), or a model of the Hugging Face "
        "Hub, user/name"
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="images")
    parser.add_argument("--checkpoint", metavar="MODEL", required=True, help=checkpoint)
    folder = f"made if it is not there; {_REPLACED}"
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=folder)
    parser.add_argument("--num-steps", type=int, metavar="T", help=f"{_TIME_STEPS} (15 where a folder does not say it)")
    parser.add_argument("--seed", type=int, help="seed of the input's spikes; that of the training if not given")
    parser.add_argument("--device", metavar="NAME", default="cpu", help="%(default)s if not given, cuda, cuda:1, mps")
    return parser


def robustness() -> Parser:
    """Recordings unlike those of the training."""
    about = """
How many words a model draws right (nearest to the image of their own digit), and the standardized MSE, when
recordings differ from those of the training: new voices of espeak-ng, louder and quieter ones, noise, background
before and after the word, speed, sample rate, the word said twice. Measured on FSDD's official test words, or on
espeak's voices alone where FSDD is not in $SNN_SYNTH_DATA. DIR gets metrics.json and robustness.png."""
    examples = [
        "robustness",
        "robustness --checkpoint runs/a2i_any_speaker/best.ckpt --out runs/robustness-any",
        "robustness --words 60     a fifth of the words: in half a minute",
    ]
    summary = "measure a model on noisy, fast, quiet recordings and on unseen voices"
    parser = Parser("robustness", summary, about, examples)
    checkpoint = (
        "a checkpoint of a LitAudiocoder, or the folder of a saved AudioToImage; %(default)s, which comes with the "
        "package, if not given"
    )
    words = "at most N words of each corpus, spread over digits and speakers; all if not given"
    seed = "seed of the noise and of the input's spikes; that of the training if not given"
    parser.add_argument("--checkpoint", metavar="FILE", default="fsdd", help=checkpoint)
    parser.add_folder("runs/robustness", _REPLACED)
    parser.add_argument("--words", type=int, metavar="N", help=words)
    parser.add_argument("--seed", type=int, help=seed)
    parser.add_argument("--num-steps", type=int, metavar="T", help=_TIME_STEPS)
    return parser


def export() -> Parser:
    """Files for other tools."""
    about = """
Write a trained network as a file for other tools; the file's ending selects the format:

  .nir    the Neuromorphic Intermediate Representation, which norse, SpikingJelly, sinabs, snnTorch and others read:
          docs/nir.md
  .onnx   a graph for onnxruntime, which runs it without PyTorch, in a browser too; needs
          pip install 'snn_synth[export]': docs/onnx.md

If the format cannot express the network, an error says why and nothing is written."""
    examples = [
        "export mnist-portable --to mnist.nir",
        "export fsdd --to fsdd.nir",
        "export runs/ae_mnist/best.ckpt --to mnist-norse.nir --dialect norse",
        "export fsdd --to fsdd.onnx",
    ]
    parser = Parser("export", "write a trained network as a file for other tools: NIR, ONNX", about, examples)
    model = (
        "a model that comes with the package, a folder that save_pretrained wrote, or a checkpoint that "
        "`snn-synth fit` wrote; that of an audiocoder gives the audiocoder and the decoder as one network"
    )
    dialect = (
        "for a .nir file, the library that is to read it: nir (NIR's own equation, and snnTorch; if not given), norse, "
        "sinabs or spikingjelly"
    )
    form = "for an .onnx file: run (all time steps; if not given), or step (one, with its state as inputs and outputs)"
    steps = "for an .onnx file of all time steps, their number; any number if not given"
    parser.add_argument("model", metavar="MODEL_OR_CKPT", help=model)
    parser.add_argument("--to", type=Path, required=True, metavar="FILE", help="replaced if it is there")
    parser.add_argument("--dialect", metavar="NAME", help=dialect)
    length = "for a .nir file, the length of a time step; 1e-4 if not given"
    parser.add_argument("--dt", type=float, metavar="SECONDS", help=length)
    parser.add_argument("--form", metavar="NAME", help=form)
    parser.add_argument("--num-steps", type=int, metavar="T", help=steps)
    return parser


def energy() -> Parser:
    """The cost of an inference."""
    about = """
The cost of one inference of a spiking network, layer by layer: spikes, synaptic operations (additions of a weight,
one for each spike and synapse), updates of membranes, and beside them the multiply-accumulates of a conventional
network of the same size; and an estimate of the energy of both, with its constants and their source. DIR gets
metrics.json."""
    examples = [
        "energy mnist",
        "energy fsdd --samples 100",
        "energy runs/ae_folder/best.ckpt --data my_images",
        "energy mnist --neurobench     counted by NeuroBench, too: pip install 'snn_synth[neurobench]'",
    ]
    note = "Networks of other papers are counted by `snn-synth reproduce` (docs/energy.md)."
    summary = "the cost of an inference: spikes, synaptic operations, energy, layer by layer"
    parser = Parser("energy", summary, about, examples, note)
    model = (
        "a network that comes with the package (mnist, fashion-mnist, mnist-portable, fsdd, ...), a folder that "
        "save_pretrained wrote, a model of the Hugging Face Hub (user/name), or a checkpoint of a LitAutoencoder or a "
        "LitAudiocoder"
    )
    data = (
        "test images (mnist, fashion_mnist, mnist_subset, or a folder with a folder for each class), or for a speech "
        "model words (fsdd, espeak, or a folder with a folder for each word); if not given, the test set of a shipped "
        "network's training, else mnist or fsdd"
    )
    counted = (
        "also NeuroBench's own count of the same spikes: footprint, activation sparsity, synaptic operations and the "
        "mean square error of the firing rates"
    )
    parser.add_argument("model", metavar="MODEL", help=model)
    parser.add_argument("--data", help=data)
    samples = "at most N samples, %(default)s if not given"
    parser.add_argument("--samples", type=int, default=1000, metavar="N", help=samples)
    steps = f"{_TIME_STEPS} (15 and for speech 30 where a folder does not say it)"
    parser.add_argument("--num-steps", type=int, metavar="T", help=steps)
    parser.add_argument("--seed", type=int, help="seed of the input's spikes; that of the training if not given")
    parser.add_argument("--neurobench", action="store_true", help=counted)
    parser.add_folder("runs/energy", "metrics.json in it is replaced")
    return parser


def web() -> Parser:
    """The page to try it on."""
    about = """
A web page on this machine: record or open a word and see its waveform, spectrogram, input and hidden spikes and image
forming step by step, and which digit was drawn; draw a digit and see it pass through the autoencoder; let other
networks draw new digits. It needs `pip install 'snn_synth[web]'`; voices that say the digits need the extra `demo`.

Only this machine can open it, unless --host says otherwise. A sound may have up to 10 MB and 30 seconds; what was
recorded is deleted an hour later, or when the server ends. No request leaves the machine."""
    examples = ["web", "web --port 8000", "web --checkpoint runs/a2i_folder/best.ckpt"]
    parser = Parser("web", "a page to try it on: say a word, draw a digit", about, examples)
    checkpoint = "a speech model with labels, in any form that `synthesize` takes; %(default)s if not given"
    host = "address to listen at: %(default)s, this machine alone, if not given; 0.0.0.0 is the whole network"
    parser.add_argument("--checkpoint", metavar="MODEL", default="fsdd", help=checkpoint)
    parser.add_argument("--host", default="127.0.0.1", help=host)
    parser.add_argument("--port", type=int, default=7860, help="0 takes one that is free; %(default)s if not given")
    return parser
