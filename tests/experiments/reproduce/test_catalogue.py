from dataclasses import asdict, replace

import pytest

from snn_synth.errors import InputError
from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.catalogue import EXPERIMENTS, find


def test_the_networks_of_the_table_are_the_papers():
    rows = find("table1")
    sizes = {
        name: {(arm.images, arm.hidden, arm.num_steps, arm.recipe.epochs) for arm in row.arms.values()}
        for name, row in rows.items()
        if not name.startswith("table1-a2i")
    }
    assert sizes == {
        "table1-mnist": {("mnist", 196, 15, 1)},
        "table1-fashion-512": {("fashion_mnist", 512, 60, 1)},
        "table1-fashion-1024": {("fashion_mnist", 1024, 60, 1)},
    }
    speech = {
        name: {
            (arm.pairing, arm.num_steps, arm.recipe.epochs, arm.recipe.batch_size) for arm in rows[name].arms.values()
        }
        for name in ("table1-a2i-a", "table1-a2i-b")
    }
    # T is 30 in the paper's table and 60 in its text.
    assert speech == {"table1-a2i-a": {("A", 30, 20, 50), ("A", 60, 20, 50)}, "table1-a2i-b": {("B", 30, 20, 50)}}
    assert all((arm.num_steps == 60) == name.endswith("T = 60") for name, arm in rows["table1-a2i-a"].arms.items())
    lengths = [(rows[name].arms["SNN paper"].bits or 15, rows[name].arms["ANN best"].bits) for name in speech]
    assert lengths == [(15, None), (10, None)], "T_h by the table's footnotes"
    published = {name: list(row.paper.values()) for name, row in rows.items()}
    assert published == {
        "table1-mnist": [0.357, 0.226, 0.122],
        "table1-fashion-512": [0.178, 0.416, 0.300],
        "table1-fashion-1024": [0.140, 0.418, 0.387],
        "table1-a2i-a": [0.254, 0.408, 0.144],
        "table1-a2i-b": [0.543, 0.611, 0.556],
    }
    for row in rows.values():
        assert set(row.paper) < set(row.arms)


def test_a_reading_is_the_papers_recipe_but_for_what_it_reads_otherwise():
    rows = find("readings")
    assert [name.replace("readings", "table1") for name in rows] == list(find("table1"))
    for name, experiment in rows.items():
        chosen = EXPERIMENTS[name.replace("readings", "table1")].arms["SNN paper"]
        assert set(experiment.paper.values()) == {EXPERIMENTS[name.replace("readings", "table1")].paper["SNN paper"]}
        for arm in experiment.arms.values():
            again = replace(arm, recipe=chosen.recipe)
            if isinstance(arm, AudiocoderTrial):
                assert changes(arm.autoencoder.recipe, chosen.autoencoder.recipe).keys() == (
                    changes(arm.recipe, chosen.recipe).keys()
                ), "the autoencoder below is read alike"
                again = replace(again, autoencoder=chosen.autoencoder)
            else:
                again = replace(again, max_rate=1.0)
            assert again == chosen
            assert arm != chosen
            assert changes(arm.recipe, chosen.recipe).keys() <= {"traces", "lr", "fresh_moments", "rule"}


def changes(recipe, chosen):
    settings, before = asdict(recipe), asdict(chosen)
    return {name: value for name, value in settings.items() if value != before[name]}


def test_the_full_size_is_the_papers():
    for arm in find("full-size")["full-size"].arms.values():
        assert (arm.front_end, 39 * arm.frames, arm.hidden, arm.autoencoder.hidden) == ("lyon", 58500, 2048, 196)
        assert arm.limit is None or arm.limit >= 10


def test_figure_9_has_the_papers_hidden_map():
    # The figure's caption says T_h = 10, the table's footnote 15 for data set A and 10 for B.
    assert [arm.bits for arm in find("fig9")["fig9"].arms.values()] == [10, 10]
    assert [find("table1")[f"table1-a2i-{one}"].arms["SNN paper"].bits for one in "ab"] == [None, 10]


def test_the_papers_recipe_is_the_online_rule_with_its_settings():
    others = "ablation", "any", "choices", "conv", "readings", "stacked", "unseen"
    for experiment in (one for name, one in EXPERIMENTS.items() if not name.startswith(others)):
        for name, arm in experiment.arms.items():
            kind = getattr(arm, "kind", getattr(getattr(arm, "autoencoder", None), "kind", ""))
            if "best" in name or "reset to zero" in name or kind != "snn":
                continue
            below = arm if isinstance(arm, AutoencoderTrial) else arm.autoencoder
            assert (below.recipe.rule, below.recipe.lr, below.recipe.weight_decay) == ("online", 5e-4, 1e-4)
            if isinstance(arm, AudiocoderTrial):
                assert (arm.recipe.rule, arm.recipe.lr, arm.recipe.weight_decay) == ("online", 5e-5, 1e-4)


def test_each_speaker_is_left_out_once_and_never_trained_on():
    experiment = EXPERIMENTS["unseen-speakers"]
    for arms in experiment.groups.values():
        assert [experiment.arms[arm].held_out for arm in arms.values()] == [(speaker,) for speaker in arms]
        assert len(arms) == 6
        alike = {replace(experiment.arms[arm], held_out=()) for arm in arms.values()}
        assert len(alike) == 1
    quick = [arm.quick() for arm in experiment.arms.values()]
    assert all(
        arm.recipe.epochs <= 2 and arm.held_out == full.held_out
        for arm, full in zip(quick, experiment.arms.values(), strict=True)
    )


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
