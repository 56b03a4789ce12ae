"""A module for a capability nobody has coded for: it lends aids to citizens, and knows nothing but the SDK."""

from collections.abc import Iterable, Sequence, Set
from uuid import UUID

from torv_sdk import Answer, Call, Module, Record, Settings, bucket


class Loans:
    """A copy of the loans in memory; the SDK fills it anew when the program starts."""

    def __init__(self) -> None:
        self._position, self._records = 0, dict[UUID, Record]()

    def position(self) -> int:
        return self._position

    async def apply(self, records: Sequence[Record], position: int) -> None:
        for record in records:
            await self.put(record)
        self._position = position

    async def put(self, record: Record) -> None:
        known = self._records.get(record.id)
        if known is None or known.version < record.version:
            self._records[record.id] = record

    def latest(self, record_type: str, buckets: Set[int]) -> Iterable[Record]:
        return [each for each in self._records.values() if each.type == record_type and bucket(each.id) in buckets]

    def find(self, record_id: UUID) -> Record | None:
        return self._records.get(record_id)

    def of(self, person_id: UUID) -> list[Record]:
        return sorted((each for each in self._records.values() if each.person_id == person_id), key=lambda r: r.id)


def build(settings: Settings) -> Module:
    """The module, ready to run."""
    loans = Loans()
    module = Module(settings, "aids", 1, loans)

    @module.operation("lend")
    async def lend(call: Call) -> Answer:
        body = call.json()
        person_id = call.uuid("person_id", body.pop("person_id", None))
        record = await call.records.write("loan", person_id=person_id, body=body)
        return Answer({"id": str(record.id), **record.body}, status=201)

    @module.operation("list_loans")
    async def list_loans(call: Call) -> Answer:
        person_id = call.uuid("person_id", call.query.get("person_id"))
        return Answer({"loans": [{"id": str(each.id), **each.body} for each in loans.of(person_id)]})

    return module


if __name__ == "__main__":
    build(Settings.from_environment()).run()
