"""The devices that networks run on, named as `cpu`, `gpu:0`, `npu:1`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from segtune.errors import DeviceError
from segtune.processor import import_paddle_quietly

KINDS = ("cpu", "gpu", "npu", "xpu", "mlu", "dcu", "gcu")
AUTO = "auto"
GPU_WHEELS = (
    "paddlepaddle-gpu 3 from Paddle's own index (PyPI stops at 2.6.2), "
    "see https://www.paddlepaddle.org.cn/en/install/quick"
)


@dataclass(frozen=True)
class Device:
    """One processor or accelerator: its kind and, for an accelerator, which of them."""

    kind: str  # one of KINDS
    index: int | None = None  # None for the CPU, else 0, 1, ...

    def __str__(self) -> str:
        return self.kind if self.index is None else f"{self.kind}:{self.index}"


def parse_device(text: str) -> Device:
    """Return the device that `text` names; an accelerator without a number is its first.

    Raises:
        DeviceError: The name cannot be read. Whether the device exists is not looked at.
    """
    kind, separator, number = text.strip().lower().partition(":")
    if kind not in KINDS:
        near = "gpu" if kind == "cuda" else next(iter(difflib.get_close_matches(kind, KINDS)), None)
        guess = f"; did you mean {near}{separator}{number}?" if near else ""
        raise _unreadable(f"{text!r} is not a device", f"use one of {', '.join(KINDS)}{guess}")
    if kind == "cpu":
        if separator:
            raise _unreadable(f"the CPU takes no number, but {text!r} has one", "write cpu")
        return Device("cpu")
    if separator and not (number.isascii() and number.isdigit()):
        raise _unreadable(
            f"{text!r} does not end in the number of one device", f"write {kind}:0, {kind}:1, ..."
        )
    return Device(kind, int(number) if separator else 0)


def parse_devices(text: str) -> list[Device]:
    """Return the devices that `text` names, once each: `gpu:0,1`, `cpu`, or `auto`.

    `auto` is the first accelerator that is present, else the CPU.

    Raises:
        DeviceError: The name cannot be read, or a device is named twice.
    """
    if text.strip().lower() == AUTO:
        return [parse_device(next(iter([*present_devices()[1:], "cpu"])))]
    return _named_devices(text)


def check_device_names(text: str) -> None:
    """Raise DeviceError for what `parse_devices` cannot read, without loading Paddle."""
    if text.strip().lower() != AUTO:
        _named_devices(text)


def _named_devices(text: str) -> list[Device]:
    first, *more = text.split(",")
    devices = [parse_device(first)]
    kind = devices[0].kind
    for number in more:
        if kind == "cpu" or not number.strip().isdecimal():
            raise _unreadable(
                f"{text!r} does not name devices of one kind by their numbers",
                "write gpu:0,1 for two devices, each with a worker of its own",
            )
        devices.append(parse_device(f"{kind}:{number.strip()}"))
    if len(set(devices)) < len(devices):
        raise _unreadable(f"{text!r} names a device twice", "name each once")
    return devices


def present_devices() -> list[str]:
    """Return the names of the devices that the installed Paddle can use, the CPU first."""
    paddle = import_paddle_quietly()
    names = ["cpu"]
    if paddle.device.is_compiled_with_cuda():
        kind = "dcu" if paddle.device.is_compiled_with_rocm() else "gpu"
        names += [f"{kind}:{index}" for index in range(paddle.device.cuda.device_count())]
    if paddle.device.is_compiled_with_xpu():
        names += [f"xpu:{index}" for index in range(paddle.device.xpu.device_count())]
    for name in paddle.device.get_available_custom_device():
        names.append(name if ":" in name else f"{name}:0")
    return names


def open_device(device: Device) -> None:
    """Make Paddle compute on `device` from here on.

    Raises:
        DeviceError: The device is not there. Paddle is never asked for a device that is not
            present, since it aborts the whole process for some kinds.
    """
    require_device(device)
    # Paddle runs AMD's DCU cards under the name gpu.
    import_paddle_quietly().set_device(str(device).replace("dcu", "gpu"))


def require_device(device: Device) -> None:
    """Raise DeviceError, which names those present, if a device is not there."""
    present = present_devices()
    if str(device) not in present:
        raise DeviceError(
            f"{device} is not there; present: {', '.join(present)}",
            where=f"--device {device}",
            remedy=_remedy(device, present),
        )


def _remedy(device: Device, present: list[str]) -> str:
    if any(name.startswith(f"{device.kind}:") for name in present):
        return f"use one of {', '.join(present)}"
    if device.kind == "gpu":
        return f"use {' or '.join(present)}, or install {GPU_WHEELS}"
    return (
        f"use {' or '.join(present)}, or install Paddle's build or plugin for {device.kind} "
        "(PaddleCustomDevice) and its driver"
    )


def _unreadable(problem: str, remedy: str) -> DeviceError:
    return DeviceError(problem, where="--device", remedy=remedy)
