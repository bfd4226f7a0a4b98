"""Measuring what a campaign brought: effects, their intervals, power, and what may be shown."""
