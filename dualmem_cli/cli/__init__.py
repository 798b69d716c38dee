"""The command line: parse, one call, exit. Typer lives here only."""
