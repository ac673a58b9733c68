"""Tests that need neither cdktf nor terraform, in milliseconds."""
