"""The model and the domain, without files, databases or servers where they need none."""
