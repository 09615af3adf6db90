"""The HTTP door: version 1 of the contract, and the pages of the consent."""
