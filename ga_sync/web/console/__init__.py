"""What people with an account see: the console that filters recordings, and the administrators' pages."""
