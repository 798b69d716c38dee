"""Activation mapping from Python against scipy and numpy in double precision."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from dualmem_cli.errors import StoreArgumentError
from dualmem_cli.native import FanMode, fan_effect, sigmoid, sigmoid_fan
from dualmem_cli.native.binding import load

pytestmark = pytest.mark.usefixtures("package")

F32 = np.float32
TINY = float(np.finfo(F32).tiny)
LARGEST = float(np.finfo(F32).max)
EXTREMES = [0.0, -0.0, TINY, -TINY, 1e-45, -1e-45, LARGEST, -LARGEST, 1.0, -1.0, 0.4, 88.0, -88.0, 87.3, -43.0, 1e10, -1e10]
Array = np.ndarray[Any, Any]


def true_sigmoid(similarities: Array, threshold: float, temperature: float) -> Array:
    """With the arguments as float32 holds them, everything else in double."""
    shifted = similarities.astype(float) - float(F32(threshold))
    result: Array = expit(shifted / max(float(F32(temperature)), 0.05))
    return result


def true_fan(activations: Array, fans: Array, mode: FanMode) -> Array:
    many = np.maximum(fans, 1).astype(float)
    left = {FanMode.LINEAR: 1 / many, FanMode.SQRT: many**-0.5, FanMode.ACTR: np.maximum(0.0, 1.6 - np.log(many))}[mode]
    result: Array = activations.astype(float) * left
    return result


def close(found: Array, wanted: Array) -> None:
    assert found.dtype == F32 and found.shape == wanted.shape
    with np.errstate(over="ignore"):
        infinite = np.isinf(wanted.astype(F32))
    np.testing.assert_array_equal(found[infinite], wanted[infinite].astype(float).clip(-LARGEST, LARGEST) * np.inf)
    np.testing.assert_allclose(found[~infinite], wanted[~infinite], rtol=1e-6, atol=TINY)


def similarities(rng: np.random.Generator, count: int) -> Array:
    """Cosines for the most part, and whatever else a float can be."""
    values = rng.uniform(-1, 1, size=count)
    odd = rng.random(count) < 0.3
    values[odd] = rng.choice(EXTREMES, size=int(odd.sum()))
    return values.astype(F32)


def some_fans(rng: np.random.Generator, count: int) -> Array:
    odd = rng.choice([0, 1, 2, 4, 5, 2**24 + 1, 2**31, 2**32 - 1], size=count)
    return np.where(rng.random(count) < 0.5, odd, rng.integers(0, 30, size=count)).astype(np.uint32)


def test_published_values() -> None:
    wanted = [0.05732, 0.31003, 0.5, 0.54983, 0.73106, 0.76852]
    np.testing.assert_allclose(sigmoid(np.array([-1, 0, 0.4, 0.5, 0.9, 1], F32)), wanted, atol=5e-6)
    assert fan_effect(np.arange(1, 9, dtype=F32), np.arange(1, 9, dtype=np.uint32) ** 2).tolist() == [1.0] * 8


@pytest.mark.parametrize("count", [*range(20), 31, 32, 33, 63, 64, 65, 1000])
def test_against_double_precision(count: int) -> None:
    rng = np.random.default_rng(count)
    for threshold, temperature in [(0.4, 0.5), (0.0, 0.05), (-1.5, 0.01), (0.7, -3.0), (100.0, 7.0)]:
        given, fans = similarities(rng, count), some_fans(rng, count)
        wanted = true_sigmoid(given, threshold, temperature)
        close(sigmoid(given, threshold=threshold, temperature=temperature), wanted)
        close(sigmoid_fan(given, fans, threshold=threshold, temperature=temperature), true_fan(wanted, fans, FanMode.SQRT))
    for mode in (FanMode.LINEAR, FanMode.SQRT, FanMode.ACTR):
        given, fans = similarities(rng, count), some_fans(rng, count)
        close(fan_effect(given, fans, mode=mode), true_fan(given, fans, mode))


@pytest.mark.parametrize("place", range(17))
def test_not_a_number_stays_in_its_place(place: int) -> None:
    given, fans = np.full(17, 0.4, F32), np.ones(17, np.uint32)
    given[place] = np.nan
    for found in (sigmoid(given), sigmoid_fan(given, fans), fan_effect(given, fans), fan_effect(given, fans, mode=FanMode.ACTR)):
        assert np.flatnonzero(np.isnan(found)).tolist() == [place]
    assert sigmoid(np.array([np.inf, -np.inf], F32)).tolist() == [1.0, sigmoid(np.array([-LARGEST], F32))[0]]


def test_the_result_may_go_over_an_input() -> None:
    rng = np.random.default_rng(1)
    given, fans = similarities(rng, 37), some_fans(rng, 37)
    calls: list[Callable[..., Array]] = [
        lambda s, f, out=None: sigmoid(s, out=out),
        lambda s, f, out=None: sigmoid_fan(s, f, out=out),
        lambda s, f, out=None: fan_effect(s, f, mode=FanMode.LINEAR, out=out),
    ]
    for call in calls:
        wanted = call(given, fans)
        elsewhere = np.empty(37, F32)
        assert call(given, fans, out=elsewhere) is elsewhere
        np.testing.assert_array_equal(elsewhere, wanted)
        over = given.copy()
        assert call(over, fans, out=over) is over
        np.testing.assert_array_equal(over, wanted)
        fans_over = fans.copy()
        call(given, fans_over, out=fans_over.view(F32))
        np.testing.assert_array_equal(fans_over.view(F32), wanted)
        room = np.concatenate([given, given[:1]])
        with pytest.raises(StoreArgumentError, match="out: overlaps an input without being the same array"):
            call(room[:37], fans, out=room[1:])
        np.testing.assert_array_equal(room[:37], given)
        room = np.concatenate([fans, fans[:1]]).view(F32)
        if call is not calls[0]:
            with pytest.raises(StoreArgumentError, match="out: overlaps an input without being the same array"):
                call(given, room[:37].view(np.uint32), out=room[1:])
        locked = np.zeros(37, F32)
        locked.flags.writeable = False
        with pytest.raises(StoreArgumentError, match="out: a read-only array; want one that can be written"):
            call(given, fans, out=locked)
        with pytest.raises(StoreArgumentError, match=r"out: float64 with shape \(37,\); want .* float32 with shape \(37,\)"):
            call(given, fans, out=np.zeros(37))
        call(given[:0], fans[:0])


GOOD, FANS = np.full(3, 0.5, F32), np.full(3, 2, np.uint32)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: sigmoid([0.5]), "similarities: list, want a C-contiguous numpy array of float32 with shape (n,)"),  # type: ignore[arg-type]
        (lambda: sigmoid(GOOD.astype(float)), "similarities: float64 with shape (3,); want a C-contiguous numpy array of float32"),
        (lambda: sigmoid(GOOD[::2]), "similarities: float32 with shape (2,), not C-contiguous; want"),
        (lambda: sigmoid(GOOD.reshape(1, 3)), "similarities: float32 with shape (1, 3); want"),
        (lambda: sigmoid(GOOD.astype(">f4")), "similarities: float32 with shape (3,) of foreign byte order; want"),
        (lambda: sigmoid(GOOD, threshold=float("nan")), "threshold nan is not finite"),
        (lambda: sigmoid(GOOD, temperature=1e39), "temperature 1e+39 is too large for float32"),
        (lambda: sigmoid_fan(GOOD, FANS, temperature=float("-inf")), "temperature -inf is not finite"),
        (lambda: sigmoid_fan(GOOD, FANS[:2]), "fans: uint32 with shape (2,); want a C-contiguous numpy array of uint32 with shape (3,)"),
        (lambda: fan_effect(GOOD, FANS.astype(np.int32)), "fans: int32 with shape (3,); want"),
        (lambda: fan_effect(GOOD[:0], FANS), "fans: uint32 with shape (3,); want a C-contiguous numpy array of uint32 with shape (0,)"),
        (lambda: fan_effect(GOOD, FANS, mode=FanMode.NONE),
         "fan mode 3: want DM_FAN_LINEAR, DM_FAN_SQRT or DM_FAN_ACTR; nothing was written"),
        (lambda: fan_effect(GOOD, FANS, mode=2**40), "mode 1099511627776 is none of FanMode.LINEAR, FanMode.SQRT"),  # type: ignore[arg-type]
        (lambda: fan_effect(GOOD, FANS, mode=1.0), "mode 1.0 is none of FanMode.LINEAR"),  # type: ignore[arg-type]
        (lambda: fan_effect(GOOD, FANS, mode="sqrt"), "mode 'sqrt' is none of FanMode.LINEAR, FanMode.SQRT, FanMode.ACTR"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_sentence(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(StoreArgumentError, match="^" + re.escape(sentence)):
        call()


def test_modes_are_those_of_the_library() -> None:
    lib = load().lib
    assert list(FanMode) == [lib.DM_FAN_LINEAR, lib.DM_FAN_SQRT, lib.DM_FAN_ACTR, lib.DM_FAN_NONE]
    defaults = np.array([lib.DM_SIGMOID_THRESHOLD, lib.DM_SIGMOID_TEMPERATURE], F32)
    assert defaults.tolist() == np.array([0.4, 0.5], F32).tolist()


def test_threads_beside_each_other() -> None:
    rng = np.random.default_rng(2)
    given, fans = similarities(rng, 5000), some_fans(rng, 5000)
    wanted = sigmoid_fan(given, fans)
    with ThreadPoolExecutor(4) as threads:
        for found in [threads.submit(sigmoid_fan, given, fans) for _ in range(200)]:
            np.testing.assert_array_equal(found.result(), wanted)
