"""Words in code, taken from the lines read in the picture."""
