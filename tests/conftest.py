"""How the tests are spread over two processes (``make test``): a file is a group, the long tests start first."""

from __future__ import annotations

import pytest

LONG = ("terraform", "postgres")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests together, because they share what is costly to set up; put the long ones in front.

    A test that is a group of its own (``xdist_group``) says so itself.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.name))
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in LONG))
