"""A real etcd, kube-apiserver and kube-controller-manager on free loopback ports, for the api tests.

Independent of the whole cluster and able to run beside it or beside others of its kind.
"""

import contextlib
import pathlib
import random
import shutil
import socket
import types
from typing import Self

from localcluster import errors, plane, process

LASTING_PORTS = (10000, 30000)


class ControlPlane:
    """One control plane in one folder, from start() to stop(), or as a context manager.

    Its API is whole (RBAC, admission, garbage collection, autoscaler and deployment controllers);
    no scheduler and no kubelet run, so that pods stay pending and a test plays their part.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        apiserver_args: tuple[str, ...] = (),
        controller_manager_args: tuple[str, ...] = (),
        *,
        apiserver_gogc: int = 60,
        audited: tuple[str, ...] = (),
        keep: bool = False,
    ) -> None:
        self.directory = directory.resolve()
        self._keep = keep
        port, etcd_port, etcd_peer_port = free_ports(3)
        self._plan = plane.Plan(
            directory=self.directory,
            address="127.0.0.1",
            port=port,
            etcd_port=etcd_port,
            etcd_peer_port=etcd_peer_port,
            service_range="10.86.0.0/24",
            apiserver_args=("--endpoint-reconciler-type=none", *apiserver_args),  # 127.0.0.1 is no endpoint
            controller_manager_args=controller_manager_args,
            apiserver_gogc=apiserver_gogc,
            audited=audited,
        )

    @property
    def url(self) -> str:
        """Where the apiserver is reached."""
        return self._plan.url

    @property
    def kubeconfig(self) -> pathlib.Path:
        """A cluster administrator's kubeconfig."""
        return self._plan.kubeconfig

    @property
    def audit_log(self) -> pathlib.Path:
        """What the audited users asked, a JSON object a line."""
        return self._plan.audit_log

    @property
    def logs(self) -> pathlib.Path:
        """One log file a component."""
        return self.directory / "logs"

    def start(self) -> Self:
        """Bring up what does not run yet; returns when the API and the controllers serve."""
        plane.prepare(self._plan)
        for make in (plane.etcd, plane.apiserver, plane.controller_manager):
            self._ensure(make(self._plan))
        return self

    def kubeconfig_of(self, user: str, groups: tuple[str, ...] = ()) -> pathlib.Path:
        """A kubeconfig of any user, for tests of RBAC."""
        return self._plan.kubeconfig_of(user.replace(":", "-"), user, groups)

    def stop_component(self, name: str) -> None:
        """End one component (`kube-apiserver`, ...), as a fault; start() brings it back on its port."""
        process.end([r.pid for r in process.running(self.directory) if r.name == name], grace=0)

    def stop(self) -> None:
        """End all of it and delete the folder, unless it is to be kept."""
        # The store goes last: an apiserver that lost it would take its time to end.
        for names in ({"kube-controller-manager"}, {"kube-apiserver"}, {"etcd"}):
            process.end([r.pid for r in process.running(self.directory) if r.name in names], grace=2.0)
        if not self._keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.stop()

    def _ensure(self, daemon: process.Daemon) -> None:
        process.ensure(daemon, self.directory, self.logs / f"{daemon.name}.log")


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on, and that stay free between two lives of a server.

    They lie below those that the kernel lends to clients, and below Kubernetes' node ports: a port that was merely
    free may be some connection's own end when the server begins anew.
    """
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        for port in random.SystemRandom().sample(range(*LASTING_PORTS), 1000):
            one = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                ports.append(port)
            if len(ports) == count:
                return ports
    raise errors.ClusterError(f"not {count} of the ports from {LASTING_PORTS[0]} to {LASTING_PORTS[1] - 1} are free")
