"""Permission: how it is got from a customer, kept usable, and given back. Knows only what is stored below it."""
