"""Every request body has an example, and every example is one that Torv would take."""

from typing import Any

import jsonschema_rs
import pytest

from torv.app import make_application
from torv.base.settings import Settings
from torv.openapi import read_examples


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return make_application(Settings(state_dir=tmp_path_factory.mktemp("described")), dsn="").openapi()


def bodies(description: dict[str, Any]) -> set[str]:
    operations = [operation for path in description["paths"].values() for operation in path.values()]
    contents = [each["requestBody"]["content"]["application/json"] for each in operations if "requestBody" in each]
    return {content["schema"]["$ref"].rpartition("/")[2] for content in contents if "$ref" in content["schema"]}


def test_every_body_has_an_example_and_no_example_is_left_over(description: dict[str, Any]) -> None:
    assert sorted(bodies(description)) == sorted(read_examples())


def test_every_example_is_valid(description: dict[str, Any]) -> None:
    wrong = {}
    for name, example in read_examples().items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": description["components"]}
        errors = [error.message for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(example)]
        if errors:
            wrong[name] = errors
    assert wrong == {}


def test_every_operation_says_how_it_refuses(description: dict[str, Any]) -> None:
    for path in description["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert operation["summary"]
