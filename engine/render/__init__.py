"""Code to picture: HTML through QtWebEngine, Python plots through a sandboxed process."""
