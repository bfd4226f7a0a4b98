"""Model versions, trainings, drift and the study over the number of segments."""
