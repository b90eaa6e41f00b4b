from dataclasses import asdict, replace

import pytest

from snn_synth.errors import InputError
from snn_synth.experiments.reproduce.audiocoders import AudiocoderTrial
from snn_synth.experiments.reproduce.autoencoders import AutoencoderTrial
from snn_synth.experiments.reproduce.catalogue import EXPERIMENTS, find
from snn_synth.experiments.reproduce.rows import PAPER


def test_the_networks_of_the_table_are_the_papers():
    rows = find("table1")
    sizes = {
        name: {
            (variant.images, variant.hidden, variant.num_steps, variant.recipe.epochs)
            for variant in row.variants.values()
        }
        for name, row in rows.items()
        if not name.startswith("table1-a2i")
    }
    assert sizes == {
        "table1-mnist": {("mnist", 196, 15, 1)},
        "table1-fashion-512": {("fashion_mnist", 512, 60, 1)},
        "table1-fashion-1024": {("fashion_mnist", 1024, 60, 1)},
    }
    speech = {
        name: {(variant.pairing, variant.num_steps, variant.recipe.epochs) for variant in rows[name].variants.values()}
        for name in ("table1-a2i-a", "table1-a2i-b")
    }
    # T is 30 in the paper's table and 60 in its text.
    assert speech == {"table1-a2i-a": {("A", 30, 20), ("A", 60, 20)}, "table1-a2i-b": {("B", 30, 20)}}
    by_the_paper = [rows[name].variants[variant] for name in speech for variant in PAPER]
    assert {trial.recipe.batch_size for trial in by_the_paper} == {50}
    assert all(
        (variant.num_steps == 60) == name.endswith("T = 60") for name, variant in rows["table1-a2i-a"].variants.items()
    )
    lengths = [(rows[name].variants["SNN paper"].bits or 15, rows[name].variants["ANN best"].bits) for name in speech]
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
        assert set(row.paper) < set(row.variants)


def test_a_reading_is_the_papers_recipe_but_for_what_it_reads_otherwise():
    rows = find("readings")
    assert [name.replace("readings", "table1") for name in rows] == list(find("table1"))
    for name, experiment in rows.items():
        chosen = EXPERIMENTS[name.replace("readings", "table1")].variants["SNN paper"]
        assert set(experiment.paper.values()) == {EXPERIMENTS[name.replace("readings", "table1")].paper["SNN paper"]}
        for variant in experiment.variants.values():
            again = replace(variant, recipe=chosen.recipe)
            if isinstance(variant, AudiocoderTrial):
                assert changes(variant.autoencoder.recipe, chosen.autoencoder.recipe).keys() == (
                    changes(variant.recipe, chosen.recipe).keys()
                ), "the autoencoder below is read alike"
                again = replace(again, autoencoder=chosen.autoencoder)
            else:
                again = replace(again, max_rate=1.0, glorot=False)
            assert again == chosen
            assert variant != chosen
            read = changes(variant.recipe, chosen.recipe).keys()
            assert len(read) <= 1 or read in ({"one_cycle", "warmup"}, {"sum_of", "fresh_moments"})
            assert variant.recipe.sum_of in (1, variant.num_steps)


def changes(recipe, chosen):
    settings, before = asdict(recipe), asdict(chosen)
    return {name: value for name, value in settings.items() if value != before[name]}


def test_the_full_size_is_the_papers():
    for variant in find("full-size")["full-size"].variants.values():
        assert (variant.front_end, 39 * variant.frames, variant.hidden, variant.autoencoder.hidden) == (
            "lyon",
            58500,
            2048,
            196,
        )
        assert variant.limit is None or variant.limit >= 10


def test_figure_9_has_the_papers_hidden_map():
    # The figure's caption says T_h = 10, the table's footnote 15 for data set A and 10 for B.
    assert [variant.bits for variant in find("fig9")["fig9"].variants.values()] == [10, 10]
    assert [find("table1")[f"table1-a2i-{one}"].variants["SNN paper"].bits for one in "ab"] == [None, 10]


def test_the_papers_recipe_is_the_online_rule_with_its_settings():
    others = "ablation", "any", "choices", "conv", "readings", "stacked", "unseen"
    for experiment in (one for name, one in EXPERIMENTS.items() if not name.startswith(others)):
        for name, variant in experiment.variants.items():
            kind = getattr(variant, "kind", getattr(getattr(variant, "autoencoder", None), "kind", ""))
            if "best" in name or "reset to zero" in name or kind != "snn":
                continue
            below = variant if isinstance(variant, AutoencoderTrial) else variant.autoencoder
            assert (below.recipe.rule, below.recipe.lr, below.recipe.weight_decay) == ("online", 5e-4, 1e-4)
            if isinstance(variant, AudiocoderTrial):
                assert (variant.recipe.rule, variant.recipe.lr, variant.recipe.weight_decay) == ("online", 5e-5, 1e-4)


def test_each_speaker_is_left_out_once_and_never_trained_on():
    experiment = EXPERIMENTS["unseen-speakers"]
    for variants in experiment.groups.values():
        assert [experiment.variants[variant].held_out for variant in variants.values()] == [
            (speaker,) for speaker in variants
        ]
        assert len(variants) == 6
        alike = {replace(experiment.variants[variant], held_out=()) for variant in variants.values()}
        assert len(alike) == 1
    quick = [variant.quick() for variant in experiment.variants.values()]
    assert all(
        variant.recipe.epochs <= 2 and variant.held_out == full.held_out
        for variant, full in zip(quick, experiment.variants.values(), strict=True)
    )


def test_a_trial_in_two_experiments_is_trained_once():
    mask = EXPERIMENTS["fig4a"].variants["mask"]
    assert (
        mask.key(1) == EXPERIMENTS["fig3"].variants["leak 0.1"].key(1) == EXPERIMENTS["fig4b"].variants["T = 15"].key(1)
    )
    assert mask.key(1) != mask.key(2)
    for experiment in EXPERIMENTS.values():
        keys = [variant.key(0) for variant in experiment.variants.values()]
        assert len(set(keys)) == len(keys)


def test_an_unknown_name_lists_the_names():
    with pytest.raises(InputError) as error:
        find("fig99")
    assert "'fig99'" in str(error.value)
    assert all(name in str(error.value) for name in ["table1", *EXPERIMENTS])
