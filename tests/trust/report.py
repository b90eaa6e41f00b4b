"""What `make trust` tried, how often, and what was lost or let in, as a table: from pytest's JUnit reports.

    python -m tests.trust.report build/trust --scale 100 --parts kills files mutants

A test says by ``record_property`` how often it tried what; what a test that fails has tried counts as lost. Changes of
the code that tests did not notice (tests/mutants.py) are read from mutants.json in the same folder; they fail where
they are more than 5 in 100. The table, with machine, date and versions, is printed, and written into the folder as
trust.md and trust.json. The exit status is 1 if anything was lost, or a part did not end and left no report.
"""

import argparse
import json
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from snn_synth.experiments.bench.machine import machine
from snn_synth.experiments.record import versions

OTHER = "tests of one case each"


def rows(folder):
    """Of each thing that was tried: how often, how many tests of it failed, and the seconds that they took.

    Args:
        folder: of the JUnit reports.

    Returns:
        The rows by name, the names of the tests that failed, and the reasons of those that were skipped.
    """
    found, failed, skipped = {}, [], []
    reports = (ElementTree.parse(path) for path in sorted(folder.glob("*.xml")))
    for case in (case for report in reports for case in report.iter("testcase")):
        name = f"{case.get('classname')}.{case.get('name')}"
        if (reason := case.find("skipped")) is not None:
            skipped.append(f"{name}: {reason.get('message')}")
            continue
        lost = case.find("failure") is not None or case.find("error") is not None
        failed += [name] if lost else []
        counts = {one.get("name"): int(one.get("value")) for one in case.iter("property")} or {OTHER: 1}
        for what, times in counts.items():
            row = found.setdefault(what, {"tried": 0, "lost": 0, "seconds": 0.0})
            row["tried"] += times
            row["lost"] += lost
            row["seconds"] += float(case.get("time")) / len(counts)
    return found, failed, skipped


def table(found):
    """The rows in Markdown."""
    lines = ["| what was tried | how often | lost or let in | minutes |", "|---|---:|---:|---:|"]
    for what, row in sorted(found.items()):
        lines.append(f"| {what} | {row['tried']:,} | {row['lost']} | {row['seconds'] / 60:.1f} |")
    return "\n".join(lines)


def changes(path):
    """A sentence on the changes of the code that were tried, and whether tests notice too few of them.

    Args:
        path: of what tests/mutants.py wrote; it need not be there.
    """
    if not path.is_file():
        return "Changes of the code: none tried.", False
    found = json.loads(path.read_text())
    survivors, tried = found["survivors"], found["tried"]
    noticed = f"Changes of the code: {tried:,} tried, of which tests notice {tried - len(survivors):,}."
    return "\n".join([noticed, *(f"- not noticed: `{one}`" for one in survivors)]), len(survivors) > 0.05 * tried


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of pytest's JUnit reports")
    parser.add_argument("--scale", type=int, default=0, help="the number that everything was scaled by")
    parser.add_argument("--parts", nargs="*", default=[], help="names of the reports that must be there")
    arguments = parser.parse_args()
    found, failed, skipped = rows(arguments.folder)
    where, when, used = machine(), time.strftime("%Y-%m-%d"), versions()
    about = f"N = {arguments.scale}, {when}, {where['cores']} cores of {where['cpu']}, snn_synth {used['snn_synth']}."
    changed, unnoticed = changes(arguments.folder / "mutants.json")
    ended = {path.stem for path in (*arguments.folder.glob("*.xml"), *arguments.folder.glob("mutants.json"))}
    unended = [part for part in arguments.parts if part not in ended]
    text = f"{about}\n\n{table(found)}\n\n{changed}\n"
    if unended:
        text += f"\nDid not end: {', '.join(unended)}.\n"
    if skipped:
        text += "\nNot looked at here:\n\n" + "".join(f"- {one}\n" for one in skipped)
    if failed:
        text += "\nFailed:\n\n" + "".join(f"- {one}\n" for one in failed)
    print(text)
    (arguments.folder / "trust.md").write_text(text)
    everything = {"scale": arguments.scale, "date": when, "machine": where, "versions": used, "rows": found}
    everything |= {"failed": failed, "unended": unended, "skipped": skipped, "changes": changed}
    (arguments.folder / "trust.json").write_text(json.dumps(everything, indent=2) + "\n")
    return 1 if failed or unended or unnoticed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
