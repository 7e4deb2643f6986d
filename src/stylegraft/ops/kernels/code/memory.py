"""Typed memory for kernels: bfloat16 is read and written as float32, and tensors are told apart.

A kernel gets addresses. `bfloats` and `floats` make pointers of them; `load` and `store` move one value.
Their last argument, a number written in the source, names the tensor: LLVM turns a loop into vector
instructions only if it knows that what it writes is not what it reads next, and the number tells it that.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import cfunc, types
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic as _untyped_intrinsic

_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_F32, _F64 = ir.FloatType(), ir.DoubleType()
_MAX_TENSORS = 12

# What it makes is called with other arguments than it is written with, the typing context being left out.
intrinsic = cast("Callable[[Callable[..., Any]], Any]", _untyped_intrinsic)


def kernel(*fastmath: str) -> Callable[[Callable[[Any], None]], Any]:
    """Compiles a function of one address, that of an array of int64 (see `parallel.launch`).

    Nothing is left in it that could fail, for machine code read from disk has no Python to fail in: to divide
    by zero, say, gives some number.

    Args:
        fastmath: what LLVM may do to floating-point operations: "contract" fuses multiplication and addition,
            "reassoc" and "nsz" let it sum in several lanes.
    """

    def compile_function(function: Callable[[Any], None]) -> Any:
        signature = types.void(types.voidptr)
        return cfunc(signature, fastmath=set(fastmath), error_model="numpy", forceinline=True)(function)

    return compile_function


@intrinsic
def arguments(typing: Any, address: Any) -> Any:
    """The kernel's array of int64."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], _I64.as_pointer())

    return types.CPointer(types.int64)(address), generate


def _pointer_maker(numba_type: Any, llvm_type: Any) -> Any:
    @intrinsic
    def make(typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            return builder.inttoptr(values[0], llvm_type.as_pointer())

        return types.CPointer(numba_type)(types.int64), generate

    return make


bfloats = _pointer_maker(types.uint16, _I16)
floats = _pointer_maker(types.float32, _F32)

MAPS = {"bf16": bfloats, "fp32": floats}
"""What feature maps may be; each kernel is compiled for all of them."""


@intrinsic
def as_float(typing: Any, bits: Any) -> Any:
    """The float32 nearest to the float64 whose bits an argument holds."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fptrunc(builder.bitcast(values[0], _F64), _F32)

    return types.float32(types.int64), generate


@intrinsic
def call_int(typing: Any, address: Any) -> Any:
    """Calls the C function `int f(void)` at an address."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        function = builder.inttoptr(values[0], ir.FunctionType(_I32, []).as_pointer())
        return builder.sext(builder.call(function, []), _I64)

    return types.int64(types.int64), generate


def _tell_apart(builder: Any, instruction: Any, tensor: int) -> None:
    module = builder.module
    domain = module.add_metadata(["stylegraft"])
    scopes = [module.add_metadata([f"tensor {number}", domain]) for number in range(_MAX_TENSORS)]
    others = scopes[:tensor] + scopes[tensor + 1 :]
    instruction.set_metadata("alias.scope", module.add_metadata([scopes[tensor]]))
    instruction.set_metadata("noalias", module.add_metadata(others))


@intrinsic
def load(typing: Any, pointer: Any, index: Any, tensor: Any) -> Any:
    """pointer[index] as float32."""
    number = _literal(tensor)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        value = builder.load(builder.gep(values[0], [values[1]], inbounds=True))
        _tell_apart(builder, value, number)
        if pointer.dtype != types.uint16:
            return value
        return builder.bitcast(builder.shl(builder.zext(value, _I32), ir.Constant(_I32, 16)), _F32)

    return types.float32(pointer, types.int64, tensor), generate


@intrinsic
def store(typing: Any, pointer: Any, index: Any, value: Any, tensor: Any) -> Any:
    """pointer[index] = value; to bfloat16 it is rounded to nearest, ties to even."""
    number = _literal(tensor)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        result = values[2]
        if pointer.dtype == types.uint16:
            bits = builder.bitcast(result, _I32)
            last_kept = builder.and_(builder.lshr(bits, ir.Constant(_I32, 16)), ir.Constant(_I32, 1))
            bits = builder.add(bits, builder.add(last_kept, ir.Constant(_I32, 0x7FFF)))
            result = builder.trunc(builder.lshr(bits, ir.Constant(_I32, 16)), _I16)
        _tell_apart(
            builder, builder.store(result, builder.gep(values[0], [values[1]], inbounds=True)), number
        )
        return context.get_dummy_value()

    return types.void(pointer, types.int64, types.float32, tensor), generate


def _literal(tensor: Any) -> int:
    if not isinstance(tensor, types.IntegerLiteral):
        raise RequireLiteralValue("tensor: expected a number written in the source")
    assert tensor.literal_value < _MAX_TENSORS
    return tensor.literal_value
