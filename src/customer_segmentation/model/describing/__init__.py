"""Describing segments and assignments: names, profiles, explanations, projections."""
