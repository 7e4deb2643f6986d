"""From seeds to pixels: the same picture wherever its seed stands."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stylegraft.errors import InputError
from stylegraft.networks.config import GeneratorConfig, channels_per_block
from stylegraft.networks.mapped_seeds import MappedSeeds
from stylegraft.networks.sampling import (
    labels_of_seeds,
    latents_of_seeds,
    map_to_w,
    sample_pixels,
    sampling_batch,
    to_pixels,
)
from stylegraft.networks.stylegan2 import Generator


def test_latents_are_those_of_the_community():
    z = latents_of_seeds([0, 7, 2**32 - 1], 5)
    assert z.dtype == torch.float32
    for row, seed in zip(z.numpy(), [0, 7, 2**32 - 1]):
        assert np.array_equal(row, np.random.RandomState(seed).randn(1, 5)[0].astype(np.float32))
    assert latents_of_seeds([], 5).shape == (0, 5)


def test_labels_are_drawn_by_seed():
    labels = labels_of_seeds(range(300), 3)
    assert labels is not None
    assert torch.equal(labels.sum(dim=1), torch.ones(300))
    assert labels.sum(dim=0).min() > 70  # of 100 expected
    again = labels_of_seeds([250], 3)
    assert again is not None
    assert torch.equal(again[0], labels[250])
    assert labels_of_seeds([1], 0) is None


def picture(generator, seeds, **settings):
    z = latents_of_seeds(seeds, 12)
    return sample_pixels(generator, z, None, seeds=seeds, psi=0.7, **settings)


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
def test_picture_does_not_depend_on_its_place(make_generator, noise_mode):
    generator = make_generator(32, 32).eval()
    together = picture(generator, range(7), noise_mode=noise_mode, batch=4)
    assert together.shape == (7, 32, 32, 3)
    assert together.dtype == np.uint8
    assert together.std() > 10
    for settings in ({"batch": 1}, {"batch": 3}, {"batch": 16}):
        other = picture(generator, list(reversed(range(7))), noise_mode=noise_mode, **settings)[::-1]
        # Sums of another order may round to the neighbouring grey level.
        assert np.abs(together.astype(int) - other.astype(int)).max() <= 1
    assert np.array_equal(together, picture(generator, range(7), noise_mode=noise_mode, batch=4))


def test_random_noise_is_keyed_by_seed(make_generator):
    generator = make_generator().eval()
    z = latents_of_seeds([3], 12).expand(3, -1)
    one, two, other = sample_pixels(generator, z, None, seeds=[3, 3, 4], noise_mode="random")
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_labels_go_with_their_rows(make_generator):
    generator = make_generator(c_dim=2).eval()
    z, c = latents_of_seeds([0, 0, 0], 12), torch.tensor([[1.0, 0], [0, 1], [1, 0]])
    a, b, again = sample_pixels(generator, z, c, seeds=[0, 0, 0], batch=2)
    assert not np.array_equal(a, b)
    assert np.abs(a.astype(int) - again).max() <= 1


def test_no_seeds_give_no_pictures(make_generator):
    assert picture(make_generator(24, 16), []).shape == (0, 24, 16, 3)


@pytest.mark.parametrize("batch", [0, -2])
def test_impossible_batch_is_refused(make_generator, batch):
    with pytest.raises(InputError, match="batch: expected 1 or more"):
        picture(make_generator(), [0], batch=batch)


def test_pixels_are_rounded_as_the_official_tools_do():
    values = torch.tensor([-2.0, -1.0, 0.0, 0.999, 1.0, 3.0]).view(1, 1, 1, 6)
    assert to_pixels(values).ravel().tolist() == [0, 0, 128, 255, 255, 255]


def count_mapped(generator):
    """Notes how many latents every pass of the mapping network gets."""
    passes = []
    generator.mapping.register_forward_pre_hook(lambda module, inputs: passes.append(len(inputs[0])))
    return passes


def test_w_does_not_depend_on_what_is_mapped_beside_it(make_generator):
    generator = make_generator().eval()
    z = latents_of_seeds(range(21), 12)
    together = map_to_w(generator, z, None)
    assert together.shape == (21, generator.config.mapping.w_dim)
    assert torch.equal(together[18:], map_to_w(generator, z[18:], None))
    assert torch.allclose(together, generator.mapping(z)[:, 0], rtol=1e-5, atol=1e-6)
    assert map_to_w(generator, z[:0], None).shape == (0, generator.config.mapping.w_dim)


@pytest.mark.parametrize("c_dim", [0, 3])
def test_seeds_are_mapped_once(make_generator, c_dim):
    generator, mapped = make_generator(c_dim=c_dim).eval(), MappedSeeds()
    passes = count_mapped(generator)
    seeds = [5, 2, 5]
    c = labels_of_seeds(seeds, c_dim)
    first = mapped(generator, seeds, c)
    assert torch.equal(first, map_to_w(generator, latents_of_seeds(seeds, 12), c))
    del passes[:]
    assert torch.equal(mapped(generator, seeds, c), first)
    assert passes == []
    more = mapped(generator, [7, 2], labels_of_seeds([7, 2], c_dim))
    assert len(passes) == 1
    assert torch.equal(more[1], first[1])
    if c is not None:
        assert not torch.equal(mapped(generator, seeds, c.roll(1, dims=1)), first)
    assert mapped(generator, [], labels_of_seeds([], c_dim)).shape == (0, first.shape[1])


def test_seeds_are_mapped_anew_after_the_weights_changed(make_generator):
    generator, mapped = make_generator().eval(), MappedSeeds()
    before = mapped(generator, [0, 1], None)
    for change in (
        lambda weight: weight.mul_(2),
        lambda weight: generator.load_state_dict({"mapping.fc0.weight": weight / 3}, strict=False),
    ):
        with torch.no_grad():
            change(generator.mapping.fc0.weight)
        after = mapped(generator, [0, 1], None)
        assert not torch.equal(after, before)
        assert torch.equal(after, map_to_w(generator, latents_of_seeds([0, 1], 12), None))
        before = after
    other = make_generator().eval()
    assert not torch.equal(mapped(other, [0, 1], None), before)


def test_kept_seeds_are_bounded(make_generator, monkeypatch):
    monkeypatch.setattr("stylegraft.networks.mapped_seeds._MOST_KEPT", 3)
    generator, mapped = make_generator().eval(), MappedSeeds()
    passes = count_mapped(generator)
    first = mapped(generator, [0, 1, 2], None)
    mapped(generator, [3], None)  # one too many
    del passes[:]
    assert torch.equal(mapped(generator, [0, 1, 2], None), first)
    assert len(passes) == 1


def test_larger_pictures_are_sampled_in_smaller_batches():
    batches = {torch.float32: [], torch.bfloat16: []}
    for px in (16, 64, 128, 256, 1024):
        channels = channels_per_block(px.bit_length() - 2, 256, 8)
        generator = Generator(GeneratorConfig(img_height=px, img_width=px, channels=channels))
        for dtype, found in batches.items():
            generator.set_compute_dtype(dtype)
            found.append(sampling_batch(generator))
    assert batches == {torch.float32: [32, 32, 16, 4, 1], torch.bfloat16: [32, 32, 32, 8, 1]}
