"""Requirements: what the municipality demands beyond a contract, who meets it, and what keeps a release out."""

from torv.ecosystem.requirements.additions import Additions, load_additions
from torv.ecosystem.requirements.api import routes
from torv.ecosystem.requirements.errors import ProfileInvalid
from torv.ecosystem.requirements.matrix import demanded_fields, list_matrix, list_standings, unmet_requirements
from torv.ecosystem.requirements.models import (
    AddedField,
    Examined,
    Judged,
    NewProposal,
    Outcome,
    Proposal,
    Proposed,
    ReleaseStanding,
    RequirementSet,
    Standing,
    Unmet,
)
from torv.ecosystem.requirements.service import examine, list_proposals, list_sets, propose

__all__ = [
    "AddedField",
    "Additions",
    "Examined",
    "Judged",
    "NewProposal",
    "Outcome",
    "ProfileInvalid",
    "Proposal",
    "Proposed",
    "ReleaseStanding",
    "RequirementSet",
    "Standing",
    "Unmet",
    "demanded_fields",
    "examine",
    "list_matrix",
    "list_proposals",
    "list_sets",
    "list_standings",
    "load_additions",
    "propose",
    "routes",
    "unmet_requirements",
]
