"""One training step, readable from top to bottom.

Random numbers are keyed by (seed, step, phase, sample index in the step); the micro-batch is part of the
mathematics (minibatch-std groups live in it) and processes share out whole micro-batches. So one process and
many compute the same sums, up to the order of addition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from stylegraft.augment.pipe import AugmentPipe
from stylegraft.errors import DivergenceError
from stylegraft.losses.adversarial import discriminator_loss_fake, discriminator_loss_real, generator_loss
from stylegraft.losses.regularisers import path_length_penalty, path_lengths, r1_penalty
from stylegraft.networks.protocol import Generator
from stylegraft.ops.kernels.switch import first_order
from stylegraft.runtime.processes import Processes
from stylegraft.runtime.random import Key
from stylegraft.training.adam import Adam
from stylegraft.training.fading import fade_reals, noise_shapes_in_use, num_ws_in_use, synthesize
from stylegraft.training.growing import Moment
from stylegraft.training.state import TrainState

RealBatch = tuple[torch.Tensor, torch.Tensor | None]


@dataclass(frozen=True)
class StepContext:
    """What a step uses but does not change.

    Attributes:
        processes: this process among all.
        pipe: the augmentation, or None.
        reals: (first position of the step, samples) -> images [n, C, H, W] in [-1, 1], labels [n, c_dim].
        train_labels: labels [N, c_dim] that fakes draw theirs from, each equally likely; or None.
        note: tells the user a sentence.
    """

    processes: Processes
    pipe: AugmentPipe | None
    reals: Callable[[int, Sequence[int]], RealBatch]
    train_labels: torch.Tensor | None
    note: Callable[[str], None] = lambda text: None


def train_step(state: TrainState, context: StepContext) -> None:
    """Advances the state by one step: G and D, path length, R1, averages, augmentation strength.

    Raises:
        DivergenceError: a gradient is not finite; the state is then of no use any more.
    """
    config, G, D = state.config, state.G, state.D
    now = state.begin_step()
    key = Key.of(config.seed).fold("step", state.step)
    share = now.micro_batch / now.batch  # of a micro-batch in the step's mean
    # Every pixel of a shrunken image stands for 4^halvings of the full size, whose gradient R1 is about.
    r1_weight = config.r1_gamma / 2 / 4**now.halvings
    r1_in_every_step = config.r1_gamma > 0 and config.r1_interval == 1
    device = context.processes.device
    w_sum = torch.zeros(config.generator.mapping.w_dim, device=device)
    sign_sum = torch.zeros([], device=device)
    trained_by_D = _parameters(state.optimizer_D)

    # G makes fakes that D should take for real; D tells them from reals. One pass of the fakes through D
    # serves both losses, because neither network moves between them.
    optimizers = {"loss_G": state.optimizer_G, "loss_D": state.optimizer_D}
    with first_order(), _phase(state, context, now, optimizers) as micro_batches:
        for samples in micro_batches:
            c = _draw_labels(key.fold("G"), samples, state, context)
            ws = _draw_ws(G, key.fold("G"), samples, c, config.mixing_prob, device)
            w_sum += ws[:, -1].detach().sum(dim=0)
            images = _synthesize(G, ws, key.fold("G"), samples)
            fakes = images.detach().requires_grad_()
            logits = D(_augment(fakes, state, context, key.fold("G"), samples), c)
            loss_G, loss_fake = generator_loss(logits), discriminator_loss_fake(logits)
            (gradient,) = torch.autograd.grad(loss_G * share, fakes, retain_graph=True)
            # Handed a gradient, `backward` would load torch's symbolic shapes: sympy, 35 MB, half a second.
            (images * gradient).sum().backward()
            (loss_fake * share).backward(inputs=trained_by_D)
            state.meters.add(loss_G=loss_G.item(), logits_fake=logits.mean().item())

            images, c = context.reals(state.num_images, samples)
            images = fade_reals(images, now.lod).requires_grad_(r1_in_every_step)
            with first_order(not r1_in_every_step):
                logits = D(_augment(images, state, context, key.fold("real"), samples), c)
            loss_real = loss = discriminator_loss_real(logits)
            if r1_in_every_step:
                penalty = r1_penalty(images, logits).mean()
                loss = loss_real + penalty * r1_weight
                state.meters.add(r1_penalty=penalty.item())
            (loss * share).backward(inputs=trained_by_D)
            signs = logits.detach().sign().sum()
            sign_sum += signs
            state.meters.add(
                loss_D=(loss_fake + loss_real).item(),
                logits_real=logits.mean().item(),
                signs_real=signs.item() / len(samples),
            )

    # Path length: a step in w should move the image by the same amount everywhere.
    if config.pl_weight and state.step % config.pl_interval == 0:
        length_sum = torch.zeros([], device=device)
        with _phase(state, context, now, {"path length": state.optimizer_G}) as micro_batches:
            for samples in micro_batches:
                samples = samples[: max(len(samples) // config.pl_batch_shrink, 1)]
                c = _draw_labels(key.fold("PL"), samples, state, context)
                ws = _draw_ws(G, key.fold("PL"), samples, c, config.mixing_prob, device)
                ws.requires_grad_()  # a frozen mapping network gives it none
                images = _synthesize(G, ws, key.fold("PL"), samples)
                directions = key.fold("PL", "y").normal(samples, images.shape[1:], device)
                lengths = path_lengths(ws, images, directions)
                loss = path_length_penalty(lengths, state.pl_mean, config.pl_decay).mean()
                (loss * config.pl_weight * config.pl_interval * share).backward()
                length_sum += lengths.detach().mean() * share
                state.meters.add(path_length=lengths.mean().item(), loss_PL=loss.item())
        state.pl_mean.lerp_(context.processes.sum(length_sum), config.pl_decay)

    # R1: the discriminator should be flat around real images.
    if config.r1_gamma and not r1_in_every_step and state.step % config.r1_interval == 0:
        with _phase(state, context, now, {"R1": state.optimizer_D}) as micro_batches:
            for samples in micro_batches:
                images, c = context.reals(state.num_images, samples)
                images = fade_reals(images, now.lod).requires_grad_()
                logits = D(_augment(images, state, context, key.fold("real"), samples), c)
                penalty = r1_penalty(images, logits).mean()
                (penalty * r1_weight * config.r1_interval * share).backward()
                state.meters.add(r1_penalty=penalty.item())

    # Averages, counters, augmentation strength.
    w_mean = context.processes.sum(w_sum) / now.batch
    G.mapping.update_w_avg(w_mean)
    state.step += 1
    state.num_images += now.batch
    update_ema(state, now.batch)
    state.ada.update(float(context.processes.sum(sign_sum)), now.batch)
    if state.ada.maybe_adjust(state.step, now.batch).reached_cap:
        context.note(
            f"augmentation p reached its cap {config.ada.cap}: above it, transforms leak into the samples. "
            "The discriminator knows the training images too well: more images would help most."
        )


@torch.no_grad()
def update_ema(state: TrainState, batch: int) -> None:
    """Moves G_ema towards G with a half-life of `ema_kimg`, shorter while `ema_rampup` limits it.

    Args:
        state: after a step.
        batch: images of the step.
    """
    config = state.config
    half_life = config.ema_kimg * 1000
    if config.ema_rampup:
        half_life = min(half_life, state.num_images * config.ema_rampup)
    decay = 0.5 ** (batch / max(half_life, 1e-8))
    torch._foreach_lerp_(list(state.G_ema.parameters()), list(state.G.parameters()), 1 - decay)
    for average, buffer in zip(state.G_ema.buffers(), state.G.buffers()):
        average.copy_(buffer)


@contextmanager
def _phase(
    state: TrainState, context: StepContext, now: Moment, optimizers: dict[str, Adam]
) -> Iterator[Iterator[range]]:
    """Gives out micro-batches; their gradients are summed, checked by the names given, and stepped along."""
    parameters = [parameter for optimizer in optimizers.values() for parameter in _parameters(optimizer)]
    for optimizer in (state.optimizer_G, state.optimizer_D):  # what the other network learnt from goes too
        optimizer.zero_grad()
    yield _summing_gradients(now, context.processes, parameters)
    context.processes.sum_gradients(parameters)
    for name, optimizer in optimizers.items():
        gradients = [parameter.grad for parameter in _parameters(optimizer) if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if not torch.isfinite(norm):
            raise DivergenceError(
                f"training diverged: the gradient of {name} is {norm.item()} at step {state.step}"
            )
    for optimizer in optimizers.values():
        optimizer.step()


def _parameters(optimizer: Adam) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _summing_gradients(
    now: Moment, processes: Processes, parameters: Sequence[nn.Parameter]
) -> Iterator[range]:
    """Yields the sample indices of this process's micro-batches, and sums their gradients one by one.

    A micro-batch's gradient is complete before it is added, so two micro-batches in one process add up in the
    order in which two processes with one each do: to the same bits.
    """
    starts = range(0, now.batch, now.micro_batch)[processes.rank :: processes.size]
    sums: list[torch.Tensor | None] = [None] * len(parameters)
    for start in starts:
        yield range(start, start + now.micro_batch)
        if len(starts) == 1:
            return
        for index, parameter in enumerate(parameters):
            if parameter.grad is not None:
                so_far = sums[index]
                sums[index] = parameter.grad if so_far is None else so_far.add_(parameter.grad)
                parameter.grad = None
    for parameter, total in zip(parameters, sums):
        parameter.grad = total


def _draw_labels(
    key: Key, samples: Sequence[int], state: TrainState, context: StepContext
) -> torch.Tensor | None:
    """Labels of random training images, [n, c_dim]; one for each minibatch-std group if they are to share it.

    Groups are strided: sample i belongs to group i mod (n / G), and takes the label of that group's first.
    """
    labels = context.train_labels
    if labels is None:
        return None
    if state.config.label_groups:
        group_size = min(state.config.discriminator.mbstd_group_size or len(samples), len(samples))
        num_groups = len(samples) // group_size
        samples = [samples[index % num_groups] for index in range(len(samples))]
    uniform = key.fold("label").uniform(samples, [])
    return labels[(uniform * len(labels)).long().clamp_(max=len(labels) - 1).to(labels.device)]


def _draw_ws(
    G: Generator,
    key: Key,
    samples: Sequence[int],
    c: torch.Tensor | None,
    mixing_prob: float,
    device: torch.device,
) -> torch.Tensor:
    """ws [n, num_ws, w_dim] with mixing regularisation (StyleGAN 2019, section 3.1), drawn per sample.

    The second style begins at one of the layers in use.
    """
    z_dim = G.config.mapping.z_dim
    z = key.fold("z").normal(samples, [z_dim], device)
    if not mixing_prob:
        return G.mapping(z, c)
    # Both styles in one pass: at this size a dense layer takes its time to read the weights.
    z = torch.cat([z, key.fold("z2").normal(samples, [z_dim], device)])
    ws, second = G.mapping(z, None if c is None else torch.cat([c, c])).chunk(2)
    coin, place = key.fold("mixing").uniform(samples, [2], device).unbind(dim=1)
    crossover = 1 + (place * (num_ws_in_use(G) - 1)).long()
    crossover = torch.where(coin < mixing_prob, crossover, G.num_ws)
    layer = torch.arange(G.num_ws, device=device)
    return torch.where((layer < crossover[:, None])[:, :, None], ws, second)


def _synthesize(G: Generator, ws: torch.Tensor, key: Key, samples: Sequence[int]) -> torch.Tensor:
    shapes = noise_shapes_in_use(G)
    flat = key.fold("noise").normal(samples, [sum(h * w for h, w in shapes)], ws.device)
    noise = [
        part.view(-1, 1, h, w) for part, (h, w) in zip(flat.split([h * w for h, w in shapes], 1), shapes)
    ]
    return synthesize(G, ws, noise)


def _augment(
    images: torch.Tensor, state: TrainState, context: StepContext, key: Key, samples: Sequence[int]
) -> torch.Tensor:
    if context.pipe is None or state.ada.p == 0:
        return images
    channels, height, width = images.shape[1:]
    draws = context.pipe.draw(key.fold("augment"), samples, images.device, height, width, channels)
    return context.pipe(images, state.ada.p, draws)
