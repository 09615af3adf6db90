"""What is stored, sealed and committed. This package knows nobody above it."""
