"""How a job is asked to stop, and how often it saves."""

import signal
import time

import pytest

from ssl_collapse.runtime import interruption
from ssl_collapse.runtime.interruption import Cadence, Interruption


def test_a_signal_asks_and_does_not_kill():
    with Interruption() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_the_alarm_asks_when_the_time_has_come_and_not_before():
    for seconds in (0.2, -5):  # or over before it began
        with Interruption(time.time() + seconds) as stop:
            assert stop.asked is False or seconds < 0
            time.sleep(0.3)
            assert stop.asked
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    with Interruption(time.time() + 0.01):
        pass
    time.sleep(0.05)  # after the block the alarm kills nobody


def test_saving_takes_at_most_a_hundredth_of_the_time(monkeypatch: pytest.MonkeyPatch):
    now = 1000.0
    monkeypatch.setattr(interruption.time, "perf_counter", lambda: now)
    cadence = Cadence(600)
    assert not cadence.due()
    now = 1600.0
    assert cadence.due()
    now = 1602.0
    cadence.saved(1600.0)  # two seconds: again after 600
    assert not cadence.due()
    now = 2202.0
    assert cadence.due()
    now = 2212.0
    cadence.saved(2202.0)  # ten seconds: again after 1000
    now = 3211.0
    assert not cadence.due()
    now = 3212.0
    assert cadence.due()
