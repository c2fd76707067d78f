"""Documents made searchable and searched: pure parts, each given what it works on."""
