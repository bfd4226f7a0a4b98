"""Tables in and out: the first load, importing, exporting, scoring, and the synthetic bank."""
