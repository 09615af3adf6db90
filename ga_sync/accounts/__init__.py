"""What customers and their administrators do: keys, links, pauses, removals, revocations."""
