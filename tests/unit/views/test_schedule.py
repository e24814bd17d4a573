"""Every data schedule's index sequence, against examples worked out by hand."""

import numpy as np
import pytest

from ssl_collapse.config.pretrain import Recipe
from ssl_collapse.runtime.errors import UserError
from ssl_collapse.views.schedule import (
    active_subset,
    check_subsets,
    epoch_batches,
    images_used,
    steps_per_epoch,
)

# Ten images in the order 9, 8, ..., 0, so that a position is not mistaken for an index.
ORDERING = np.arange(10)[::-1].copy()


def recipe(**keys: object) -> Recipe:
    keys = {"epochs": 5, "batch_size": 2, **keys}
    return Recipe.model_validate({"backbone": {"arch": "small_resnet"}, **keys})


def subsets(r: Recipe) -> list[list[int]]:
    return [active_subset(r, ORDERING, e).tolist() for e in range(r.epochs)]


ALL = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
HALVES = [ALL[:5], ALL[5:]]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"epochs": 2}, [ALL, ALL]),
        # a single pass of 10 images over 5 epochs: two new ones per epoch
        ({"schedule": "current"}, [[9, 8], [7, 6], [5, 4], [3, 2], [1, 0]]),
        # over 4, borders are rounded down: 0, 10*1//4 = 2, 10*2//4 = 5, 10*3//4 = 7, 10
        ({"schedule": "current", "epochs": 4}, [[9, 8], [7, 6, 5], [4, 3], [2, 1, 0]]),
        # E_r = 4, s = 2: chunk c covers positions 10*c*2//4 .. 10*(c+1)*2//4 = 0..5, 5..10
        ({"schedule": "current", "epochs": 4, "chunk_size": 2}, [HALVES[0]] * 2 + [HALVES[1]] * 2),
        # E = 4, R = 2: E_r = 2, so each epoch shows half of the images
        ({"schedule": "current", "epochs": 4, "n_rounds": 2}, HALVES * 2),
        ({"schedule": "accumulate"}, [ALL[:2], ALL[:4], ALL[:6], ALL[:8], ALL]),
        # chunk_size 2 of 5 epochs is 40 %: the last four
        ({"schedule": "last", "chunk_size": 2}, [[3, 2, 1, 0]] * 5),
        # in two rounds of 2 epochs, one of them is half
        ({"schedule": "last", "epochs": 4, "n_rounds": 2, "chunk_size": 1}, [HALVES[1]] * 4),
        # and `share` says the same in percent, whatever the number of epochs
        ({"share": 40, "epochs": 3}, [[3, 2, 1, 0]] * 3),
    ],
)
def test_what_each_epoch_shows(keys: dict[str, object], expected: list[list[int]]):
    assert subsets(recipe(**keys)) == expected


def test_share_is_exact_where_binary_fractions_are_not():
    # 1,281,167 images x 20 %: positions from 1024933.6, rounded down, to the end
    r = recipe(share=20, batch_size=256)
    subset = active_subset(r, np.arange(1_281_167), 0)
    assert (subset[0], subset[-1]) == (1_024_933, 1_281_166)


def test_steps_do_not_depend_on_the_subset():
    # 10 images, batch 2: five steps, also for a subset of 4 (two whole batches per permutation)
    r = recipe(schedule="last", chunk_size=2)
    batches = epoch_batches(r, ORDERING, epoch=0, seed=0)
    assert batches.shape == (5, 2)
    for start in (0, 2):  # two whole permutations of {0, 1, 2, 3}, and one batch of a third
        assert sorted(batches[start : start + 2].ravel()) == [0, 1, 2, 3]
    assert steps_per_epoch(recipe(share=100, steps_per_epoch=7), 10) == 7


def test_every_permutation_is_cut_to_whole_batches():
    # a subset of 5 in batches of 2: each permutation gives two batches and drops one image
    r = recipe(schedule="current", epochs=2, steps_per_epoch=4)
    batches = epoch_batches(r, ORDERING, epoch=0, seed=0)
    for start in (0, 2):
        shown = batches[start : start + 2].ravel()
        assert len(set(shown)) == 4
        assert set(shown) <= {9, 8, 7, 6, 5}


def test_iid_shows_each_image_once_per_epoch_and_reshuffles():
    first, second = (epoch_batches(recipe(), ORDERING, e, seed=0) for e in (0, 1))
    assert sorted(first.ravel()) == sorted(second.ravel()) == list(range(10))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("key", ["steps_per_epoch", "repeat_batch"])
def test_iid_refuses_what_it_would_not_heed_and_share_100_heeds_it(key: str):
    with pytest.raises(ValueError, match=r"`repeat_batch` have no meaning for `schedule: iid`"):
        recipe(**{key: 2})
    # all ten images; 2 steps of them, or 5 of which two in a row are the same
    shown = epoch_batches(recipe(share=100, **{key: 2}), ORDERING, epoch=0, seed=0)
    assert subsets(recipe(share=100)) == subsets(recipe())
    assert len(shown) == {"steps_per_epoch": 2, "repeat_batch": 5}[key]


def test_repeat_batch_shows_each_batch_in_a_row_and_keeps_the_number_of_steps():
    batches = epoch_batches(recipe(share=100, repeat_batch=2), ORDERING, epoch=0, seed=0)
    assert len(batches) == 5
    assert batches[0].tolist() == batches[1].tolist() != batches[2].tolist()
    assert batches[2].tolist() == batches[3].tolist()


def test_the_seed_decides_the_batches():
    one, same, other = (epoch_batches(recipe(), ORDERING, 1, seed).tolist() for seed in (7, 7, 8))
    assert one == same != other


def test_images_used_counts_distinct_images():
    assert images_used(recipe(schedule="last", chunk_size=2), 10) == 4
    assert images_used(recipe(schedule="current"), 10) == 10
    # a hybrid that starts at epoch 3 of 5: epochs 3 and 4 of a single pass show four images
    assert images_used(recipe(schedule="current"), 10, start_epoch=3) == 4


def test_a_subset_below_one_batch_is_refused_with_the_numbers():
    with pytest.raises(UserError, match=r"leaves 2 of 10 images in epoch 0.*one batch of 4"):
        check_subsets(recipe(schedule="accumulate", batch_size=4), 10)
    check_subsets(recipe(schedule="accumulate", batch_size=2), 10)
