# SPDX-License-Identifier: Apache-2.0
"""ocirun, an OCI container runtime: as a command, and as a package to import."""
