"""The page on campaigns: plan one, start it, say what came of it, and see what it brought."""
