"""Audiences: the rules that customers are in them by, who is in them, and who came and went."""
