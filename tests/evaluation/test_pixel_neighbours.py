import numpy as np
import pytest
from PIL import Image

from stylegraft.evaluation.pixel_neighbours import pixel_neighbours


def pictures(num, height=48, width=48, channels=3):
    """Smooth random pictures."""
    random = np.random.RandomState(0)
    coarse = random.randint(0, 256, size=(num, 6, 6, 3)).astype(np.uint8)
    big = [np.asarray(Image.fromarray(x).resize((width, height), Image.Resampling.BICUBIC)) for x in coarse]
    return np.stack(big)[..., :channels]


def test_picture_is_at_distance_zero_of_itself_and_of_its_mirror_image():
    images = pictures(12)
    found = pixel_neighbours(np.concatenate([images[3:5], images[5:7, :, ::-1]]), images, num=4)
    assert found.indices[:, 0].tolist() == [3, 4, 5, 6]
    assert found.mirrored[:, 0].tolist() == [False, False, True, True]
    # A resize of the mirror image rounds otherwise by up to one; sums in single precision cost the rest.
    assert found.distances[:, 0].max() < 1.0
    assert (np.diff(found.distances, axis=1) >= 0).all()
    assert found.distances[:, 1].min() > 20


@pytest.mark.parametrize(("height", "width", "channels"), [(40, 64, 3), (64, 64, 1), (20, 20, 3)])
def test_crop_is_found_past_shapes_and_channels(height, width, channels):
    images = pictures(12, height, width, channels)
    box = (0.15 * width, 0.05 * height, 0.98 * width, 0.88 * height)
    crop = Image.fromarray(images[7].squeeze()).resize((width, height), Image.Resampling.BICUBIC, box=box)
    found = pixel_neighbours(np.asarray(crop).reshape(1, height, width, channels), images, num=3)
    assert found.indices[0, 0] == 7
    assert found.distances[0, 0] < 0.3 * found.distances[0, 1]


def test_distance_is_root_mean_square_on_the_scale_of_bytes():
    flat = np.full((3, 32, 32, 3), 100, np.uint8)
    flat[1], flat[2] = 110, 160
    found = pixel_neighbours(flat[:1] + 3, flat, num=3)
    assert found.indices[0].tolist() == [0, 1, 2]
    assert found.distances[0] == pytest.approx([3, 7, 57], abs=0.05)
