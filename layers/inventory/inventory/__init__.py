"""The inventory adjustment service: domain inside, AWS and HTTP at the edge.

Imports point inward only: handler -> entry points -> ``adjust`` -> ``model`` and ``errors``. Importing the package
does nothing: no environment is read, no client is made. A test reads the imports and says so.
"""
