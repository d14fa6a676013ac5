# SPDX-License-Identifier: Apache-2.0
"""The exceptions that ocirun raises on purpose.

A message is one line, lower case, without a full stop: what was tried, on what,
and what the kernel said.  `hint` says what the user can do about it, where
there is something.  Only the command line prints either of them.
"""


class OcirunError(Exception):
    """The root of all errors that ocirun raises on purpose."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(OcirunError):
    """The command line, or the call, cannot be understood."""


class SpecError(OcirunError):
    """A document (config.json, process.json, resources) is wrong; the message names the field."""


class StateError(OcirunError):
    """The container is missing, or not in the state that the request needs."""


class KernelError(OcirunError):
    """The kernel, or a program run for the container, refused a step."""
