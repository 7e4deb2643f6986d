"""A small convolutional network, trained from scratch: the full setting of the usefulness table."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

_BATCH = 64


def classical_augmentation(
    images: np.ndarray, copies: int, seed: int = 0, *, mirror: bool = False
) -> np.ndarray:
    """Returns randomly changed copies of images: shifted by up to an eighth, brightness, mirrored if allowed.

    Args:
        images: uint8 [N, H, W, C].
        copies: how many of each.
        seed: of the draws.
        mirror: half of them are mirrored; for images whose left and right mean nothing.

    Returns:
        uint8 [copies, N, H, W, C]; borders that come into view repeat the nearest pixel.
    """
    random = np.random.RandomState(seed)
    num, height, width = images.shape[:3]
    reach_y, reach_x = height // 8, width // 8
    padded = np.pad(images, [(0, 0), (reach_y, reach_y), (reach_x, reach_x), (0, 0)], mode="edge")
    result = np.empty((copies, *images.shape), np.uint8)
    for index in np.ndindex(copies, num):
        top, left = random.randint(2 * reach_y + 1), random.randint(2 * reach_x + 1)
        image = padded[index[1], top : top + height, left : left + width]
        image = image[:, ::-1] if mirror and random.rand() < 0.5 else image
        result[index] = np.clip(image * random.uniform(0.85, 1.15), 0, 255).round()
    return result


class SmallNetwork(nn.Module):
    """Four stages of convolution, batch normalisation, ReLU and pooling, then the mean over places.

    Args:
        channels: of the images.
        num_classes: outputs.
        width: channels of the first stage; each further stage has twice as many, up to 4 times.
    """

    def __init__(self, channels: int, num_classes: int, width: int = 32) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for out_channels in (width, 2 * width, 4 * width, 4 * width):
            stages += [
                nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.ReLU(),
                nn.AvgPool2d(2, ceil_mode=True),
            ]
            channels = out_channels
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns logits [n, num_classes] of images [n, C, H, W] in [-1, 1]."""
        return self.head(self.stages(images).mean(dim=(2, 3)))


class SmallClassifier:
    """Trains a `SmallNetwork` for a fixed number of steps, whatever the number of examples.

    Fits `stylegraft.evaluation.utility.Classifier`. Equal steps for all arms: none is trained longer.

    Args:
        num_steps: batches of 64.
        device: where it trains.
    """

    def __init__(self, num_steps: int = 1000, device: torch.device | str = "cpu") -> None:
        self._num_steps = num_steps
        self._device = torch.device(device)

    def __call__(
        self, train: np.ndarray, classes: np.ndarray, test: np.ndarray, *, num_classes: int, seed: int
    ) -> np.ndarray:
        """Returns the predicted classes of `test`.

        Args:
            train: uint8 [N, H, W, C].
            classes: int [N].
            test: uint8 [T, H, W, C].
            num_classes: of the task.
            seed: of weights and batches; the global generator of torch is left as it was.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = SmallNetwork(train.shape[-1], num_classes).to(self._device)
        self._fit(
            network, train, torch.from_numpy(np.asarray(classes, np.int64)), np.random.RandomState(seed)
        )
        network.eval()
        with torch.inference_mode():
            batches = [test[start : start + 256] for start in range(0, len(test), 256)]
            return np.concatenate([network(self._tensor(x)).argmax(dim=1).cpu().numpy() for x in batches])

    def _fit(
        self, network: SmallNetwork, train: np.ndarray, classes: torch.Tensor, random: np.random.RandomState
    ) -> None:
        optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=3e-3, total_steps=self._num_steps)
        for _ in range(self._num_steps):
            # Drawn with replacement, so that sets smaller than a batch need no special case.
            chosen = random.randint(len(train), size=_BATCH)
            logits = network(self._tensor(train[chosen]))
            loss = nn.functional.cross_entropy(logits, classes[chosen].to(self._device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()

    def _tensor(self, images: np.ndarray) -> torch.Tensor:
        planes = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        return planes.to(self._device, torch.float32) / 127.5 - 1
