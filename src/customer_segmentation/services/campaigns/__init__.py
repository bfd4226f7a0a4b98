"""Campaigns: plan one, draw its arms, take in what came of it, and read out what it brought."""
