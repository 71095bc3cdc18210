"""Waiting for conditions, never for time."""

import os
import time

IS_SANITIZED = os.environ.get("LEASH_SANITIZED") == "1"
# What a loaded machine may take for something that should be quick.
DEADLINE = 120.0 if IS_SANITIZED else 60.0


def wait_until(condition, what="the condition", deadline=DEADLINE):
    """Returns the first true value of condition(); fails after the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what() if callable(what) else what}: not within {deadline:.0f} s")
        time.sleep(0.005)
