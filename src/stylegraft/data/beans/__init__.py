"""A procedural renderer of bean seeds: the embedded data of `stylegraft quickstart`."""

from stylegraft.data.beans.kinds import KINDS
from stylegraft.data.beans.sets import CLASS_NAMES, render_bean, render_beans, write_bean_set

__all__ = ["CLASS_NAMES", "KINDS", "render_bean", "render_beans", "write_bean_set"]
