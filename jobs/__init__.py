"""Work on time, once: when work runs and who runs it. This package knows what is stored and nothing of the product."""
