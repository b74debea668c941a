"""The code as files for people: a project folder, one page, a name taken from its title. No Qt."""
