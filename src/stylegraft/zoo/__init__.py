"""The zoo: trained sources that come with the package, one folder each under `weights/`; no torch here.

    weights/NAME/checkpoint.json         an ordinary checkpoint folder, as `checkpoints.native` reads it
                 networks.safetensors    G_ema and D, in half precision
                 card.json               what it is, where its images come from, licence, numbers (`ZooCard`)
                 grid.png                64 of its pictures, seeds 0 to 63

Entries are made by `tools/make_zoo_entry.py` from finished runs, and never changed by hand.
"""

from __future__ import annotations

from stylegraft.zoo.card import ZooCard
from stylegraft.zoo.catalogue import Entry, entries, entry, names, resolve

__all__ = ["Entry", "ZooCard", "entries", "entry", "names", "resolve"]
