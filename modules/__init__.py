"""CDKTF constructs of Gatehouse: the only place that imports cdktf.

Importing the package prepares the fast synthesis, which must happen before cdktf is first imported.
"""

from modules import fast_synth

fast_synth.install()
