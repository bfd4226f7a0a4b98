"""Transactions, under `/v1/transactions`: routes, reading many of a body, and answers."""
