"""Changes to code that need no model: what the picture says is measured and written in."""
