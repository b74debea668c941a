"""The desktop application: capture, session, views and previews. Holds no model code."""
