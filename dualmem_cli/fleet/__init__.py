"""Scenarios on several machines, through Dask: `dispatch` sends errands from here, `service` carries them out over there (docs/adr/0014).

Dask is an extra: only `engine` imports it, and only once a fleet is asked for.
"""
