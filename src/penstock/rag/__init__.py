"""Documents: from an uploaded file to a cited answer."""
