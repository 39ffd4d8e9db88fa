from __future__ import annotations

import pytest

from segtune.strict_yaml import YamlError, dump, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("1e-4", 1e-4, id="a number that YAML 1.1 takes for text"),
        pytest.param("1.5e3", 1500.0, id="exponent without sign"),
        pytest.param("no", "no", id="no is a word"),
        pytest.param("010", "010", id="a leading zero is no octal number"),
        pytest.param("1:30", "1:30", id="a colon is no number to the base of 60"),
        pytest.param("1_000", "1_000", id="an underscore is no separator"),
        pytest.param("2024-01-01", "2024-01-01", id="a date is text"),
        pytest.param("-3", -3, id="negative"),
        pytest.param("true", True, id="boolean"),
        pytest.param("null", None, id="null"),
        pytest.param("", None, id="empty text"),
        pytest.param("'3'", "3", id="quotes make text"),
        pytest.param("[1, {a: 2}]", [1, {"a": 2}], id="nested"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    read_value = read(text).value

    assert read_value == value
    assert type(read_value) is type(value)


def test_every_key_and_item_has_its_line() -> None:
    document = read("a: 1\n\nb:\n  c: 2\n  d: [3,\n      4]\n")

    assert document.lines == {
        ("a",): 1,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "d"): 5,
        ("b", "d", 0): 5,
        ("b", "d", 1): 6,
    }


def test_a_repeated_key_is_a_fault_and_the_first_stays() -> None:
    document = read("a: 1\nb: 2\na: 3\n")

    assert document.value == {"a": 1, "b": 2}
    assert document.faults == [(("a",), 3, "stands here a second time, after line 1")]


def test_an_alias_is_a_fault_even_if_a_node_holds_itself() -> None:
    assert read("a: &x 1\nb: *x\n").faults[0][:2] == (("b",), 1)
    assert len(read("a: &x {b: *x}").faults) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a: 1\nb: [1, 2\n", 3, id="cut in half"),
        pytest.param("a: b: c", 1, id="two colons"),
        pytest.param("a: 1\n---\nb: 2\n", 2, id="two documents"),
        pytest.param("a: !!python/object:os.system x", 1, id="a Python object"),
        pytest.param("\x00", None, id="binary"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(text: str, line: int | None) -> None:
    with pytest.raises(YamlError) as refused:
        read(text)

    assert refused.value.line == line


def test_what_is_dumped_reads_equal() -> None:
    value = {
        "texts": ["1e5", "no", "true", "010", "1:30", "", "a: b", "é"],
        "numbers": [1e-4, 1e-05, 0.1, 3, -2.0],
        "others": [None, True, False, [], {}],
    }

    assert read(dump(value)).value == value
