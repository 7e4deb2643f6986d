"""The source of the kernels, in the part of Python that numba compiles; only `machine_code` imports it."""
