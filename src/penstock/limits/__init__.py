"""Rates, token rates and the hold: what a caller may still do, decided before anything is sent."""
