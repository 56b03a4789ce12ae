"""What a module sees of persons through the SDK, from a real Torv."""

import asyncio
from dataclasses import replace

import pytest

from tests.cast import BJORN_CPR, BORGERBLIK, Cast, content_of, enter_agreement
from tests.served import Api
from torv.base.db import Database
from torv.base.signing import Keys
from torv_sdk import KernelClient, KernelRefusal, look_up_person, read_person
from torv_sdk.persons import Person


async def test_a_module_reads_what_its_agreement_covers(shared_api: Api, cast: Cast) -> None:
    key, client_id = cast.release_keys["borgerblik"], str(cast.releases["borgerblik"])
    async with KernelClient(shared_api.url, client_id, key) as kernel:
        alma = await read_person(kernel, cast.alma.id)
        assert (alma.id, alma.given_names, alma.has_protected_address) == (cast.alma.id, cast.alma.given_names, True)
        assert alma.address is None
        with pytest.raises(KernelRefusal) as refused:
            await look_up_person(kernel, "0107153216")
        assert (refused.value.status, refused.value.code) == (403, "denied")


async def test_a_person_is_looked_up_by_number(api: Api, cast: Cast, database: Database, keys: Keys) -> None:
    grants = (("persons", ("lookup",), ("person",)),)
    async with database.transaction() as tx:
        await enter_agreement(tx, cast, content_of(replace(BORGERBLIK, grants=grants)), keys)
    key, client_id = cast.release_keys["borgerblik"], str(cast.releases["borgerblik"])
    async with KernelClient(api.url, client_id, key) as kernel, asyncio.timeout(20):
        while True:
            try:
                found = await look_up_person(kernel, BJORN_CPR)
                break
            except KernelRefusal:  # until the process knows the agreement
                await asyncio.sleep(0.05)
        assert (found.id, found.family_name) == (cast.bjorn.id, cast.bjorn.family_name)
        with pytest.raises(KernelRefusal) as refused:
            await look_up_person(kernel, "0101010000")
        assert refused.value.status in (404, 422)


async def test_a_module_without_a_grant_sees_nobody(shared_api: Api, cast: Cast) -> None:
    key, client_id = cast.release_keys["nordnote"], str(cast.releases["nordnote"])
    async with KernelClient(shared_api.url, client_id, key) as kernel:
        with pytest.raises(KernelRefusal) as refused:
            await read_person(kernel, cast.alma.id)
        assert refused.value.status == 403


def test_what_is_no_person_is_not_taken_for_one() -> None:
    with pytest.raises(KeyError):
        Person.from_wire({"id": "0198c0de-0000-7000-8000-00000000a11c"})
