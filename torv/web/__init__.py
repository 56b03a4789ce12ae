"""The workplace: server-rendered pages, under a strict content security policy, readable without script."""

from torv.web import persons
from torv.web.pages import page_for, routes

ROUTES = (routes, persons.routes)

__all__ = ["ROUTES", "page_for"]
