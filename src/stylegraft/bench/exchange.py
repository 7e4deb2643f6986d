"""What several processes tell each other in a training step, by formula.

Each phase ends in one sum of its gradients over the processes (`runtime.processes`): float32, flat, at once.
"""

from __future__ import annotations

from stylegraft.bench.roofline import count_parameters
from stylegraft.errors import InputError
from stylegraft.networks.config import DiscriminatorConfig, GeneratorConfig
from stylegraft.training.config import RunConfig

_FLOAT = 4


def summed_bytes_a_step(config: RunConfig) -> float:
    """Returns the mean size of all sums of a step, in bytes, regularisers spread over their intervals.

    G and D once; G once more in each step with path length, D in each with R1; and the mean of w, the signs
    of D's output, the mean path length and the loop's question whether to stop and to save. (The few biases
    that a regulariser has no gradient for are counted with it.)

    Raises:
        InputError: the networks are StyleGAN v1's.
    """
    generator, discriminator = config.generator, config.discriminator
    if not isinstance(generator, GeneratorConfig) or not isinstance(discriminator, DiscriminatorConfig):
        raise InputError(f"exchange: expected networks of family stylegan2, got {config.family}.")
    path_length = 1 / config.pl_interval if config.pl_weight else 0.0
    r1 = 1 / config.r1_interval if config.r1_gamma else 0.0
    numbers = (1 + path_length) * count_parameters(generator) + (1 + r1) * count_parameters(discriminator)
    return _FLOAT * (numbers + generator.mapping.w_dim + 1 + path_length + 2)


def ring_bytes_a_process(summed_bytes: float, num_processes: int) -> float:
    """Returns what each process sends, and receives, to sum so many bytes over all of them in a ring.

    Source: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms": 2 (N - 1) / N of the size.
    """
    return 2 * (num_processes - 1) / num_processes * summed_bytes
