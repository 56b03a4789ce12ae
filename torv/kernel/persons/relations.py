"""Relations between persons: parents, custody, guardians, contacts."""

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import InvalidInput, NotFound
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import note
from torv.kernel.persons import rules
from torv.kernel.persons.models import KnownRelation, Relation, RelationKind

sql = load(__file__)


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRelation:
    id: UUID | None
    kind: str
    person_id: UUID | None
    name: str | None
    valid_from: date | None
    valid_to: date | None
    hides_name: bool


async def relate(tx: Tx, access: Access, person_id: UUID, relation: Relation) -> UUID:
    """Note a relation to a person; gives its id. Raises InvalidInput, CprInvalid or NotFound."""
    if relation.kind is RelationKind.CHILD:
        raise InvalidInput(reason="a child is noted as the parent's relation on the child")
    if (relation.cpr is None) == (relation.name is None):
        raise InvalidInput(reason="either cpr or name")
    relation = replace(relation, cpr=rules.normal_cpr(relation.cpr) if relation.cpr else None)
    await tx.value(sql.lock_persons, ids=[person_id])
    relation_id = new_id()
    await tx.run(sql.insert_relation, id=relation_id, person_id=person_id, **asdict(relation))
    note(tx, access, "write", [person_id], detail={"relation": str(relation_id), "kind": relation.kind})
    return relation_id


async def end_relation(tx: Tx, access: Access, person_id: UUID, relation_id: UUID, day: date) -> UUID:
    """End a relation on a day; gives the id of what is thought instead. Raises NotFound."""
    ended: UUID | None = await tx.value(sql.end_relation, id=relation_id, person_id=person_id, valid_to=day)
    if ended is None:
        raise NotFound
    note(tx, access, "write", [person_id], detail={"relation": str(ended), "ended": str(relation_id)})
    return ended


async def read_relations(
    tx: Tx, access: Access, person_id: UUID, *, valid_at: date | None, known_at: datetime | None
) -> list[KnownRelation]:
    """Who stands in a relation to a person on a day (None: today), as we knew it at an instant (None: now)."""
    found = await tx.all(
        FoundRelation, sql.relations_of, person_id=person_id, valid_at=valid_at or clock.today(),
        known_at=known_at or clock.now(), today=clock.today(),
    )  # fmt: skip
    others = [each.person_id for each in found if each.person_id is not None]
    note(tx, access, "read", [person_id, *sorted(set(others))], detail={"relations": len(found)})
    return [_visible(each, access) for each in found]


def _visible(found: FoundRelation, access: Access) -> KnownRelation:
    is_hidden = found.hides_name and not access.covers(rules.PROTECTED_NAME)
    return KnownRelation(
        id=found.id, kind=RelationKind(found.kind), person_id=found.person_id, name=None if is_hidden else found.name,
        valid_from=found.valid_from, valid_to=found.valid_to,
    )  # fmt: skip
