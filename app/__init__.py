"""Entry points: server, API, pages and command line. The only place where settings are read and parts are wired."""
