"""Ages, birth dates and numbers: rules without a database."""

from datetime import date

import pytest

from torv.base.errors import CprInvalid
from torv.kernel.persons.rules import OF_AGE, OF_OWN_WILL, age_on, birth_date, is_replacement, reaches_on, sex_of

LEAP = date(2008, 2, 29)


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(2010, 6, 15), date(2025, 6, 14), 14),
        (date(2010, 6, 15), date(2025, 6, 15), OF_OWN_WILL),
        (LEAP, date(2023, 2, 28), 14),
        (LEAP, date(2023, 3, 1), OF_OWN_WILL),
        (LEAP, date(2026, 2, 28), 17),
        (LEAP, date(2026, 3, 1), OF_AGE),
        (LEAP, date(2028, 2, 29), 20),
    ],
)
def test_an_age_is_reached_on_the_birthday(born: date, day: date, age: int) -> None:
    assert age_on(born, day) == age


@pytest.mark.parametrize("years", [OF_OWN_WILL, OF_AGE, 20])
def test_the_day_an_age_is_reached_is_the_first_day_of_that_age(years: int) -> None:
    day = reaches_on(LEAP, years)
    assert age_on(LEAP, day) == years
    assert age_on(LEAP, date.fromordinal(day.toordinal() - 1)) == years - 1


@pytest.mark.parametrize(
    ("cpr", "born"),
    [
        ("0101500007", date(1950, 1, 1)),
        ("0101364007", date(2036, 1, 1)),
        ("0101374007", date(1937, 1, 1)),
        ("0101575007", date(2057, 1, 1)),
        ("0101585007", date(1858, 1, 1)),
        ("0101379007", date(1937, 1, 1)),
        ("6101500007", date(1950, 1, 1)),
    ],
)
def test_the_seventh_digit_tells_the_century(cpr: str, born: date) -> None:
    assert birth_date(cpr) == born


def test_a_replacement_number_says_nothing_of_sex() -> None:
    assert is_replacement("6101500007")
    assert sex_of("6101500007") is None
    assert (sex_of("0101500007"), sex_of("0101500008")) == ("M", "K")


@pytest.mark.parametrize("cpr", ["3002500007", "0013500007", "9901500007", "2902570007"])
def test_a_day_that_never_was_is_no_number(cpr: str) -> None:
    with pytest.raises(CprInvalid):
        birth_date(cpr)
