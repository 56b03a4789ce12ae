"""A capability nobody has coded for: aids that are lent to citizens, as the files of a contract."""

import json
from pathlib import Path
from typing import Any

CONTRACT = """\
format: torv-contract/1
capability: aids
major: 1
version: 1.0.0
title: {da: Hjælpemidler, en: Aids}
operations:
  - {id: lend, method: POST, path: /loans, safe: false, category: aids}
  - {id: list_loans, method: GET, path: /loans, safe: true, category: aids}
records:
  - type: loan
    schema: records/loan.json
    category: aids
    projections:
      timeline: {instant: /lent_on, text: /what}
kernel:
  needs: [records.write, records.follow]
"""
LOAN: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["what"],
    "properties": {
        "what": {"type": "string", "minLength": 1, "maxLength": 200},
        "lent_on": {"type": "string", "format": "date"},
        "state": {"enum": ["lent", "returned"]},
    },
    "additionalProperties": True,
}


def _with_operations(contract: str, lines: str) -> str:
    """The contract with further operations, one a line, after its own."""
    return contract.replace("records:\n", f"{lines}records:\n", 1)


#: the same, and operations whose addresses have variable parts
ADDRESSED = _with_operations(
    CONTRACT,
    """\
  - {id: read_loan, method: GET, path: "/loans/{loan_id}", safe: true, category: aids}
  - {id: change_loan, method: PATCH, path: "/loans/{loan_id}", safe: false, category: aids}
  - {id: loans_of_person, method: GET, path: "/persons/{person_id}/loans", safe: true, category: aids}
""",
)
_OPENAPI = """\
openapi: 3.1.0
info: {title: Aids, version: 1.0.0}
paths:
  /loans:
    post:
      summary: Lend an aid
      parameters: [{$ref: "#/components/parameters/Key"}]
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/NewLoan"}
            example: {person_id: 0198c0de-0000-7000-8000-00000000a11c, what: Rollator, lent_on: "2026-03-01"}
      responses:
        "201": {$ref: "#/components/responses/Loan"}
    get:
      summary: List the loans of a person
      parameters: [{name: person_id, in: query, required: true, example: x, schema: {type: string, format: uuid}}]
      responses:
        "200": {$ref: "#/components/responses/Loans"}
  /loans/{loan_id}:
    parameters: [{name: loan_id, in: path, required: true, schema: {type: string, format: uuid}}]
    get:
      summary: Read a loan
      responses:
        "200": {$ref: "#/components/responses/Loan"}
    patch:
      summary: Change a loan
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [state]
              properties: {state: {enum: [lent, returned]}}
            example: {state: returned}
      responses:
        "200": {$ref: "#/components/responses/Loan"}
  /persons/{person_id}/loans:
    get:
      summary: List the loans of the person in the address
      parameters: [{name: person_id, in: path, required: true, schema: {type: string, format: uuid}}]
      responses:
        "200": {$ref: "#/components/responses/Loans"}
components:
  parameters:
    Key: {name: Idempotency-Key, in: header, required: true, schema: {type: string}}
  schemas:
    NewLoan:
      type: object
      required: [person_id, what]
      properties:
        person_id: {type: string, format: uuid}
        what: {type: string, minLength: 1, maxLength: 200}
        lent_on: {type: string, format: date}
        state: {enum: [lent, returned]}
    Loan:
      type: object
      required: [id, person_id, what, version]
      properties:
        id: {type: string, format: uuid}
        person_id: {type: string, format: uuid}
        what: {type: string}
        version: {type: integer, minimum: 1}
        state: {enum: [lent, returned]}
  responses:
    Loan:
      description: The loan.
      content: {application/json: {schema: {$ref: "#/components/schemas/Loan"}}}
    Loans:
      description: The loans, the newest first.
      content:
        application/json:
          schema:
            type: object
            required: [loans]
            properties: {loans: {type: array, items: {$ref: "#/components/schemas/Loan"}}}
"""
_REFUSALS = "".join(
    f'        "{status}": {{description: A refusal., content: {{application/problem+json: {{schema: {{}}}}}}}}\n'
    for status in (400, 401, 403, 404, 409, 413, 422, 503)
)
OPENAPI = _OPENAPI.replace("      responses:\n", f"      responses:\n{_REFUSALS}")

#: the same with operations that take no body: one ends a loan, one removes it, one writes anew from the address alone
BODILESS = _with_operations(
    ADDRESSED,
    """\
  - {id: end_loan, method: POST, path: "/loans/{loan_id}/end", safe: false, category: aids}
  - {id: remove_loan, method: DELETE, path: "/loans/{loan_id}", safe: false, category: aids}
  - {id: lend_usual, method: POST, path: "/persons/{person_id}/usual", safe: false, category: aids}
""",
)
_ENDED = """\
  /loans/{loan_id}/end:
    parameters: [{name: loan_id, in: path, required: true, schema: {type: string, format: uuid}}]
    post:
      summary: End a loan
      responses:
        "200": {$ref: "#/components/responses/Loan"}
  /persons/{person_id}/usual:
    parameters: [{name: person_id, in: path, required: true, schema: {type: string, format: uuid}}]
    post:
      summary: Lend what is usual
      responses:
        "201": {$ref: "#/components/responses/Loan"}
  /persons/{person_id}/loans:
"""
OPENAPI_BODILESS = (
    _OPENAPI.replace("  /persons/{person_id}/loans:\n", _ENDED)
    .replace(
        "    patch:\n",
        '    delete:\n      summary: Remove it\n      responses:\n        "204": {description: Gone.}\n    patch:\n',
    )
    .replace("      responses:\n", f"      responses:\n{_REFUSALS}")
)


def files(contract: str = CONTRACT, loan: Any = LOAN) -> dict[str, str]:
    """The folder as one document."""
    return {"contract.yaml": contract, "records/loan.json": json.dumps(loan)}


def write_folder(folder: Path, contents: dict[str, str]) -> Path:
    """The folder as files."""
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
