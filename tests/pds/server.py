"""A real AT Protocol server (the npm PDS) for the tests."""
