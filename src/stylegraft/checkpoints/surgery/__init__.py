"""Fitting a trained network to other images: size, shape, colour, widths and classes.

`target` derives configs, `operate` the tensors; pure tensor work, which the training of `train --from` uses.
"""

from stylegraft.checkpoints.surgery.operation import Operated, Target, operate
from stylegraft.checkpoints.surgery.report import NetworkReport, SurgeryReport
from stylegraft.checkpoints.surgery.tones import Tones

__all__ = ["NetworkReport", "Operated", "SurgeryReport", "Target", "Tones", "operate"]
