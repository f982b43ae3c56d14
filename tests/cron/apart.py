"""Mounts of one process and its children, where a machine allows that."""

from __future__ import annotations

import subprocess


def can_mount_apart() -> bool:
    """Whether this process may have mounts of its own: a container may forbid it even to root."""
    command = ["unshare", "--mount", "true"]
    asked = subprocess.run(command, capture_output=True, check=False)
    return asked.returncode == 0
