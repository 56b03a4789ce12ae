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


def files(contract: str = CONTRACT, loan: Any = LOAN) -> dict[str, str]:
    """The folder as one document."""
    return {"contract.yaml": contract, "records/loan.json": json.dumps(loan)}


def write_folder(folder: Path, contents: dict[str, str]) -> Path:
    """The folder as files."""
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
