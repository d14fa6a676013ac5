# SPDX-License-Identifier: Apache-2.0
"""A container's life: the only layer that knows both the spec's words and the kernel's."""
