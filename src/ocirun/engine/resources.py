# SPDX-License-Identifier: Apache-2.0
"""What `linux.resources` asks of the cgroups: device rules, and how a limit is put in words.

The limits themselves are translated by resources_v1 or resources_v2, whichever the host needs;
both are pure.  runtime-spec, config-linux.md, "Control groups".
"""

from ocirun.errors import KernelError, SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.linux.cgroup.devices import Rule
    from ocirun.linux.cgroup.settings import Setting, SettingError
    from ocirun.spec.model import DeviceRule, Linux, Resources

ANY = -1

# Every container may use these, whatever its rules say: the spec's default devices (named by
# their path, so that an entry of linux.devices for it takes their place), its own consoles, and
# /dev/net/tun, which VPN programs have come to expect.  Making a node is harmless: using it is not.
_DEFAULT_RULES: "tuple[tuple[str, Rule], ...]" = (
    ("", (True, "c", ANY, ANY, "m")),
    ("", (True, "b", ANY, ANY, "m")),
    ("/dev/null", (True, "c", 1, 3, "rwm")),
    ("/dev/random", (True, "c", 1, 8, "rwm")),
    ("/dev/full", (True, "c", 1, 7, "rwm")),
    ("/dev/tty", (True, "c", 5, 0, "rwm")),
    ("/dev/zero", (True, "c", 1, 5, "rwm")),
    ("/dev/urandom", (True, "c", 1, 9, "rwm")),
    ("", (True, "c", 136, ANY, "rwm")),
    ("", (True, "c", 5, 2, "rwm")),
    ("", (True, "c", 10, 200, "rwm")),
)


def settings(resources: "Resources", version: int) -> "list[Setting]":
    """Translate the limits for a host with this cgroup version."""
    if version == 2:
        from ocirun.engine import resources_v2

        return resources_v2.v2_settings(resources)
    from ocirun.engine import resources_v1

    return resources_v1.v1_settings(resources)


def device_rules(linux: "Linux") -> "list[Rule]":
    """Return the device rules in order; what comes before the first of them is "deny all"."""
    wanted = linux.get("resources", {}).get("devices", [])
    rules = [_device_rule(rule, index) for index, rule in enumerate(wanted)]
    named = {device["path"] for device in linux.get("devices", [])}
    rules += [rule for path, rule in _DEFAULT_RULES if not path or path not in named]
    return rules


def devices_are_optional(rules: "list[Rule]") -> bool:
    """Tell whether the rules forbid nothing that a user named, so that doing without is no risk."""
    return all(allow and set(access) == set("rwm") for allow, _, _, _, access in rules)


def ignored(resources: "Resources", version: int) -> list[str]:
    """Return one warning for each limit that this host's cgroups have no place for."""
    memory = resources.get("memory", {})
    found = [f"memory.{key}" for key in ("kernel", "kernelTCP") if key in memory]
    warnings = [f"linux.resources.{field} is ignored: Linux has given it up" for field in found]
    for index, rule in enumerate(resources.get("devices", [])):
        if rest := rule.get("access", "").strip("rwm"):
            warnings.append(f"linux.resources.devices[{index}].access: {rest!r} is ignored")
    if version == 2:
        from ocirun.engine import resources_v2

        warnings += [
            f"linux.resources.{field} is ignored: cgroup v2 has nothing like it"
            for field in resources_v2.without_place(resources)
        ]
    return warnings


def check_usage(resources: "Resources", usage: int) -> None:
    """Refuse a memory limit that is used up already, where checkBeforeUpdate asks for that."""
    memory = resources.get("memory", {})
    if not memory.get("checkBeforeUpdate"):
        return
    for field, name, value in (
        ("swap", "memory+swap", memory.get("swap", 0)),
        ("limit", "memory", memory.get("limit", 0)),
    ):
        if 0 < value <= usage:
            raise SpecError(
                f"linux.resources.memory.{field}: rejecting {name} limit {value} <= usage {usage}"
            )


def explain(error: "SettingError", version: int) -> KernelError:
    """Put in words which limit could not be set, and why."""
    import errno

    controller, file, value, field, _ = error.setting
    message = f"set {field}: write {value!r} to {error.filename}: {(error.strerror or '').lower()}"
    hint = ""
    if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
        hint = (
            f"cgroup v{version} of this host has no {file} here: the {controller} controller"
            " is not enabled in the parent (processes there prevent it), or the kernel lacks it"
        )
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = f"the {controller} controller is not delegated to this user"
    elif error.errno == errno.EBUSY and controller == "memory":
        hint = "more than that is in use already"
    elif error.errno == errno.EINVAL and file.endswith(".limit_in_bytes"):
        hint = "memory.limit must not be above memory.swap, which counts both: set them together"
    return KernelError(message, hint)


def _device_rule(rule: "DeviceRule", index: int) -> "Rule":
    field = f"linux.resources.devices[{index}]"
    access = rule.get("access", "")
    access = "".join(letter for letter in "rwm" if letter in access)
    if not access:
        raise SpecError(f"{field}.access: must have one or more of r, w and m")
    kind = rule.get("type") or "a"
    if kind not in ("a", "b", "c"):
        raise SpecError(f"{field}.type: must be a, b or c")
    return rule["allow"], kind, rule.get("major", ANY), rule.get("minor", ANY), access
