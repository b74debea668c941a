"""Showing generated code: a locked-down web page for HTML, a drawn picture for charts."""
