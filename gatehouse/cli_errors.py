"""How the command line ends on an error: explained, with its exit code, and without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from gatehouse.errors import GatehouseError


@contextmanager
def errors_explained() -> Iterator[None]:
    """Print an error that we raised, or that the file system did, without a traceback."""
    try:
        yield
    except GatehouseError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"{place}{error.strerror or error}", err=True)
        raise typer.Exit(1) from None
