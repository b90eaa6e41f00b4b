from pathlib import Path

from snn_synth.experiments.sweep.file import read
from snn_synth.experiments.sweep.space import points
from tests.fuzz.harness import fuzz

SHIPPED = sorted((Path(__file__).parents[2] / "configs" / "sweeps").glob("*.yaml"))
EVERY_KIND = b"""\
method: random
run_cap: 20
metric: {name: val/standardized_mse, goal: maximize}
parameters:
  a: {value: 1}
  b: {values: [x, 2, null], probabilities: [0.2, 0.3, 0.5]}
  c: {min: 1, max: 4}
  d: {min: 1.0, max: 4}
  e: {distribution: q_log_uniform_values, min: 1, max: 4, q: 2}
  f: {distribution: log_normal, mu: 0.5, sigma: 2}
  model: {parameters: {g: &g {distribution: q_uniform, min: 0, max: 1, q: 0.1}, h: *g}}
"""
WORDS = [
    *(
        b"method: bayes\n",
        b"method: grid\n",
        b"run_cap: 1000000000\n",
        b"early_terminate: {}\n",
        b"program: train.py\n",
    ),
    *(
        b"q_",
        b"distribution: beta",
        b"min: .nan",
        b"max: -.inf",
        b"q: 0",
        b"sigma: -1",
        b"values: []",
        b"min: 0x7fffffffff",
    ),
    *(
        b"name: ../../up\n",
        b"command: [sh, -c, ls]\n",
        b"- --allow_import=os\n",
        b"- ${args_json}\n",
        b"- ${envvar:HOME}\n",
    ),
    *(
        b"{parameters: {}}",
        b"&a [*a]",
        b"<<: *g",
        b"!!python/name:os.system",
        b"!!timestamp x",
        b"2001-99-99",
        b"1e400",
    ),
    *(b'"\\ud800"', b'"\\0"', b"? [x]\n: 1\n", b"9" * 5000, b"[" * 200, b"- - - - - - "),
]


def test_a_damaged_sweep_file_ends_in_settings_or_one_sentence(tmp_path):
    def settings(path):
        sweep = read(path)
        return sweep["command"], points(sweep, seed=0)

    seeds = [path.read_bytes() for path in SHIPPED] + 4 * [EVERY_KIND]
    counts = fuzz(settings, seeds, tmp_path / "sweep.yaml", words=WORDS)
    assert min(counts.values()) > 0
