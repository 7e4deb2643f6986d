"""Lists of seeds as people write them: `0-15,85`."""

from __future__ import annotations

import re

from stylegraft.errors import InputError
from stylegraft.generate.config import MAX_NUM

# RandomState, which turns a seed into z everywhere in this community, takes 32 bits.
MAX_SEED = 2**32 - 1

_ITEM = re.compile(r"(\d+)(?:-(\d+))?")


def parse_seeds(text: str) -> list[int]:
    """Returns the seeds named by a list of numbers and inclusive ranges, in the order written.

    Args:
        text: such as "0-15,85".

    Raises:
        InputError: no such list, a seed above 2^32 - 1, a seed named twice, or more than a million seeds.
    """
    seeds: list[int] = []
    for item in text.split(","):
        match = _ITEM.fullmatch(item.strip())
        if match is None:
            raise InputError(
                f"--seeds {text}: expected numbers and ranges such as 0-15,85, got {item.strip()!r}."
            )
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if not first <= last <= MAX_SEED:
            raise InputError(
                f"--seeds {text}: expected ranges that go up and end at {MAX_SEED} at most, "
                f"got {item.strip()!r}."
            )
        if len(seeds) + last - first >= MAX_NUM:
            raise InputError(
                f"--seeds {text}: expected at most {MAX_NUM:,} seeds, got more. Generate them in parts."
            )
        seeds.extend(range(first, last + 1))
    seen: set[int] = set()
    for seed in seeds:
        if seed in seen:
            raise InputError(f"--seeds {text}: expected each seed once, got {seed} twice. Leave one out.")
        seen.add(seed)
    return seeds
