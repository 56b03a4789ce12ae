"""Interfaces: connectors to public interfaces and open standards, one folder each; adapters only."""
