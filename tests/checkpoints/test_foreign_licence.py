"""The licence notice of a file: found on top of the source texts it carries, as text and no more."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from foreign_writer import official, random_networks, write_official

from stylegraft.checkpoints.foreign import read_foreign
from stylegraft.checkpoints.foreign.licence import licence_of_pickle, licence_of_source
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig

NOTICE = "# Copyright (c) 2021, A Firm.  All rights reserved.\n#\n# Use needs a license\n# agreement.\n"
SHOWN = "Copyright (c) 2021, A Firm. All rights reserved. Use needs a license agreement."


def test_notice_on_top_is_one_line() -> None:
    assert licence_of_source(f"\n{NOTICE}\nimport os  # license of os\n") == SHOWN


def test_comment_that_speaks_of_no_licence_is_none() -> None:
    assert licence_of_source("# Layers of the generator.\nlicense = 1\n") is None
    assert licence_of_source("") is None


def test_notice_is_cut_and_cleaned() -> None:
    text = licence_of_source("# license \x1b[31m red\x00 " + "x" * 5000)
    assert text is not None
    assert len(text) == 603
    assert text.isprintable()


def test_notice_is_found_in_a_pickle_of_any_protocol() -> None:
    for protocol in range(2, 6):
        data = pickle.dumps({"module_src": NOTICE + "\nclass Generator: ...\n"}, protocol)
        assert licence_of_pickle(memoryview(data)) == SHOWN
    assert licence_of_pickle(memoryview(pickle.dumps({"module_src": "class Generator: ..."}))) is None


def test_reader_of_official_files_hands_the_notice_over(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {"img_height": 8, "img_width": 8, "channels": (4, 4)}
    generator = GeneratorConfig(**sizes, mapping=MappingConfig(z_dim=4, w_dim=4, num_layers=1))
    network = official(random_networks(generator, DiscriminatorConfig(**sizes))["G_ema"])
    assert "licence" not in read_foreign(write_official(tmp_path / "a.pkl", {"G_ema": network})).info
    network.source = NOTICE + "class Generator: ...\n"
    assert read_foreign(write_official(tmp_path / "b.pkl", {"G_ema": network})).info["licence"] == SHOWN
