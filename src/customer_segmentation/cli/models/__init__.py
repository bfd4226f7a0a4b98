"""Commands on models: train, study, versions, jobs."""
