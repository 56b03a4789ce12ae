"""The workplace: server-rendered pages, under a strict content security policy, readable without script."""

from torv.web import agreements, persons
from torv.web.pages import page_for, routes

ROUTES = (routes, persons.routes, agreements.routes)

__all__ = ["ROUTES", "page_for"]
