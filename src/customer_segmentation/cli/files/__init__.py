"""Commands on files: import, export, score, demo."""
