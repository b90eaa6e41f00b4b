"""The parser of each command: what it takes, and the page that ``--help`` prints of it.

They stand apart from what the commands do, so that help and wrong options need no import of PyTorch.
"""

from snn_synth.cli.parsers import experiments, networks, training

PARSERS = {
    "fit": training.fit,
    "validate": training.validate,
    "test": training.test,
    "predict": training.predict,
    "synthesize": networks.synthesize,
    "reconstruct": networks.reconstruct,
    "robustness": networks.robustness,
    "export": networks.export,
    "energy": networks.energy,
    "demo": experiments.demo,
    "example": experiments.example,
    "web": networks.web,
    "reproduce": experiments.reproduce,
    "sweep": experiments.sweep,
    "bench": experiments.bench,
}


def overview() -> str:
    """The page of ``snn-synth --help``: every command in a line.

    Example:
        >>> overview().splitlines()[4]
        '  fit          train a model, then read its test set once'
    """
    commands = "\n".join(f"  {name:<11}  {make().summary}" for name, make in PARSERS.items())
    return f"""\
usage: snn-synth COMMAND [options]

Spiking networks that draw images: autoencoders, and images from spoken words.

{commands}

  COMMAND --help   a page with options and examples; --version: the version
Examples:
  snn-synth demo
  snn-synth fit --config ae_mnist"""
