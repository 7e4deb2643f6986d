"""What is said about the machine: measured, JSON-ready, of this process."""

import json
import subprocess
import sys

import torch

from stylegraft.bench import machine
from stylegraft.runtime import precision
from stylegraft.runtime.machine import describe_machine


def test_rates_are_measured():
    assert machine.gemm_rate(torch.float32, size=64, repeats=3) > 0
    assert machine.gemm_rate(torch.bfloat16, size=64, repeats=3) > 0
    assert machine.copy_rate(size_mb=4, repeats=3) > 0


def test_machine_description_is_json():
    facts = json.loads(json.dumps(describe_machine()))
    assert facts["cpu"]
    assert facts["torch"] == torch.__version__
    assert facts["torch_threads"] == torch.get_num_threads()


def test_peak_memory_grows_by_a_large_tensor():
    # In a process of its own, because the peak of this one may lie far above what it uses now.
    code = (
        "import torch; from stylegraft.bench.machine import peak_memory_mb as peak\n"
        "before = peak(); x = torch.ones(75_000_000); del x; print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 290 < float(done.stdout) < 400


def test_products_in_bf16_are_measured_where_they_are_not_slow(monkeypatch):
    asked, speeds = [], {torch.float32: 100.0}

    def gemm_rate(dtype, size=machine.GEMM_SIZE, repeats=7):
        asked.append((dtype, size))
        return speeds[dtype]

    monkeypatch.setattr(machine, "gemm_rate", gemm_rate)
    monkeypatch.setattr(machine, "copy_rate", lambda: 10.0)
    for has_units, bf16, expected in ((False, 1.0, False), (False, 100.0, True), (True, 1.0, True)):
        asked.clear()
        speeds[torch.bfloat16] = bf16
        monkeypatch.setattr(machine, "has_bf16_units", lambda device, answer=has_units: answer)
        rates = machine.measure_machine()
        assert ("gemm_bf16_gflops" in rates) == expected
        assert ((torch.bfloat16, machine.GEMM_SIZE) in asked) == expected


def test_bf16_pays_where_it_is_measured_faster(monkeypatch):
    monkeypatch.setattr(machine, "has_bf16_units", lambda device: False)
    assert not machine.bf16_pays({"gemm_fp32_gflops": 100.0})
    assert machine.bf16_pays({"gemm_fp32_gflops": 100.0, "gemm_bf16_gflops": 150.0})
    assert not machine.bf16_pays({"gemm_fp32_gflops": 100.0, "gemm_bf16_gflops": 149.0})
    monkeypatch.setattr(machine, "has_bf16_units", lambda device: True)
    assert machine.bf16_pays({"gemm_fp32_gflops": 100.0, "gemm_bf16_gflops": 90.0})


def test_precision_is_what_is_asked_for_or_the_processors_own(monkeypatch):
    assert [machine.resolved_precision(asked) for asked in ("fp32", "bf16")] == ["fp32", "bf16"]
    for has_units, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(precision, "has_bf16_units", lambda device, answer=has_units: answer)
        assert machine.resolved_precision("auto") == expected
