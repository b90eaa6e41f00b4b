"""The table of docs/energy.md is what `snn-synth energy NAME --neurobench` wrote into docs/energy/."""

import json
from pathlib import Path

import pytest

ENERGY = Path(__file__).parents[1] / "docs" / "energy"


def row(name):
    found = json.loads((ENERGY / f"{name}.json").read_text())
    ours, theirs = found["all"], found["neurobench"]
    counted = theirs["SynapticOperations"]
    cells = [
        f"{ours['operations']:,.0f}",
        f"{counted['Effective_ACs']:,.0f}",
        f"{counted['Effective_MACs']:,.0f}",
        f"{counted['Dense']:,.0f}",
        f"{theirs['ActivationSparsity']:.4f}",
        f"{theirs['Footprint']:,}",
        f"{theirs['MSE']:.4f}" if "MSE" in theirs else "",
        f"{ours['energy']:,.0f}",
        f"{ours['conventional_energy']:,.0f}",
    ]
    return f"| `{name}` | {' | '.join(cells)} |"


@pytest.mark.parametrize("name", sorted(path.stem for path in ENERGY.glob("*.json")))
def test_the_table_has_the_measured_numbers(name):
    assert row(name) in (ENERGY.parent / "energy.md").read_text().splitlines()
    found = json.loads((ENERGY / f"{name}.json").read_text())
    assert found["command"] == f"snn-synth energy {name} --neurobench"
    counted = found["neurobench"]["SynapticOperations"]["Effective_ACs"]
    assert counted == pytest.approx(found["all"]["operations"], rel=1e-7)
