"""The CDKTF app: one stack an environment."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cdktf import App

from gatehouse.settings import Settings
from modules.stack import GatehouseStack


def synthesize(environments: Iterable[Settings], *, output: Path | None = None) -> None:
    """Write ``stacks/ENVIRONMENT/cdk.tf.json`` for each of ``environments``.

    Without ``output`` the folder is what cdktf's own command line says (``CDKTF_OUTDIR``), or ``cdktf.out``.
    """
    app = App(outdir=str(output) if output else None)
    for settings in environments:
        GatehouseStack(app, settings.environment, settings=settings)
    app.synth()
