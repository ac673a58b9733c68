"""The CDKTF app of Gatehouse: environment files in, one stack an environment out.

``cdktf synth``, ``cdktf deploy`` and ``gatehouse synth`` all run this file in the project's folder.
``GATEHOUSE_ENVIRONMENTS`` (names with commas between) leaves the other environments out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gatehouse.environment_file import ENVIRONMENTS, load_environments
from gatehouse.errors import GatehouseError
from gatehouse.inputs import project_digests, write_record
from gatehouse.synth import DOCUMENT, OUTPUT, STACKS


def main() -> int:
    """Read every environment first, so that bad input is refused before anything is written."""
    names = [name for name in os.environ.get("GATEHOUSE_ENVIRONMENTS", "").split(",") if name]
    try:
        environments = load_environments(ENVIRONMENTS, names or None)
        projects = {one.environment: project_digests(one, ENVIRONMENTS) for one in environments}
        # Imported late: cdktf takes seconds to load, and a mistake in a YAML file should not wait for it.
        from modules.app import synthesize  # noqa: PLC0415

        synthesize(environments, folder=ENVIRONMENTS)
        output = Path(os.environ.get("CDKTF_OUTDIR") or OUTPUT)
        for name, project in projects.items():
            write_record(output / STACKS / name / DOCUMENT, project)
    except GatehouseError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
