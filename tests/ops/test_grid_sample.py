import pytest
import torch
from torch.autograd import grad, gradcheck, gradgradcheck

from stylegraft.ops.grid_sample import grid_sample, grid_sample_reference


def make_case(dtype=torch.float64, num=2, channels=3, size=(5, 7), out=(6, 4)):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn([num, channels, *size], generator=generator, dtype=dtype)
    # Beyond [-1, 1] on all sides, so that inside, border and outside all occur.
    grid = torch.rand([num, *out, 2], generator=generator, dtype=dtype) * 3 - 1.5
    return images, grid


def test_grid_sample_reference_agrees_with_torch():
    images, grid = make_case()
    expected = torch.nn.functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    torch.testing.assert_close(grid_sample_reference(images, grid), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "expanded"])
def test_grid_sample_agrees_with_the_reference_to_second_order(dtype, layout):
    images, grid = make_case(dtype, num=3, channels=4, size=(16, 12), out=(20, 18))
    if layout == "channels_last":
        images = images.contiguous(memory_format=torch.channels_last)
    if layout == "expanded":
        images = images[:, :1].expand(-1, 4, -1, -1)
    direction = torch.randn(3, 4, 20, 18, dtype=dtype, generator=torch.Generator().manual_seed(1))
    results = []
    for function in (grid_sample, grid_sample_reference):
        leaf = images.clone().requires_grad_()
        out = function(leaf, grid)
        # Nonlinear on both sides of the gradient, so that every second derivative counts.
        (first,) = grad((out.sin() * direction).sum(), leaf, create_graph=True)
        (second,) = grad(first.square().sum(), leaf)
        results.append((out, first, second))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12  # float noise of sums of about ten terms
    for fast, slow in zip(*results):
        torch.testing.assert_close(
            fast, slow, rtol=tolerance, atol=tolerance * float(slow.detach().abs().max())
        )


def test_grid_sample_passes_numerical_gradient_checks():
    images, grid = make_case(size=(4, 4), out=(3, 5))
    images.requires_grad_()
    assert gradcheck(lambda x: grid_sample(x, grid).sin(), [images])
    assert gradgradcheck(lambda x: grid_sample(x, grid).sin(), [images])


def test_grid_sample_of_the_pixel_centres_is_the_image():
    images, _ = make_case()
    height, width = images.shape[2:]
    y, x = torch.meshgrid(
        (torch.arange(height) + 0.5).double() * 2 / height - 1,
        (torch.arange(width) + 0.5).double() * 2 / width - 1,
        indexing="ij",
    )
    grid = torch.stack([x, y], dim=-1).expand(2, -1, -1, -1)
    torch.testing.assert_close(grid_sample(images, grid), images)


def test_grid_sample_refuses_a_grid_that_requires_a_gradient():
    images, grid = make_case()
    with pytest.raises(AssertionError, match="constant grid"):
        grid_sample(images, grid.requires_grad_())
