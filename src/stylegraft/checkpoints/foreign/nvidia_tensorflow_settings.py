"""The arguments a TensorFlow network was built with: those that matter are read, those we lack are refused.

Sizes, depths and architectures follow from the variables. The settings tell what leaves no trace in them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from stylegraft.checkpoints.foreign.limits import printable
from stylegraft.checkpoints.foreign.nvidia_tensorflow_network import TensorflowNetwork
from stylegraft.errors import CheckpointError

_MAX_TAPS = 64

# Told by the variables, or without effect on what a trained network computes.
HARMLESS = frozenset(
    {
        # sizes
        *("num_channels", "resolution", "min_h", "min_w", "res_log2"),
        *("label_size", "label_fmaps", "latent_size", "dlatent_size", "dlatent_broadcast"),
        *("mapping_layers", "mapping_fmaps", "architecture", "use_noise", "use_styles"),
        *("fmap_base", "fmap_decay", "fmap_min", "fmap_max", "fmap_const", "mbstd_num_features"),
        # training and running
        *("func_name", "components", "mapping_func", "synthesis_func", "structure", "dtype", "num_fp16_res"),
        *("is_training", "is_validation", "is_template_graph", "force_clean_graph", "return_dlatents"),
        *("style_mixing_prob", "randomize_noise", "fused_modconv", "freeze_layers"),
        *("truncation_psi_val", "truncation_cutoff_val"),
    }
)


def check_settings(network: TensorflowNetwork, used: Collection[str], fixed: Mapping[str, object]) -> None:
    """Refuses settings that make the network compute something that ours cannot.

    Settings that nobody knows and that are off are let pass; the network keeps their names.

    Args:
        network: whose settings.
        used: settings that the config takes over.
        fixed: settings with the only value that is supported.

    Raises:
        CheckpointError: names the setting and its value.
    """
    for name, value in network.settings.items():
        if name in used or name in HARMLESS:
            continue
        if name in fixed:
            if value != fixed[name]:
                raise refused(network, name, f"only {printable(fixed[name])} is")
        elif value in (None, False, "", []):
            network.unknown_settings.append(printable(name))
        else:
            raise refused(network, name, "no such setting is known")


def refused(network: TensorflowNetwork, name: str, why: str) -> CheckpointError:
    """Returns the error for a setting that is not supported."""
    return network.unknown_layout(
        f"the setting {printable(name)} {printable(str(network.settings[name]))}, "
        f"which is not supported ({why})"
    )


def number(network: TensorflowNetwork, name: str, default: float) -> float:
    """Returns a setting that must be a finite number."""
    value = network.settings.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refused(network, name, "a number is expected")
    return value


def optional_number(network: TensorflowNetwork, name: str, default: float | None) -> float | None:
    """Returns a setting that must be a finite number or None."""
    if network.settings.get(name, default) is None:
        return None
    return number(network, name, default or 0)


def optional_whole(network: TensorflowNetwork, name: str, default: int | None) -> int | None:
    """Returns a setting that must be a whole number or None."""
    value = optional_number(network, name, default)
    if value is not None and value != int(value):
        raise refused(network, name, "a whole number is expected")
    return None if value is None else int(value)


def flag(network: TensorflowNetwork, name: str, default: bool) -> bool:
    """Returns a setting that must be true or false."""
    value = network.settings.get(name, default)
    if not isinstance(value, bool):
        raise refused(network, name, "True and False are")
    return value


def choice(network: TensorflowNetwork, name: str, default: str, choices: Collection[str]) -> str:
    """Returns a setting that must be one of some texts."""
    value = network.settings.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise refused(network, name, f"{', '.join(choices)} are")
    return value


def taps(network: TensorflowNetwork, name: str, default: tuple[float, ...]) -> tuple[float, ...] | None:
    """Returns a setting that must be the taps of a symmetric FIR, or None."""
    value = network.settings.get(name, default)
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= _MAX_TAPS:
        raise refused(network, name, "a list of taps is expected")
    numbers = tuple(float(tap) for tap in value if isinstance(tap, int | float))
    if len(numbers) != len(value) or not all(map(math.isfinite, numbers)) or sum(numbers) == 0:
        raise refused(network, name, "a list of taps is expected")
    if numbers != numbers[::-1]:
        raise refused(network, name, "symmetric ones are")
    return numbers
