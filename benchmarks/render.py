"""Puts the newest results into the documentation: tables between `<!-- NAME -->` and `<!-- end -->`.

    python benchmarks/render.py

Reads `results/*.json` of the benchmarks below and rewrites the pages; what has no result stays as it is.
Where there are results of machines with other bf16 units, or without, the newest of each kind counts and is
named.
"""

from __future__ import annotations

from pathlib import Path

import busy_neighbour
import feature_distance
import generating
import kernels
import precision_quality
import roofline
import scaling
import startup

from stylegraft.bench.markdown import fill, side_by_side
from stylegraft.bench.results import kind_of_machine, newest_results
from stylegraft.errors import InputError
from stylegraft.files import write_text

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("performance.md", "scaling.md")
BENCHMARKS = {
    "roofline": roofline,
    "kernels": kernels,
    "busy_neighbour": busy_neighbour,
    "generating": generating,
    "feature_distance": feature_distance,
    "precision_quality": precision_quality,
    "scaling": scaling,
    "startup": startup,
}


def main() -> None:
    parts: dict[str, str] = {}
    for name, benchmark in BENCHMARKS.items():
        try:
            results = newest_results(ROOT / "benchmarks" / "results", name)
        except InputError as error:
            print(error)
            continue
        parts |= side_by_side({kind_of_machine(result): benchmark.tables(result) for result in results})
    for page in PAGES:
        path = ROOT / "docs" / page
        write_text(path, fill(path.read_text(encoding="utf-8"), parts))
        print(f"written: {path}")


if __name__ == "__main__":
    main()
