"""Tests of Gatehouse; the folders mirror what they test."""
