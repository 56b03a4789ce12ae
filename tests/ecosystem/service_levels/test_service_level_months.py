"""Four worked months: what a statement says of them is kept as files that people can check with a pencil."""

import json
import random
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.ecosystem.gathered import minutes_of
from tests.ecosystem.made_up_months import ALL, NORD, MadeUp
from torv.base.clock import DENMARK
from torv.ecosystem.service_levels import LevelStatement, Reckoning, hash_of, text_of
from torv.kernel.organisation import NamedUnit

GOLDEN = Path(__file__).with_name("golden")
WRITE = False  #: True writes the files anew; the difference is then to be read, line by line

each_month = pytest.mark.parametrize("name", ALL)


def reckoned(made_up: MadeUp) -> dict[str, Any]:
    reckoning = Reckoning(made_up.basis)
    reckoning.add(minutes_of(made_up.entries))
    return reckoning.statement()


def told(made_up: MadeUp, content: dict[str, Any]) -> str:
    statement = LevelStatement(
        id=UUID(int=1), agreement_id=made_up.agreement.id, partner_id=made_up.agreement.partner_id,
        month=date(made_up.month.year, made_up.month.month, 1), version=1, reason="month_over", hash=hash_of(content),
        content=content, gathered_to=0, sealed_at=None, units=[NamedUnit(id=NORD, name="Distrikt Nord")],
    )  # fmt: skip
    return text_of(statement)


