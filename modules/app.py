"""The CDKTF app: one stack an environment."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cdktf import App

from gatehouse.policies import PolicyError
from gatehouse.settings import Settings
from modules.stack import GatehouseStack


def synthesize(environments: Iterable[Settings], *, folder: Path, output: Path | None = None) -> None:
    """Write ``stacks/ENVIRONMENT/cdk.tf.json`` for each of ``environments``.

    ``folder`` is where the environment files are, and persona templates relative to it. Without ``output`` the
    documents go where cdktf's own command line says (``CDKTF_OUTDIR``), or to ``cdktf.out``.

    Raises:
        PolicyError: an environment fills a document beyond its quota; the message names the file.

    """
    app = App(outdir=str(output) if output else None)
    for settings in environments:
        try:
            GatehouseStack(app, settings.environment, settings=settings, folder=folder)
        except PolicyError as error:
            raise PolicyError(f"{folder / settings.environment}.yaml: {error}") from error
    app.synth()
