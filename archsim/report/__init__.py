"""Tables and files for people: everything here only reads results."""
