"""Walls around code of somebody else's: what it may touch is decided by the operating system."""
