"""Compiled CPU kernels for channels_last: what torch does in many trips to memory, in one.

numba turns the Python of `code` into machine code when it is first used (about two seconds, kept on disk from
then on); no compiler has to be installed. Every kernel is a fast path of an operation in `ops`, which decides
when to take it:

    code           what is compiled, for bfloat16 and float32; `code.memory` has their loads and stores
    machine_code   compiles it, keeps it, finds it
    parallel       starts a kernel on the threads that torch computes with
    switch         where kernels may stand in: they differentiate once only
    epilogue       demodulation, noise, bias and activation after a convolution
    scale          a factor for each sample and channel
    to_image       a 1x1 convolution to few channels, with weights for each sample
    spread         a FIR filter's adjoint with stride 2
"""
