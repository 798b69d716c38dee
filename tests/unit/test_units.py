"""Numbers for a person."""

import math

import pytest

from dualmem_cli.model.units import Unit, human, percent, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.4137, "0.414"), (62.13, "62.1"), (1374, "1370"), (999.6, "1000"), (0.0001234, "0.000123"), (1e-9, "0.000000001"),
        (123456789, "123000000"), (-0.05, "-0.05"), (9.99e14, "999000000000000"), (1e15, "1e+15"),
        (-1e300, "-1e+300"), (1.234e-10, "1.23e-10"),
    ],
)  # fmt: skip
def test_significant_digits_without_exponents_where_zeros_can_be_counted(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize("value", [1.0, 16.0, 1000.0, 100_000.0, 999_999_999_999.0, 0.1, 0.25, -3.0])
def test_twelve_digits_keep_every_parameter(value: float) -> None:
    assert float(significant(value, 12)) == value


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (414, Unit.NANOSECOND, "414 ns"), (0.41, Unit.NANOSECOND, "0.41 ns"), (62_000, Unit.NANOSECOND, "62 us"),
        (1.5e9, Unit.NANOSECOND, "1.5 s"), (-2e6, Unit.NANOSECOND, "-2 ms"), (1536, Unit.BYTE, "1.5 KiB"), (3, Unit.BYTE, "3 B"),
        (1 << 31, Unit.BYTE, "2 GiB"), (0.05, Unit.RATIO, "0.05"), (12345, Unit.COUNT, "12,345"), (2.5, Unit.COUNT, "2.5"),
        (1e300, Unit.COUNT, "1e+300"), (1e300, Unit.NANOSECOND, "1e+291 s"), (1e300, Unit.BYTE, "9.31e+290 GiB"),
        (1e300, "parsecs", "1e+300 parsecs"),
        (3, Unit.PER_SECOND, "3/s"), (7, "parsecs", "7 parsecs"), (math.nan, Unit.COUNT, "not known"),
    ],
)  # fmt: skip
def test_a_number_with_its_unit(value: float, unit: Unit | str, text: str) -> None:
    assert human(value, unit) == text


@pytest.mark.parametrize("unit", [*Unit, "parsecs"])
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_unbounded_number_has_words_too(value: float, unit: Unit | str) -> None:
    assert "inf" in human(value, unit)


def test_per_cent() -> None:
    assert percent(1e300) == "+1e+302 %"
    assert [percent(0.079), percent(-0.0004), percent(0.05, signed=False, digits=0)] == ["+7.9 %", "-0.0 %", "5 %"]
