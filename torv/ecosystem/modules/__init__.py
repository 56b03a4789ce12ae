"""Modules: partners' programs, the contracts they keep, and which of them provides each capability now."""

from torv.ecosystem.modules.addresses import PublicResolver, addresses_of
from torv.ecosystem.modules.api import routes
from torv.ecosystem.modules.contract_files import read_contract, read_folder, shipped_contracts
from torv.ecosystem.modules.contract_keeping import (
    add_contract,
    add_shipped_contract,
    list_contracts,
    titles_of_capabilities,
)
from torv.ecosystem.modules.contracts import Contract, KeptContract, Operation
from torv.ecosystem.modules.directory import Directory, Route, load_directory
from torv.ecosystem.modules.errors import ContractBreaks, ContractInvalid, ContractVersionWrong, MajorNotProvided
from torv.ecosystem.modules.event_types import EventType, event_types
from torv.ecosystem.modules.models import Binding, Module, Release
from torv.ecosystem.modules.service import (
    bind,
    list_bindings,
    move_binding,
    register_module,
    register_release,
    release_by_id,
    release_in_service,
    set_shadow,
)
from torv.ecosystem.modules.tokens import AccessToken, forget_old_assertions, read_access_token

__all__ = [
    "AccessToken",
    "Binding",
    "Contract",
    "ContractBreaks",
    "ContractInvalid",
    "ContractVersionWrong",
    "Directory",
    "EventType",
    "KeptContract",
    "MajorNotProvided",
    "Module",
    "Operation",
    "PublicResolver",
    "Release",
    "Route",
    "add_contract",
    "add_shipped_contract",
    "addresses_of",
    "bind",
    "event_types",
    "forget_old_assertions",
    "list_bindings",
    "list_contracts",
    "load_directory",
    "move_binding",
    "read_access_token",
    "read_contract",
    "read_folder",
    "register_module",
    "register_release",
    "release_by_id",
    "release_in_service",
    "routes",
    "set_shadow",
    "shipped_contracts",
    "titles_of_capabilities",
]
