"""How good a clustering is: measures, gates, studies, and the impact of activating it."""
