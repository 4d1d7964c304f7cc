"""Who decides: web pages, sign-in, command line, worker, settings and wiring."""
