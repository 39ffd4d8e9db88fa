from __future__ import annotations

import pytest

from segtune.devices import (
    Device,
    check_device_names,
    open_device,
    parse_device,
    parse_devices,
    present_devices,
)
from segtune.errors import DeviceError


@pytest.mark.parametrize(
    ("text", "device"),
    [
        pytest.param("cpu", Device("cpu"), id="CPU"),
        pytest.param("GPU:1", Device("gpu", 1), id="upper case"),
        pytest.param("npu", Device("npu", 0), id="the first when there is no number"),
        pytest.param(" xpu:12 ", Device("xpu", 12), id="blanks"),
    ],
)
def test_a_device_is_its_kind_and_number(text: str, device: Device) -> None:
    assert parse_device(text) == device
    assert parse_device(str(device)) == device


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("cpu:0", "write cpu", id="the CPU has no number"),
        pytest.param("cuda:0", "did you mean gpu:0?", id="another name"),
        pytest.param("gpuu", "did you mean gpu?", id="typing error"),
        pytest.param("", "use one of cpu, gpu", id="empty"),
        pytest.param("gpu:", "write gpu:0", id="no number"),
        pytest.param("gpu:a", "write gpu:0", id="a letter for the number"),
        pytest.param("gpu:0,1", "write gpu:0", id="several"),
        pytest.param("gpu:-1", "write gpu:0", id="negative"),
    ],
)
def test_a_name_that_cannot_be_read_brings_what_to_write(text: str, words: str) -> None:
    with pytest.raises(DeviceError) as refused:
        parse_device(text)

    assert words in str(refused.value.remedy)


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        pytest.param("cpu", [Device("cpu")], id="one"),
        pytest.param("gpu:0,1", [Device("gpu", 0), Device("gpu", 1)], id="two"),
        pytest.param("NPU:3, 1", [Device("npu", 3), Device("npu", 1)], id="their order is kept"),
    ],
)
def test_several_devices_are_named_by_their_numbers(text: str, devices: list[Device]) -> None:
    assert parse_devices(text) == devices
    check_device_names(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("cpu,cpu", "of one kind by their numbers", id="the CPU is one"),
        pytest.param("gpu:0,npu:1", "of one kind by their numbers", id="two kinds"),
        pytest.param("gpu:0,", "of one kind by their numbers", id="nothing after the comma"),
        pytest.param("gpu:1,1", "names a device twice", id="twice"),
    ],
)
def test_devices_that_cannot_be_one_list_are_refused(text: str, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        parse_devices(text)
    with pytest.raises(DeviceError, match=words):
        check_device_names(text)


def test_auto_is_the_first_accelerator_else_the_processor() -> None:
    present = present_devices()

    assert [str(device) for device in parse_devices("auto")] == [(present[1:] or ["cpu"])[0]]
    check_device_names("auto")


def test_the_processor_is_always_there_and_opens() -> None:
    assert present_devices()[0] == "cpu"
    open_device(Device("cpu"))


@pytest.mark.parametrize("kind", ["gpu", "npu", "xpu", "mlu", "dcu", "gcu"])
def test_an_absent_device_names_those_present_and_what_to_install(kind: str) -> None:
    absent = Device(kind, 99)

    with pytest.raises(DeviceError) as refused:
        open_device(absent)

    assert f"{kind}:99 is not there; present: cpu" in refused.value.problem
    assert "cpu" in str(refused.value.remedy)
