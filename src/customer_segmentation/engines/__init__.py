"""Where training and bulk scoring run; every engine writes the same model artifact."""
