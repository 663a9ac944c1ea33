"""The command line: every verb of the product, headless."""
