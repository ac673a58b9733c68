"""``python -m gatehouse`` is the command line."""

from gatehouse.cli import main

main()
