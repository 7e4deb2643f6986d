import json

import pytest

from stylegraft.augment import AdaConfig, AdaController


def run(controller, steps, sign, batch=32, start=0):
    results = []
    for step in range(start + 1, start + steps + 1):
        controller.update(sign * batch, batch)
        results.append(controller.maybe_adjust(step, batch))
    return results


def test_controller_moves_by_one_in_so_many_kimg():
    controller = AdaController(AdaConfig(kimg=1.024, cap=1))
    run(controller, 16, sign=1.0)  # 512 images
    assert controller.p == pytest.approx(0.5)


def test_controller_moves_on_every_fourth_step_only():
    results = run(AdaController(AdaConfig()), 8, sign=1.0)
    assert [result.sign_mean is not None for result in results] == [False, False, False, True] * 2
    assert [result.p * 500_000 / 128 for result in results] == pytest.approx([0, 0, 0, 1, 1, 1, 1, 2])


def test_controller_goes_down_below_the_target_and_stops_at_zero():
    controller = AdaController(AdaConfig(p=0.1, kimg=1))
    run(controller, 4, sign=0.5)
    assert controller.p == 0
    run(controller, 4, sign=0.7)
    assert controller.p == pytest.approx(0.128)


def test_controller_uses_all_signs_since_the_last_adjustment():
    controller = AdaController(AdaConfig(interval_steps=2, target=0.5))
    controller.update(30, 32)
    controller.maybe_adjust(1, 32)
    controller.update(2, 32)
    assert controller.maybe_adjust(2, 32).sign_mean == 0.5
    assert controller.p == 0  # exactly on target: no move


def test_controller_stays_without_signs():
    controller = AdaController(AdaConfig(p=0.3))
    assert controller.maybe_adjust(4, 32) == (0.3, None, False)


def test_controller_stops_at_the_cap_says_so_once_and_does_not_wind_up():
    controller = AdaController(AdaConfig(p=0.7, kimg=1))
    results = run(controller, 40, sign=1.0)
    assert controller.p == 0.8
    assert [result.reached_cap for result in results] == [False] * 3 + [True] + [False] * 36
    run(controller, 4, sign=-1.0, start=40)
    assert controller.p == pytest.approx(0.8 - 0.128)


def test_controller_with_fixed_p_never_moves():
    controller = AdaController(AdaConfig(mode="fixed", p=0.9))
    results = run(controller, 12, sign=1.0)
    assert {result.p for result in results} == {0.9}
    assert not any(result.reached_cap for result in results)


@pytest.mark.parametrize("stop", [5, 8, 30])
def test_controller_resumes_exactly(stop):
    def feed(controller, first, last):
        log = []
        for step in range(first, last + 1):
            controller.update(float((step * 7) % 23), 24)
            log.append(controller.maybe_adjust(step, 24))
        return log

    config = AdaConfig(kimg=1, target=0.45, p=0.79)
    whole = AdaController(config)
    expected = feed(whole, 1, 60)
    first, second = AdaController(config), AdaController(config)
    log = feed(first, 1, stop)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    log += feed(second, stop + 1, 60)
    assert log == expected
    assert second.state_dict() == whole.state_dict()
    assert any(result.reached_cap for result in log)
