"""`python -m segtune` is the `segtune` command."""

from __future__ import annotations

from segtune.cli.app import main

if __name__ == "__main__":
    main()
