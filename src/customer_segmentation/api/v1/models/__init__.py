"""Model versions under `/v1/models`: routes and answers."""
