"""One module for each way to grab the screens."""
