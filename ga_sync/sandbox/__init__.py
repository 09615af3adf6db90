"""A Google for this machine: OAuth, Admin v1alpha, Data v1beta and a control port, described in docs/sandbox.md."""
