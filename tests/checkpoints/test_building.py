"""A config and tensors become a network only if they belong together, and memory is taken only then."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

from stylegraft.checkpoints.building import build_network, check_network, check_tensors, fill_network
from stylegraft.errors import CheckpointError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig, MappingConfig
from stylegraft.networks.stylegan2 import Discriminator, Generator

MAPPING = MappingConfig(z_dim=4, w_dim=4, num_layers=1)
CONFIG = GeneratorConfig(img_height=8, img_width=8, channels=(4, 4), mapping=MAPPING)


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return Generator(CONFIG).state_dict()


def test_built_network_holds_the_tensors(tensors) -> None:
    state = build_network(Generator, CONFIG, tensors, "G").state_dict()
    assert state.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(state[name], tensor)
        assert state[name].device.type == "cpu"  # and not "meta", where the shapes were compared
        assert state[name].data_ptr() != tensor.data_ptr()


def _without_one(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["synthesis.b4.const"]


def _with_one_more(tensors: dict[str, torch.Tensor]) -> None:
    tensors["synthesis.b4.extra"] = torch.zeros(1)


def _with_another_shape(tensors: dict[str, torch.Tensor]) -> None:
    tensors["synthesis.b4.const"] = torch.zeros(4, 4, 5)


def _with_the_right_number_of_elements(tensors: dict[str, torch.Tensor]) -> None:
    tensors["synthesis.b4.const"] = torch.zeros(4, 2, 8)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without_one, "synthesis.b4.const is missing"),
        (_with_one_more, "synthesis.b4.extra is left over"),
        (_with_another_shape, r"synthesis.b4.const is \[4, 4, 5\] instead of \[4, 4, 4\]"),
        (_with_the_right_number_of_elements, r"is \[4, 2, 8\] instead of \[4, 4, 4\]"),
    ],
)
@pytest.mark.parametrize("how", ["build", "fill", "check"])
def test_tensors_that_do_not_belong_are_named(
    tensors, how: str, change: Callable[[dict[str, torch.Tensor]], None], says: str
) -> None:
    change(tensors)
    use = {
        "build": lambda: build_network(Generator, CONFIG, tensors, "the generator"),
        "check": lambda: check_network(Generator, CONFIG, tensors, "the generator"),
        "fill": lambda: fill_network(Generator(CONFIG), tensors, "the generator"),
    }[how]
    with pytest.raises(CheckpointError, match=f"^the generator: .*{says}"):
        use()


def test_network_is_not_half_filled(tensors) -> None:
    network = Generator(CONFIG)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    _without_one(tensors)
    with pytest.raises(CheckpointError):
        fill_network(network, tensors, "G")
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_many_problems_are_counted() -> None:
    expected = {name: torch.Size([1]) for name in "abcdefgh"}
    with pytest.raises(CheckpointError) as caught:
        check_tensors(expected, {"a": torch.zeros(1), "z": torch.zeros(1)}, "G")
    message = str(caught.value)
    assert "expected the 8 tensors of its config" in message
    assert "b is missing, c is missing, d is missing and 5 more" in message
    assert "\n" not in message


HUGE = (16384, 16384)  # one convolution of 2.4 billion weights, 9.7 GB


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_absurd_config_is_refused_without_memory(
    tensors, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    randn = torch.randn

    def watched(*shape: int, **options: object) -> torch.Tensor:
        made = randn(*shape, **options)  # pyright: ignore[reportArgumentType, reportCallIssue]
        if made.device.type != "meta":
            sizes.append(made.numel())
        return made

    monkeypatch.setattr(torch, "randn", watched)
    D_config = DiscriminatorConfig(img_height=8, img_width=8, channels=HUGE)
    build = {
        "generator": lambda: build_network(Generator, CONFIG.replace(channels=HUGE), tensors, "network"),
        "discriminator": lambda: build_network(Discriminator, D_config, tensors, "network"),
    }[network]
    start = time.process_time()
    with pytest.raises(CheckpointError, match=r"^network: expected"):
        build()
    assert sizes == []
    assert time.process_time() - start < 2.0  # filling so many weights would take a minute
    Generator(CONFIG)
    assert sizes  # or the watch would not see what it should
