# SPDX-License-Identifier: Apache-2.0
"""The process of an exec: the container's own with changes, or that of a file.

What a file leaves out comes from the container's config, field by field as runc has
it: a process without limits or labels of its own is not to have more rights than
the container.  Not so `noNewPrivileges`, where false is a word too.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ocirun.engine.exec import Request
    from ocirun.spec.model import Process, Spec


def of(request: "Request", spec: "Spec") -> "Process":
    """Give the process that is asked for; `spec` is the container's config."""
    if request.process_file:
        from ocirun.engine import bundle
        from ocirun.spec import load, validate

        data = bundle.read_file(request.process_file)
        process = validate.validate_process(load.parse(data, request.process_file))
        _inherit(process, spec["process"])
        return process
    process = spec["process"]
    process["args"] = request.args
    process["terminal"] = request.terminal
    process["env"] = process.get("env", []) + request.env
    if request.cwd:
        process["cwd"] = request.cwd
    if request.apparmor_profile:
        process["apparmorProfile"] = request.apparmor_profile
    if request.selinux_label:
        process["selinuxLabel"] = request.selinux_label
    if request.no_new_privileges is not None:
        process["noNewPrivileges"] = request.no_new_privileges
    _change_user(request, process)
    _add_capabilities(request.capabilities, process)
    return process


def _inherit(process: "Process", own: "Process") -> None:
    """Fill in what the file leaves out, or leaves empty."""
    process["apparmorProfile"] = process.get("apparmorProfile") or own.get("apparmorProfile", "")
    process["selinuxLabel"] = process.get("selinuxLabel") or own.get("selinuxLabel", "")
    process["rlimits"] = process.get("rlimits") or own.get("rlimits", [])
    if "capabilities" not in process and "capabilities" in own:
        process["capabilities"] = own["capabilities"]
    if "scheduler" not in process and "scheduler" in own:
        process["scheduler"] = own["scheduler"]
    if "ioPriority" not in process and "ioPriority" in own:
        process["ioPriority"] = own["ioPriority"]
    if "oomScoreAdj" not in process and "oomScoreAdj" in own:
        process["oomScoreAdj"] = own["oomScoreAdj"]
    if not any(process.get("execCPUAffinity", {}).values()):
        process["execCPUAffinity"] = own.get("execCPUAffinity", {})
    user, own_user = process.setdefault("user", {}), own.get("user", {})
    if "umask" not in user and "umask" in own_user:
        user["umask"] = own_user["umask"]


def _change_user(request: "Request", process: "Process") -> None:
    user = process.setdefault("user", {})
    if request.uid is not None:
        user["uid"] = request.uid
    if request.gid is not None:
        user["gid"] = request.gid
    if request.additional_gids:
        user["additionalGids"] = user.get("additionalGids", []) + request.additional_gids


def _add_capabilities(names: list[str], process: "Process") -> None:
    if not names:
        return
    sets = process.setdefault("capabilities", {})
    sets["bounding"] = sets.get("bounding", []) + names
    sets["effective"] = sets.get("effective", []) + names
    sets["permitted"] = sets.get("permitted", []) + names
    # Never inheritable: CVE-2022-29162.  Ambient ones need to be that, and so are only
    # added to a container that has some.
    if sets.get("inheritable"):
        sets["ambient"] = sets.get("ambient", []) + names
