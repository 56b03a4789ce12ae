"""The workplace: server-rendered pages, under a strict content security policy, readable without script."""

from torv.web.pages import page_for, routes

__all__ = ["page_for", "routes"]
