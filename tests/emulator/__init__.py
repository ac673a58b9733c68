"""AWS on this machine, for the real Terraform AWS provider.

moto answers every AWS call. Its own proxy is the way in: Terraform reaches ``https://s3.eu-west-1.amazonaws.com``
as it would in production, through ``HTTPS_PROXY`` on loopback, and trusts an authority made for that one run. So
the product's Terraform is applied byte for byte, with no ``endpoints`` and no path-style flag.

- :mod:`tests.emulator.mends` holds every place where moto answers otherwise than AWS.
- :mod:`tests.emulator.proxy` serves; ``python -m tests.emulator`` runs it.
- :mod:`tests.emulator.client` starts that process from a test and talks to it.

moto is no judge of authorisation: it ignores identity-policy conditions, boundaries and principal tags. Nothing
about access may be concluded from it.
"""
