"""Training data: sources in, one record format out."""
