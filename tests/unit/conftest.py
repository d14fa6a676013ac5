# SPDX-License-Identifier: Apache-2.0
"""How long one example of hypothesis takes says more of the machine than of us."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
