"""Personas: named sets of capabilities, and the policies that open their routes and nothing else.

``model`` has the personas of an environment, ``render`` fills in their templates, ``check`` says what a template
may not grant, ``use`` what the bound ones do with artifacts. ``cover`` finds the ARN patterns that match a persona's
routes exactly, with ``wildcards`` (which routes a pattern meets) and ``smallest`` (the cheapest choice of patterns)
beneath it; ``grants`` makes statements of them.
"""
