import os
import signal
import threading

import pytest

from segtune.training.interrupt import interruptible


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_only_asks_to_stop(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with interruptible() as stop_asked:
        assert not stop_asked()
        os.kill(os.getpid(), number)
        assert stop_asked()

    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_stops_at_once() -> None:
    def twice() -> None:
        with interruptible():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()


def test_another_thread_works_without_signals() -> None:
    asked = []

    def work() -> None:
        with interruptible() as stop_asked:
            asked.append(stop_asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert asked == [False]
