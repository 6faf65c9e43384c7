"""A method that only tests know: it moves each batch to one place, or does what it is told to."""

import time
from collections.abc import Callable
from typing import Any

LIBRARIES = ("numpy",)
WELL, FAILS, HANGS, LACKS_CELLS, NOT_FINITE, NO_ARRAY, GREEDY = range(7)


def correct(
    inputs: dict[str, Any], settings: dict[str, Any], progress: Callable[[float], None]
) -> tuple[dict[str, Any], dict[str, Any]]:
    import numpy as np

    how, before, batch = settings["how"], inputs["embedding"], inputs["batch"]
    print("what a library says")
    progress(0.5)
    if how == 1:
        raise RuntimeError("the seventh seal is broken")
    if how == 2:
        time.sleep(600)
    if how == 6:
        grown = []
        for _ in range(30):  # 2.4 GB, if nobody ends it
            grown.append(np.ones(10_000_000))
            time.sleep(0.05)
    after = np.array(before, dtype=np.float64)
    for code in range(len(inputs["levels"])):
        after[batch == code] -= after[batch == code].mean(axis=0)
    if how == 3:
        after = after[1:]
    if how == 4:
        after[3] = np.nan
    return ({} if how == 5 else {"embedding": after * settings["scale"]}), {}
