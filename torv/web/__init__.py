"""The workplace: server-rendered pages, under a strict content security policy, readable without script."""

from torv.web import agreements, modules, persons, requirements, service_levels
from torv.web.pages import page_for, routes

ROUTES = (routes, persons.routes, agreements.routes, modules.routes, requirements.routes, service_levels.routes)

__all__ = ["ROUTES", "page_for"]
