"""The sources that are shipped: each is whole, small, reads as float32, and draws what its grid shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import stylegraft
from stylegraft import zoo
from stylegraft.checkpoints.opening import open_checkpoint
from stylegraft.zoo.sheet import grid_pictures

MAX_BYTES = 8_000_000


@pytest.fixture(params=zoo.names())
def source(request: pytest.FixtureRequest) -> zoo.Entry:
    return zoo.entry(request.param)


def test_source_is_a_small_checkpoint_with_card_and_grid(source: zoo.Entry) -> None:
    files = {"card.json", "checkpoint.json", "grid.png", "networks.safetensors"}
    assert {file.name for file in source.folder.iterdir()} == files
    assert source.num_bytes < MAX_BYTES
    assert source.card["name"] == source.name
    tensors = load_file(source.folder / "networks.safetensors")
    assert {name.partition(".")[0] for name in tensors} == {"G_ema", "D"}
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}


def test_source_is_read_as_float32_and_says_its_licence(source: zoo.Entry) -> None:
    opened = open_checkpoint(source.folder)
    assert opened.discriminator is not None
    for network in ("G_ema", "D"):
        assert {tensor.dtype for tensor in opened.tensors[network].values()} == {torch.float32}
    assert opened.info["sha256"] == source.card["sha256"]
    assert opened.info["licence"] == source.card["licence"]
    assert source.card["packages"][0] in opened.info["data_note"]
    assert opened.info["kimg"] == source.card["kimg"]


def test_source_has_the_architecture_of_the_zoo(source: zoo.Entry) -> None:
    G = open_checkpoint(source.folder).generator
    assert (G.img_height, G.img_width, G.img_channels, G.mapping.c_dim) == (64, 64, 3, 0)
    assert G.channels == (128, 128, 128, 64, 32)
    assert G.mapping.num_layers == 2


def test_source_is_loaded_by_name_and_draws_its_grid(source: zoo.Entry) -> None:
    model = stylegraft.load(source.name, device="cpu")
    drawn = model.sample([0, 9, 63], psi=source.card["grid_psi"]).astype(int)
    shown = grid_pictures(source.grid)[[0, 9, 63]].astype(int)
    # Another processor may round a value to the neighbouring grey level.
    assert np.abs(drawn - shown).max() <= 2
