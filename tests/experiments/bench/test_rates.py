import pytest

from snn_synth.experiments.bench import case as cases
from snn_synth.experiments.bench import rates, report


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_the_weights_are_scaled_until_so_many_fire(make, rate):
    case = make("bptt", (64, 48, 64))
    assert cases.rates(rates.at_rate(case, rate))["hidden"] == pytest.approx(rate, abs=0.01)


def test_every_rate_is_timed_and_drawn(make):
    ticks = []
    rows = rates.measure(make("bptt"), 2, rates=(0.1, 0.4), tick=lambda: ticks.append(1))
    assert len(ticks) == 2 * 2 * len(rates.TITLES)
    assert rows[0]["hidden"] < rows[1]["hidden"]
    assert all(row[name]["rounds"] == 2 for row in rows for name in rates.TITLES)
    assert [line.get_label() for line in rates.draw(rows).axes[0].lines] == list(rates.TITLES.values())


def test_the_table_has_the_ratio_to_snntorch():
    row = {"hidden": 0.2} | {name: {"median": 0.01 * place} for place, name in enumerate(rates.TITLES, start=1)}
    last = report.by_rate([row]).splitlines()[-1]
    assert [cell.strip() for cell in last.strip("|").split("|")] == ["0.20", "10", "20", "30", "40", "0.25"]
