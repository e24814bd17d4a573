"""Which codes give equal bytes."""

from dataclasses import replace

from engine.equal import Compared, Made, compare, with_class

KNN = Made("knn", "old", (("results/r.h5", "aa"),), "11")
NEW = replace(KNN, code="new")


def test_equal_bytes_from_equal_inputs():
    assert list(compare({"k": KNN}, {"k": NEW})) == [
        Compared("knn", "old", "new", equal=("k",), differing=(), untold=())
    ]


def test_bytes_that_differ():
    (found,) = compare({"k": KNN, "l": KNN}, {"k": NEW, "l": replace(NEW, sha256="22")})
    assert (found.equal, found.differing, found.untold) == (("k",), ("l",), ())


def test_where_the_inputs_differ_already_nothing_can_be_told():
    other = replace(NEW, inputs=(("results/r.h5", "bb"),), sha256="22")
    (found,) = compare({"k": KNN}, {"k": other})
    assert (found.equal, found.differing, found.untold) == ((), (), ("k",))


def test_each_pair_of_codes_by_itself_and_only_what_both_made():
    before = {"k": KNN, "gone": KNN, "p": replace(KNN, rule="pack")}
    now = {"k": NEW, "new": NEW, "p": replace(KNN, rule="pack")}
    found = [(one.rule, one.before, one.now) for one in compare(before, now)]
    assert found == [("knn", "old", "new"), ("pack", "old", "old")]


def test_classes_of_equal_codes_grow_and_join_the_older_first():
    assert with_class({}, "knn", "a", "b") == {"knn": [["a", "b"]]}
    assert with_class({"knn": [["a", "b"]]}, "knn", "b", "c") == {"knn": [["a", "b", "c"]]}
    two = {"knn": [["a", "b"], ["x"], ["c", "d"]], "pack": [["p", "q"]]}
    joined = with_class(two, "knn", "b", "c")
    assert joined == {"knn": [["x"], ["a", "b", "c", "d"]], "pack": [["p", "q"]]}
    assert two["knn"] == [["a", "b"], ["x"], ["c", "d"]], "what was given stays as it was"
