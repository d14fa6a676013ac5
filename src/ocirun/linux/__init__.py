# SPDX-License-Identifier: Apache-2.0
"""The kernel's facilities, one module each, named as their man pages.

Nothing here knows what a container is.  Functions take plain values, raise
OSError, and neither print nor log.
"""
