"""The route catalogue: every route that an MLflow version serves, and the capability that each one needs.

``model`` is the catalogue, ``rules`` assigns capabilities, ``shipped`` reads and writes the files under
``gatehouse/data/catalogue``, ``installed`` asks an installed MLflow for its routes.
"""
