"""Model folders, their cards, and the check of GGUF headers."""