@each_month
def test_a_month_gives_the_statement_that_was_checked(name: str) -> None:
    content = reckoned(ALL[name])
    as_json, as_text = json.dumps(content, ensure_ascii=False, indent=1) + "\n", told(ALL[name], content)
    if WRITE:
        (GOLDEN / f"{name}.json").write_text(as_json, encoding="utf-8")
        (GOLDEN / f"{name}.txt").write_text(as_text, encoding="utf-8")
    assert as_json == (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
    assert as_text == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@each_month
def test_neither_order_nor_parts_change_a_byte(name: str) -> None:
    made_up = ALL[name]
    entries = list(zip(made_up.entries, range(1, len(made_up.entries) + 1), strict=True))
    rows = [row for entry, position in entries for row in minutes_of([entry], first_position=position)]
    random.Random(4).shuffle(rows)
    reckoning = Reckoning(made_up.basis)
    for start in range(0, len(rows), 777):
        reckoning.add(rows[start : start + 777])
    assert hash_of(reckoning.statement()) == hash_of(reckoned(made_up))


def line(name: str, metric: str, place: int = 0) -> dict[str, Any]:
    found = [each for each in reckoned(ALL[name])["lines"] if each["metric"] == metric]
    return dict(found[place])


# ---- by hand: see docs/reference/service-levels.md -------------------------------------------------------------------
def test_february_by_hand() -> None:
    assert 29 * 24 * 60 == 41_760 == line("february-2024", "availability")["minutes"]["counted"]
    assert line("february-2024", "availability")["measured"] == "100.000"  # single failures are no outage
    # 4,176 calls, 7 by the callers' own fault; 10 of 4,169 failed: 0.23986...
    assert line("february-2024", "error_rate")["calls"] == {"counted": 4_169, "failed": 10}
    assert line("february-2024", "error_rate")["measured"] == "0.240"
    # the 99th percentile is number ceil(0.99 x 4,169) = 4,128; 4,059 were quick, the next 100 took 900 ms
    assert line("february-2024", "response_ms", 1)["measured"] == "900.000"
    assert line("february-2024", "response_ms", 1)["remedy_percent"] == "1.0000"
    assert line("february-2024", "error_rate")["excluded"] == {
        "agreement": {"calls": 5}, "caller": {"calls": 7}, "unknown": {"calls": 3},
    }  # fmt: skip
    # of the 3 calls that began and have no outcome, none is in a denominator; they stand beside: 4,181 + 3
    assert reckoned(ALL["february-2024"])["services"][0]["calls"] == 4_184


def test_october_by_hand() -> None:
    around_the_clock, office = (line("october-2025", "availability", place) for place in (0, 1))
    # 31 days and the hour that comes twice, without the hour the municipality took upon itself and 4 hours announced
    assert 31 * 1_440 + 60 - 60 - 240 == 44_400 == around_the_clock["minutes"]["counted"]
    # 09:00 to 11:20 with calls that failed: 141 minutes; 22:00 to 22:20, announced too late: 21
    assert around_the_clock["minutes"]["down"] == 141 + 21
    assert around_the_clock["measured"] == "99.635"  # 44,238 of 44,400
    assert around_the_clock["excluded"] == {
        "maintenance": {"calls": 24, "minutes": 240}, "own_fault": {"calls": 6, "minutes": 60},
    }  # fmt: skip
    # 23 weekdays of 600 minutes, less the hour of the municipality: 13,740; 141 of them down: 98.973
    assert (office["minutes"]["counted"], office["minutes"]["down"]) == (13_740, 141)
    assert (office["measured"], office["remedy_percent"]) == ("98.973", "4.0000")
    # this promise knows no announced work: 01:00 to 03:50 with an hour that comes twice
    assert line("october-2025", "outage_minutes")["measured"] == "231"


def test_april_by_hand() -> None:
    nordlys, kvik = (line(f"april-2026-{name}", "availability") for name in ("nordlys", "kvik"))
    # until the 15th at ten: 14 days and 10 hours; then the rest
    assert (nordlys["minutes"]["own"], kvik["minutes"]["own"]) == (14 * 1_440 + 600, 43_200 - 20_760)
    # 08:00 to 19:50 on the 9th without an answer in time: 711 minutes of 20,760: 96.575
    assert (nordlys["minutes"]["down"], nordlys["measured"]) == (711, "96.575")
    assert (kvik["minutes"]["down"], kvik["measured"]) == (0, "100.000")
    # 10 per cent of the fee, for 20,760 of 43,200 minutes
    assert (nordlys["remedy_percent"], nordlys["remedy_percent_of_own_time"]) == ("10.0000", "4.8055")
    assert nordlys["excluded"]["move"] == {"calls": 1}
    assert kvik["excluded"]["move"] == {"calls": 1}


def test_june_by_hand() -> None:
    nordlys, kvik = (line(f"june-2026-{name}", "availability") for name in ("nordlys", "kvik"))
    # in Nord from the 10th to the 24th, both at ten; the rest of the municipality has one supplier all month
    assert (nordlys["minutes"]["own"], kvik["minutes"]["own"]) == (30 * 1_440, 14 * 1_440)
    # 12:05 to 12:55 in Nord without an answer: 51 of 20,160 minutes: 99.747; in the rest nobody noticed
    assert (kvik["minutes"]["down"], kvik["measured"]) == (51, "99.747")
    assert (nordlys["minutes"]["down"], nordlys["measured"]) == (0, "100.000")
    # 2 per cent of the fee, for 20,160 of 43,200 minutes
    assert (kvik["remedy_percent"], kvik["remedy_percent_of_own_time"]) == ("2.0000", "0.9333")
    # what never came as far as a supplier is shown to the one whose binding it would have gone by
    assert kvik["excluded"] == {"agreement": {"calls": 2}, "move": {"calls": 1}, "unknown": {"calls": 1}}
    assert nordlys["excluded"] == {"agreement": {"calls": 4}}


def test_what_was_bound_in_a_unit_stands_beside_the_rest() -> None:
    nordlys, kvik = (reckoned(ALL[f"june-2026-{name}"])["services"][0]["units"] for name in ("nordlys", "kvik"))
    assert kvik == [{"unit": str(NORD), "minutes": 20_160, "calls": 2_016 + 4}]
    # 09:00:20 to 10:00 and 10:00 to 14:00:30 by first instants: 59 and 241 minutes; 6 and 24 calls, 2 refused
    assert nordlys[0] == {"unit": str(NORD), "minutes": 59 + 241, "calls": 6 + 24 + 2}
    assert nordlys[1] == {"unit": None, "minutes": 43_200, "calls": 4_320 + 4_320 - 2_016 - 30 + 2}


@pytest.mark.parametrize("month", ["april", "june"])
def test_each_call_of_a_month_with_two_suppliers_is_counted_for_one(month: str) -> None:
    both = [reckoned(ALL[f"{month}-2026-{name}"]) for name in ("nordlys", "kvik")]
    assert sum(each["log"]["calls"] for each in both) == len(ALL[f"{month}-2026-kvik"].entries)


@pytest.mark.parametrize("month", ["april", "june"])
def test_a_rival_is_not_named(month: str) -> None:
    assert "kviknote" not in json.dumps(reckoned(ALL[f"{month}-2026-nordlys"]))
    assert "nordnote" not in json.dumps(reckoned(ALL[f"{month}-2026-kvik"]))


def test_the_pilot_of_others_is_not_told() -> None:
    pilot = ALL["june-2026-kvik"]
    elsewhere = [replace(each, unit_id=UUID(int=22)) if each.unit_id else each for each in pilot.bindings]
    lent = [replace(each, partner_id=UUID(int=13)) if each.module == "kviknote" else each for each in elsewhere]
    told = reckoned(replace(pilot, bindings=[*pilot.bindings, *lent]))["bindings"]
    assert {each["unit"] for each in told if "unit" in each} == {str(NORD)}


def test_a_month_of_which_half_is_in_force_is_reckoned_pro_rata() -> None:
    made_up = ALL["february-2024"]
    halved = replace(made_up, agreement=replace(made_up.agreement, ends=datetime(2024, 2, 15, 12, tzinfo=DENMARK)))
    [first, *_] = reckoned(halved)["lines"]
    assert first["minutes"]["own"] == 14 * 1_440 + 12 * 60
