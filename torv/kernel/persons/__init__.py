"""Persons: the people the municipality knows."""

from torv.kernel.persons.api import routes
from torv.kernel.persons.models import NewPerson, Person, PersonChange
from torv.kernel.persons.service import change_person, find_person_by_cpr, read_person, register_person

__all__ = [
    "NewPerson",
    "Person",
    "PersonChange",
    "change_person",
    "find_person_by_cpr",
    "read_person",
    "register_person",
    "routes",
]
