"""The engine's events from a server that speaks the OpenAI chat API."""
