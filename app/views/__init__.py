"""Widgets. They show the session and send actions; they hold no state of a conversion."""
