"""``snn-synth bench``."""

from pathlib import Path

from snn_synth.cli.arguments import Parser
from snn_synth.experiments.bench import report
from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS
from snn_synth.experiments.bench.run import run as measure
from snn_synth.experiments.bench.workloads import EXTRAS, WORKLOADS


def run(argv: list[str]) -> None:
    """Measure and print the tables, or list what there is to measure."""
    parser = Parser(prog="snn-synth bench", add_help=False)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args(argv[1:])
    if arguments.list:
        print(listing())
        return
    metrics = measure(
        arguments.out,
        only=arguments.only,
        quick=arguments.quick,
        with_growth=arguments.growth,
        threads=arguments.threads,
        repeats=arguments.repeats,
        device=arguments.device,
        argv=argv,
    )
    print(report.tables(metrics))
    print(f"\nWrote {arguments.out / 'metrics.json'}")


def listing() -> str:
    """What there is to measure, and who takes part.

    Example:
        >>> print(listing().splitlines()[0][:44])
        bptt-784-196-784       T=15 B=100: snntorch,
    """
    lines = [f"{w.name:<22} T={w.num_steps} B={w.batch}: {', '.join(w.implementations)}" for w in WORKLOADS]
    lines += [f"{name:<22} {what}" for name, what in EXTRAS.items()]
    absent = [name for name, implementation in IMPLEMENTATIONS.items() if not implementation.installed]
    return "\n".join([*lines, f"not installed: {', '.join(absent)} (benchmarks/README.md)"] if absent else lines)
