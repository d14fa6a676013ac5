# SPDX-License-Identifier: Apache-2.0
"""The command line: argv in, one engine call, exit code and text out.

The only place that prints.  An engine starts this program several times for each
container, so a command imports what it needs itself, late, and nothing dear.
"""
