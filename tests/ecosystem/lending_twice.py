"""A module that lends aids by two major versions of the contract at once; the second knows addresses of loans."""

from tests.ecosystem.lending import Loans
from torv_sdk import Answer, Call, Module, Problem, Record, Settings


def build(settings: Settings) -> Module:
    """The module, ready to run."""
    loans = Loans()
    module = Module(settings, "aids", (1, 2), loans)

    @module.operation("lend")
    async def lend(call: Call) -> Answer:
        body = call.json()
        person_id = call.uuid("person_id", body.pop("person_id", None))
        record = await call.records.write("loan", person_id=person_id, body={**body, "by": call.major})
        return Answer(shown(record), status=201)

    @module.operation("list_loans", major=1)
    async def list_loans(call: Call) -> Answer:
        return Answer({"loans": [shown(each) for each in of_person(loans, call, call.query.get("person_id"))]})

    @module.operation("list_loans", major=2)
    async def count_loans(call: Call) -> Answer:
        return Answer({"loans": [], "count": len(of_person(loans, call, call.query.get("person_id")))})

    @module.operation("loans_of_person")
    async def loans_of_person(call: Call) -> Answer:
        return Answer({"loans": [shown(each) for each in of_person(loans, call, call.path["person_id"])]})

    @module.operation("read_loan")
    async def read_loan(call: Call) -> Answer:
        return Answer(shown(named(loans, call)))

    @module.operation("change_loan")
    async def change_loan(call: Call) -> Answer:
        record = named(loans, call)
        body = {**record.body, **call.json()}
        changed = await call.records.write(
            "loan", person_id=record.person_id, body=body, record_id=record.id, expected_version=record.version
        )
        return Answer(shown(changed))

    return module


def of_person(loans: Loans, call: Call, person: str | None) -> list[Record]:
    return loans.of(call.uuid("person_id", person))


def named(loans: Loans, call: Call) -> Record:
    found = loans.find(call.uuid("loan_id", call.path["loan_id"]))
    if found is None:
        raise Problem(404, "not_found", "There is no such loan.")
    return found


def shown(record: Record) -> dict[str, object]:
    return {"id": str(record.id), "version": record.version, **record.body}


if __name__ == "__main__":
    build(Settings.from_environment()).run()
