"""The node's own link and address, the routes and packet rules of the cluster, and their removal.

Everything is marked as ours: two links' names and alias, a comment on each rule, chains that only kube-proxy and the
kubelet make. Nothing else of the machine's network is touched.
"""

import dataclasses
import json
import pathlib
import re

from localcluster import errors, paths, shell

LINK = "ferry-node"
NODE = "10.87.0.1"
PODS = "10.87.1.0/24"
POD_GATEWAY = "10.87.1.1"  # what the host's end of every pod's link is called
SERVICES = "10.87.128.0/17"
ALL = "10.87.0.0/16"
GATEWAY_PORT = 30080
COMMENT = "ferryman-local-cluster"
FORWARDING = pathlib.Path("/proc/sys/net/ipv4/ip_forward")


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One iptables rule that the cluster needs."""

    table: str
    chain: str
    match: tuple[str, ...]

    def argv(self, verb: str) -> tuple[str, ...]:
        """The command that checks (-C), inserts (-I) or deletes (-D) it."""
        mark = ("-m", "comment", "--comment", COMMENT)
        return ("iptables", "-w", "-t", self.table, verb, self.chain, *self.match[:-2], *mark, *self.match[-2:])


RULES = (
    Rule("nat", "POSTROUTING", ("-s", PODS, "!", "-d", ALL, "-j", "MASQUERADE")),
    Rule("filter", "FORWARD", ("-s", PODS, "-j", "ACCEPT")),
    Rule("filter", "FORWARD", ("-d", PODS, "-j", "ACCEPT")),
    # The gateway has to listen on every address; only this machine and its pods may come in.
    Rule("filter", "INPUT", ("-p", "tcp", "--dport", str(GATEWAY_PORT), "-j", "DROP")),
    Rule("filter", "INPUT", ("-p", "tcp", "--dport", str(GATEWAY_PORT), "-s", ALL, "-j", "ACCEPT")),
    Rule("filter", "INPUT", ("-p", "tcp", "--dport", str(GATEWAY_PORT), "-i", "lo", "-j", "ACCEPT")),
)


def up() -> None:
    """Link, address, routes, forwarding and rules; what is there already stays."""
    refuse_other_owner()
    if not owner_of_link():
        _refuse_strangers()
        shell.attempt("ip", "link", "add", LINK, "type", "bridge")
        shell.run("ip", "link", "set", LINK, "alias", str(paths.state()))
    shell.run("ip", "address", "replace", f"{NODE}/32", "dev", LINK)
    shell.run("ip", "link", "set", LINK, "up")
    # A service address that kube-proxy does not know (yet) must not leave the machine.
    shell.run("ip", "route", "replace", SERVICES, "dev", LINK)
    before = paths.state() / "ip_forward"
    if not before.exists():
        before.write_text(FORWARDING.read_text())
    FORWARDING.write_text("1")
    for rule in RULES:
        if shell.attempt(*rule.argv("-C")).returncode:
            shell.run(*rule.argv("-I"))


def down() -> None:
    """Take back all that up() and the node's components added."""
    if owner_of_link() == str(paths.state()):
        for rule in RULES:
            while shell.attempt(*rule.argv("-D")).returncode == 0:
                pass
        for family in ("iptables", "ip6tables"):
            drop_kubernetes_chains(family)
        for link in pod_links(shell.attempt("ip", "-json", "-4", "address").stdout):
            shell.attempt("ip", "link", "delete", link)
        shell.attempt("ip", "link", "delete", LINK)
    before = paths.state() / "ip_forward"
    if before.exists():
        FORWARDING.write_text(before.read_text())
        before.unlink()


def pod_links(shown: str) -> list[str]:
    """The host's ends of pods' links, from `ip -json address`: a pod's namespace may outlive its processes."""
    return [
        link["ifname"]
        for link in json.loads(shown or "[]")
        if link["ifname"].startswith("veth")
        and any(address.get("local") == POD_GATEWAY for address in link.get("addr_info", ()))
    ]


def refuse_other_owner() -> None:
    """One machine has room for one cluster from source."""
    owner = owner_of_link()
    if owner and owner != str(paths.state()):
        raise errors.ClusterError(
            f"the link {LINK} belongs to the cluster in {owner}; its own user's make cluster-down ends it"
        )


def owner_of_link() -> str:
    """The folder of the cluster that the node's link belongs to; empty where there is no link."""
    shown = shell.attempt("ip", "-json", "link", "show", "dev", LINK)
    return str(json.loads(shown.stdout)[0].get("ifalias", "")) if shown.returncode == 0 else ""


def drop_kubernetes_chains(family: str) -> None:
    """Delete the chains that kube-proxy and the kubelet made, and the jumps into them, in one go a table."""
    saved = shell.attempt(f"{family}-save")
    if saved.returncode == 0 and (script := without_kubernetes(saved.stdout)):
        shell.run(f"{family}-restore", "-w", "--noflush", stdin=script)


def without_kubernetes(saved: str) -> str:
    """The iptables-restore script that removes every KUBE- chain of a dump; empty where it has none."""
    script: list[str] = []
    for table in re.findall(r"^\*\w+\n.*?^COMMIT$", saved, re.MULTILINE | re.DOTALL):
        lines = table.splitlines()
        chains = [line[1:].split()[0] for line in lines if line.startswith(":KUBE-")]
        if not chains:
            continue
        jumps = [line for line in lines if re.match(r"-A (?!KUBE-)", line) and re.search(r"-[jg] KUBE-", line)]
        script += [lines[0], *(f":{chain} - [0:0]" for chain in chains)]  # --noflush: naming a chain empties it
        script += [f"-D{jump[2:]}" for jump in jumps]
        script += [*(f"-X {chain}" for chain in chains), "COMMIT"]
    return "\n".join(script) + "\n" if script else ""


def _refuse_strangers() -> None:
    if "KUBE-SERVICES" in shell.attempt("iptables-save", "-t", "nat").stdout:
        raise errors.ClusterError(
            "another Kubernetes node runs on this machine (iptables has KUBE-SERVICES);"
            " use CLUSTER=kind, or a machine without one"
        )
    for line in shell.attempt("ip", "-o", "-4", "address").stdout.splitlines():
        if " 10.87." in line:
            raise errors.ClusterError(f"this machine's network uses 10.87.0.0/16, which the cluster needs: {line}")
