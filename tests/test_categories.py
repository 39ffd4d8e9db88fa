import pytest

from segtune.categories import Categories


def test_labels_follow_ascending_category_id_whatever_the_order_in_the_file() -> None:
    categories = Categories.from_json([{"id": 7, "name": "pen"}, {"id": 2, "name": "cup"}])

    assert categories.names == ["cup", "pen"]
    assert [categories.label_of(2), categories.label_of(7)] == [0, 1]
    assert categories[1].id == 7
    assert Categories.from_json(categories.to_json()) == categories


def test_an_undeclared_id_has_no_label() -> None:
    with pytest.raises(KeyError):
        Categories([(1, "cup")]).label_of(2)


def test_no_categories_are_no_classes() -> None:
    assert len(Categories([])) == 0
    assert Categories([]).names == []
