"""What can go wrong with what is stored.

ModelsError
├── StoreNotReady       a store is missing, empty, behind its migrations, or too far ahead of them
├── KeyringError
│   ├── KeyringMissing      ``keyring init`` has not been run
│   ├── KeyringMismatch     the data belongs to another keyring
│   ├── KeyringExists       ``keyring init`` would overwrite
│   ├── KekUnusable         the key-encryption key is absent, malformed or the wrong one
│   ├── DataKeyGone         a data key was destroyed: what it sealed is unreadable for ever
│   └── DataKeySpent        a data key has sealed as many messages as it may
└── SealBroken          a sealed value does not open in its place
"""


class ModelsError(Exception):
    """Root of this package's errors; its text says what to do and holds no secret."""


class StoreNotReady(ModelsError):
    """A store cannot serve: run ``ga-sync db upgrade``."""


class KeyringError(ModelsError):
    """Something is wrong with keys."""


class KeyringMissing(KeyringError):
    """No keyring yet: run ``ga-sync keyring init``."""


class KeyringMismatch(KeyringError):
    """The data names another keyring."""


class KeyringExists(KeyringError):
    """A keyring is there already and is never overwritten."""


class KekUnusable(KeyringError):
    """The key-encryption key cannot be used."""


class DataKeyGone(KeyringError):
    """The data key was destroyed, so nothing it sealed can be opened again."""


class DataKeySpent(KeyringError):
    """The data key has sealed as many messages as it may; what it sealed opens as before."""


class SealBroken(ModelsError):
    """A sealed value was altered, moved to another place, or sealed under another key."""
