"""Small programs that call projects which have no command line; each is run by its project's interpreter, alone."""
