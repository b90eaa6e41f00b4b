"""``snn-synth bench``."""

from snn_synth.cli.parsers import PARSERS
from snn_synth.experiments.bench import report
from snn_synth.experiments.bench.implementations import IMPLEMENTATIONS
from snn_synth.experiments.bench.run import run as measure
from snn_synth.experiments.bench.workloads import EXTRAS, WORKLOADS


def run(argv: list[str]) -> None:
    """Measure and print the tables, or list what there is to measure."""
    arguments = PARSERS["bench"]().parse_args(argv[1:])
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
