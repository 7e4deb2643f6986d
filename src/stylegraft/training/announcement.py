"""What a new run says of itself before it trains: images, networks, settings, an honest forecast."""

from __future__ import annotations

from rich.console import Console

from stylegraft.data.dataset import ImageSet
from stylegraft.data.split import Split
from stylegraft.training.config import RunConfig
from stylegraft.training.estimate import Estimate
from stylegraft.training.observers import tell

_FEW_IMAGES = 5000  # augmentation gains most below


def announce(
    console: Console, config: RunConfig, estimate: Estimate | None, images: ImageSet, split: Split
) -> None:
    """Tells what is about to be trained, on what, and how long it will take.

    Args:
        console: for the user.
        config: the run's settings.
        estimate: what it will cost; None if nothing waits for that, for the first steps tell it too.
        images: the set.
        split: which of them train and which are held out.
    """
    generator = config.generator
    family = "StyleGAN v1" if config.family == "stylegan1" else "StyleGAN2"
    architecture = generator.architecture
    if generator.architecture != config.discriminator.architecture:
        architecture += f"/{config.discriminator.architecture}"
    classes = f", {images.c_dim} classes" if images.c_dim else ""
    augment = "none" if config.augment is None else f"{config.ada.mode} p, from {config.ada.p:g}"
    for line in (
        f"images     {len(split.train_indices)} to train on, {len(split.holdout_indices)} held out, "
        f"{images.height}x{images.width}, {images.num_channels} channels{classes}",
        f"networks   {family} {architecture}, feature maps "
        f"{'-'.join(map(str, generator.channels))}, mapping {generator.mapping.num_layers} layers",
        f"training   batch {config.batch}, lr {config.lr:g}, R1 gamma {config.r1_gamma:.3g}, path length "
        f"{config.pl_weight:g}, EMA {config.ema_kimg:g} kimg, augmentation {augment}, {config.precision}",
        *([] if estimate is None else _forecast_lines(config, estimate)),
    ):
        tell(console, line)
    if config.augment is None and len(split.train_indices) < _FEW_IMAGES:
        text = f"fewer than {_FEW_IMAGES} images, and no augmentation to hide it: --aug ada would help"
        tell(console, f"note       {text}")
    if split.note:
        tell(console, f"note       {split.note}")
    if images.skipped:
        tell(console, f"note       {len(images.skipped)} files left out (--skip-bad)")


def _forecast_lines(config: RunConfig, estimate: Estimate) -> list[str]:
    """How fast it will be, and what distances and growing that leaves time for."""
    lines = [
        *_growing_lines(config, estimate),
        f"forecast   {estimate.total_kimg * 1000 / estimate.total_sec:.1f} img/s measured here: "
        f"{_rounded(estimate.total_kimg)} kimg in {_rounded(estimate.total_sec / 60)} min",
    ]
    if config.eval_fakes:
        ticks = max(estimate.total_sec / estimate.step_sec / config.tick_steps, 1)
        times = ticks / config.eval_ticks + 1
        lines.append(f"distance   FD-EffLite0 of {config.eval_fakes} fakes, about {times:.0f} times")
    return lines


def _growing_lines(config: RunConfig, estimate: Estimate) -> list[str]:
    """What a run that grows has ahead of it, and whether its budget lets it finish."""
    growing, generator = config.growing, config.generator
    if growing is None:
        return []
    side = min(generator.img_height, generator.img_width)
    sizes = " -> ".join(str(side >> lod) for lod in range(growing.start_lod, -1, -1))
    batches = " -> ".join(str(stage.batch) for stage in reversed(growing.stages))
    lines = [
        f"growing    {sizes} px, batch {batches}: {growing.stable_kimg:g} kimg at a size, "
        f"{growing.fade_kimg:g} kimg to fade in the next; full size at {growing.grown_nimg / 1000:g} kimg"
    ]
    if estimate.total_sec < estimate.grown_sec:
        # Two thirds of the time to grow, the rest at the full size.
        phase_kimg = (growing.stable_kimg + growing.fade_kimg) / 2 * estimate.total_sec / estimate.grown_sec
        wanted = f"{phase_kimg * 2 / 3:.2g}"
        lines.append(
            f"note       the budget ends before full size, {_rounded(estimate.grown_sec / 60)} min off: "
            f"--stable-kimg {wanted} --fade-kimg {wanted} would leave time for it"
        )
    return lines


def _rounded(value: float) -> str:
    """Whole numbers, or two digits of what is less than ten."""
    return f"{value:.0f}" if value >= 9.5 else f"{value:.2g}"
