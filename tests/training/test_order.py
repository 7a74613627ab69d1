"""The order in which examples are seen."""

from __future__ import annotations

from collections import Counter

from phar.training.order import Balanced, Shuffled


def test_every_example_comes_once_a_turn() -> None:
    order = Shuffled(7, 0)
    turns = [[order[7 * turn + place] for place in range(7)] for turn in range(3)]
    assert all(sorted(turn) == list(range(7)) for turn in turns)
    assert turns[0] != turns[1] != turns[2]
    assert [Shuffled(7, 0)[place] for place in range(7)] == turns[0]
    assert [Shuffled(7, 1)[place] for place in range(7)] != turns[0]


def test_classes_and_categories_are_seen_alike() -> None:
    # 90 of one class in two categories of 80 and 10, 6 of another, 1 of a third.
    classes = ["walk"] * 90 + ["jump"] * 6 + ["fall"]
    categories = ["street"] * 80 + ["hall"] * 10 + [""] * 7
    order = Balanced(classes, categories, seed=3)
    seen = [order[position] for position in range(3 * 40)]
    assert Counter(classes[number] for number in seen) == {"walk": 40, "jump": 40, "fall": 40}
    walked = [number for number in seen if classes[number] == "walk"]
    assert Counter(categories[number] for number in walked) == {"street": 20, "hall": 20}
    # None of a category comes again before all have come.
    assert Counter(number for number in walked if categories[number] == "hall") == dict.fromkeys(
        range(80, 90), 2
    )
    assert len({number for number in walked if categories[number] == "street"}) == 20
    assert Counter(number for number in seen if classes[number] == "jump") == Counter(
        {number: count for number, count in Counter(seen).items() if 90 <= number < 96}
    )
    jumps = Counter(number for number in seen if classes[number] == "jump")
    assert set(jumps.values()) == {6, 7}
    # A batch mixes classes, and any position can be asked for first.
    assert all({classes[number] for number in seen[at : at + 3]} == set(classes) for at in range(0, 120, 3))
    assert Balanced(classes, categories, seed=3)[100] == seen[100]
