import pytest

from snn_synth.errors import InputError
from snn_synth.experiments.reproduce.catalogue import EXPERIMENTS, find


def test_the_networks_of_the_table_are_the_papers():
    rows = find("table1")
    sizes = {
        name: {(arm.images, arm.hidden, arm.num_steps, arm.recipe.epochs) for arm in row.arms.values()}
        for name, row in rows.items()
    }
    assert sizes == {
        "table1-mnist": {("mnist", 196, 15, 1)},
        "table1-fashion-512": {("fashion_mnist", 512, 60, 1)},
        "table1-fashion-1024": {("fashion_mnist", 1024, 60, 1)},
    }
    published = {name: list(row.paper.values()) for name, row in rows.items()}
    assert published["table1-mnist"] == [0.357, 0.226, 0.122]
    assert published["table1-fashion-512"] == [0.178, 0.416, 0.300]
    assert published["table1-fashion-1024"] == [0.140, 0.418, 0.387]
    for row in rows.values():
        assert set(row.paper) < set(row.arms)


def test_the_papers_recipe_is_the_online_rule_with_its_settings():
    for experiment in EXPERIMENTS.values():
        for name, arm in experiment.arms.items():
            if arm.kind == "snn" and "best" not in name:
                assert (arm.recipe.rule, arm.recipe.lr, arm.recipe.weight_decay) == ("online", 5e-4, 1e-4)


def test_a_trial_in_two_experiments_is_trained_once():
    mask = EXPERIMENTS["fig4a"].arms["mask"]
    assert mask.key(1) == EXPERIMENTS["fig3"].arms["leak 0.1"].key(1) == EXPERIMENTS["fig4b"].arms["T = 15"].key(1)
    assert mask.key(1) != mask.key(2)
    for experiment in EXPERIMENTS.values():
        keys = [arm.key(0) for arm in experiment.arms.values()]
        assert len(set(keys)) == len(keys)


def test_an_unknown_name_lists_the_names():
    with pytest.raises(InputError) as error:
        find("fig99")
    assert "'fig99'" in str(error.value)
    assert all(name in str(error.value) for name in ["table1", *EXPERIMENTS])
