"""How fast this is, and against what: cost formulas, the machine's rates, the plain yardstick.

`costs` counts the arithmetic that a network stands for; `machine` measures what the processor can do;
`yardstick` is a plain training step to compare with, `shipped` hands out ours; `worker` measures one of them
in a process of its own and `isolated` starts it there. `benchmarks/training_step.py` puts them together.
"""
