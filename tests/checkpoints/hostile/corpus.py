"""The corpus of hostile and damaged files, each with how it must be refused."""

from __future__ import annotations

from hostile.archives import ARCHIVES
from hostile.bounds import BOUNDS
from hostile.case import Hostile
from hostile.names import NAMES
from hostile.tensorflow import FILES as TENSORFLOW
from hostile.tensors import TENSOR_FILES

FILES: dict[str, Hostile] = {**NAMES, **TENSOR_FILES, **BOUNDS, **ARCHIVES, **TENSORFLOW}
