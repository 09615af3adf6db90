"""What administrators see: links by state, runs and quota, grants, keys, people, audit."""
