"""Vision session on the low-level bindings of llama.cpp."""
