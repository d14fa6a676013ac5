# SPDX-License-Identifier: Apache-2.0
"""OCI documents as values: config.json, process.json, resources, state, features.

Documents stay the dicts and lists that JSON gave; model.py has their types for
the type checker.  Nothing here makes a system call or knows a kernel constant.
"""
