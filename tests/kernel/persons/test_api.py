"""Persons over HTTP: registered once, found by number without the number in an address, shown as the permit covers."""

from typing import Any

import pytest

from tests.cast import ALMA_CPR, ANNA, BJORN_CPR, Cast
from tests.served import Api

PERSONS = "/api/v1/persons"


async def register(api: Api, **changes: Any) -> Any:
    return await api.post(PERSONS, {"given_names": "Ida", "family_name": "Østergaard"} | changes, by=ANNA)


async def change(api: Api, person: Any, version: str | None, **changes: Any) -> Any:
    stated = {} if version is None else {"If_Match": version}
    return await api.ask("PATCH", f"{PERSONS}/{person}", changes, by=ANNA, **stated)


# ---- registering and finding -----------------------------------------------------------------------------------------
async def test_a_person_is_registered_and_found_by_number(api: Api) -> None:
    new = await register(api, cpr="010190-1234", given_names="  Ida   Marie ")
    assert (new.status, new.headers["location"]) == (201, f"{PERSONS}/{new.json['id']}")
    assert (new.json["given_names"], new.json["version"], new.headers["etag"]) == ("Ida Marie", 1, '"1"')
    found = await api.post(f"{PERSONS}/lookup", {"cpr": "0101901234"}, by=ANNA)
    assert (found.status, found.json["id"]) == (200, new.json["id"])


async def test_a_number_belongs_to_one_person_and_the_refusal_does_not_say_whose(api: Api) -> None:
    reply = await register(api, cpr=BJORN_CPR)
    assert reply.code == (409, "cpr_already_known")
    assert BJORN_CPR not in reply.body.decode()


async def test_a_person_may_have_no_number_and_many_have_none(api: Api) -> None:
    assert [(await register(api, cpr=None)).status for _ in range(2)] == [201, 201]


async def test_a_number_nobody_has_is_not_found(shared_api: Api) -> None:
    reply = await shared_api.post(f"{PERSONS}/lookup", {"cpr": "0202903333"}, by=ANNA)
    assert reply.code == (404, "not_found")


@pytest.mark.parametrize(
    ("cpr", "is_one"),
    [
        ("2902002234", False),  # 1900 was no leap year
        ("2902004234", True),  # 2000 was
        ("2902014234", False),
        ("2902041234", True),
        ("8902041234", True),  # the same day in a replacement number
        ("9002041234", False),
        ("6101901234", True),  # day + 60
        ("9101901234", True),
        ("9201901234", False),
        ("6001901234", False),
        ("3112901234", True),
        ("3212901234", False),
        ("0001901234", False),
        ("0113901234", False),
        ("0101901235", True),  # modulus 11 is not asked for
        ("010190123", False),
        ("01019012345", False),
        ("010190123x", False),
        ("٠١٠١٩٠١٢٣٤", False),
        ("", False),
    ],
)
async def test_what_is_a_number_and_what_is_not(shared_api: Api, cpr: str, is_one: bool) -> None:
    reply = await shared_api.post(f"{PERSONS}/lookup", {"cpr": cpr}, by=ANNA)
    assert reply.code == ((404, "not_found") if is_one else (422, "cpr_invalid"))


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "Ida\u0007", "Ida\u200b\u202e"])
async def test_a_name_is_something_one_can_read(shared_api: Api, name: str) -> None:
    assert (await register(shared_api, given_names=name)).code == (422, "invalid_input")


# ---- changing --------------------------------------------------------------------------------------------------------
async def test_a_change_states_the_version_it_changes(api: Api, cast: Cast) -> None:
    person = cast.bjorn.id
    assert (await change(api, person, None, family_name="Holm")).code == (428, "version_required")
    assert (await change(api, person, '"2"', family_name="Holm")).code == (412, "version_mismatch")
    changed = await change(api, person, '"1"', family_name="Holm")
    assert (changed.status, changed.json["family_name"], changed.headers["etag"]) == (200, "Holm", '"2"')
    assert changed.json["given_names"] == "Bjørn"
    assert (await change(api, person, '"1"', family_name="Lind")).code == (412, "version_mismatch")


@pytest.mark.parametrize("stated", ["x", "*", 'W/"1"', '"1", "2"', "1" * 5_000, "-1", '""', "1.0", "1²"])
async def test_a_version_is_a_number(shared_api: Api, cast: Cast, stated: str) -> None:
    assert (await change(shared_api, cast.bjorn.id, stated, family_name="Holm")).code == (400, "malformed_request")


async def test_a_person_nobody_knows_is_not_changed(shared_api: Api, cast: Cast) -> None:
    unknown = cast.releases["nordnote"]
    assert (await change(shared_api, unknown, '"1"', family_name="Holm")).code == (404, "not_found")


# ---- what is shown ---------------------------------------------------------------------------------------------------
async def test_whoever_may_see_everything_sees_everything(shared_api: Api, cast: Cast) -> None:
    shown = (await shared_api.get(f"{PERSONS}/{cast.alma.id}", by=ANNA)).json
    assert (shown["cpr"], shown["has_protected_address"]) == (ALMA_CPR, True)
    assert "Havnegade 7" in shown["address"]


async def test_a_program_sees_neither_numbers_nor_protected_addresses_it_was_not_granted(
    shared_api: Api, cast: Cast
) -> None:
    alma = await shared_api.get(f"{PERSONS}/{cast.alma.id}", by="borgerblik")
    bjorn = (await shared_api.get(f"{PERSONS}/{cast.bjorn.id}", by="borgerblik")).json
    assert (alma.json["given_names"], alma.json["cpr"], alma.json["address"]) == ("Alma", None, None)
    assert ALMA_CPR not in alma.body.decode()
    assert "Havnegade" not in alma.body.decode()
    assert bjorn["cpr"] is None
    assert "Skolebakken 12" in bjorn["address"]


async def test_a_program_without_the_grant_sees_nobody(shared_api: Api, cast: Cast) -> None:
    for reply in (
        await shared_api.get(f"{PERSONS}/{cast.bjorn.id}", by="nordnote"),
        await shared_api.post(f"{PERSONS}/lookup", {"cpr": BJORN_CPR}, by="borgerblik"),
        await shared_api.post(PERSONS, {"given_names": "A", "family_name": "B"}, by="borgerblik"),
    ):
        assert reply.code == (403, "denied")
