"""The table of docs/energy.md is what `snn-synth energy NAME --neurobench` wrote into docs/energy/."""

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from snn_synth.models.pretrained import shipped_models

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
    # Both count the same spikes; but for a weight of 0, each of whose spikes is no operation for NeuroBench.
    fewer = found["all"]["operations"] - counted
    weights = load_file(shipped_models()[name] / "model.safetensors")
    zeros = sum(int((x == 0).sum()) for key, x in weights.items() if key.endswith("0.weight"))
    assert -1e-7 * counted <= fewer <= zeros * found["num_steps"] + 1e-7 * counted
