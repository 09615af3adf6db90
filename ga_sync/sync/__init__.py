"""Pulling segments and recording ids out of Google, and telling the truth about what was held back."""
