"""``python -m tests.emulator DIRECTORY [--without MEND]...``: serve until ended.

Once it listens it writes ``DIRECTORY/address.json``: ``{"port": ..., "ca": ...}``. It logs every request.
"""

import argparse
import json
import os
from pathlib import Path

# Read by moto at import: the policies that AWS itself manages exist, as they do in every account.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

from tests.emulator.mends import MENDS, mended
from tests.emulator.proxy import listening


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("directory", type=Path, help="an existing directory for the authority's files")
    parser.add_argument("--without", action="append", default=[], choices=sorted(MENDS), metavar="MEND")
    arguments = parser.parse_args()
    with mended(without=arguments.without), listening(arguments.directory) as (server, authority):
        address = {"port": server.server_port, "ca": str(authority.ca)}
        whole = arguments.directory / "address.json.new"
        whole.write_text(json.dumps(address), encoding="utf-8")
        whole.rename(arguments.directory / "address.json")
        server.serve_forever()


if __name__ == "__main__":
    main()
