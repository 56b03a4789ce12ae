"""Modules: partners' programs, the contracts they keep, and which of them provides each capability now."""

from torv.ecosystem.modules.addresses import PublicResolver
from torv.ecosystem.modules.api import routes
from torv.ecosystem.modules.contracts import Contract, Operation, read_contract, shipped_contracts
from torv.ecosystem.modules.directory import Directory, Route, load_directory
from torv.ecosystem.modules.models import Binding, Module, Release
from torv.ecosystem.modules.service import (
    add_contract,
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
    "Directory",
    "Module",
    "Operation",
    "PublicResolver",
    "Release",
    "Route",
    "add_contract",
    "bind",
    "forget_old_assertions",
    "list_bindings",
    "load_directory",
    "move_binding",
    "read_access_token",
    "read_contract",
    "register_module",
    "register_release",
    "release_by_id",
    "release_in_service",
    "routes",
    "set_shadow",
    "shipped_contracts",
]
