"""The control plane's daemons and how they are started, for the whole cluster and for the api tests alike."""

import dataclasses
import json
import pathlib

from localcluster import access, binaries, pki, process, templates

ADMIN = "ferryman-admin"
MASTERS = ("system:masters",)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Addresses and folders of one control plane."""

    directory: pathlib.Path
    address: str
    port: int
    etcd_port: int
    etcd_peer_port: int
    service_range: str
    names: tuple[str, ...] = ()  # more addresses that the apiserver's certificate is good for
    apiserver_args: tuple[str, ...] = ()
    controller_manager_args: tuple[str, ...] = ()
    apiserver_gogc: int = 60  # small, for it shares the machine with all else
    audited: tuple[str, ...] = ()  # the users whose requests the apiserver writes down, without their bodies

    @property
    def url(self) -> str:
        """Where the apiserver is reached."""
        return f"https://{self.address}:{self.port}"

    @property
    def certificates(self) -> pathlib.Path:
        """The folder of keys and certificates."""
        return self.directory / "pki"

    @property
    def kubeconfig(self) -> pathlib.Path:
        """The administrator's way in."""
        return self.directory / "kubeconfig"

    @property
    def audit_log(self) -> pathlib.Path:
        """What the audited users asked of the apiserver, a JSON object a line; older files lie beside it."""
        return self.directory / "audit" / "requests.log"

    def authority(self) -> pki.Authority:
        """Who signs all of the plane's certificates."""
        return pki.Authority(self.certificates)

    def kubeconfig_of(self, component: str, user: str, groups: tuple[str, ...] = ()) -> pathlib.Path:
        """A component's own kubeconfig."""
        file = self.directory / "kubeconfigs" / f"{component}.kubeconfig"
        return access.write_kubeconfig(file, self.url, self.authority(), user, groups)


def prepare(plan: Plan) -> None:
    """Make the certificates and the administrator's kubeconfig."""
    access.write_kubeconfig(plan.kubeconfig, plan.url, plan.authority(), ADMIN, MASTERS)
    pki.key_pair(plan.certificates, "service-accounts")


def audit(plan: Plan) -> tuple[str, ...]:
    """Return what makes the apiserver write down what the audited users ask: a second late, at most 300 MB."""
    if not plan.audited:
        return ()
    policy = plan.directory / "config" / "audit-policy.yaml"
    templates.render("audit-policy.yaml", policy, users=json.dumps(plan.audited))
    return (
        f"--audit-policy-file={policy}",
        f"--audit-log-path={plan.audit_log}",
        "--audit-log-mode=batch",
        "--audit-log-batch-max-wait=1s",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=2",
    )


def etcd(plan: Plan) -> process.Daemon:
    """The store; nothing of a local cluster is worth waiting for a disk."""
    client, peer = f"http://127.0.0.1:{plan.etcd_port}", f"http://127.0.0.1:{plan.etcd_peer_port}"
    return process.Daemon(
        name="etcd",
        argv=(
            str(binaries.path("etcd")),
            "--name=ferryman",
            f"--data-dir={plan.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=ferryman={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ),
        ready=lambda: access.answers(f"{client}/health"),
    )


def apiserver(plan: Plan) -> process.Daemon:
    """The API, with RBAC, node authorization and the aggregation layer."""
    authority = plan.authority()
    front = pki.Authority(plan.certificates, "front-proxy-ca")
    first_service = plan.service_range.rsplit(".", 1)[0] + ".1"
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    hosts = (*names, "localhost", "127.0.0.1", plan.address, first_service, *plan.names)
    certificate, key = authority.issue("kube-apiserver", "kube-apiserver", hosts=dict.fromkeys(hosts))
    kubelet_certificate, kubelet_key = authority.issue("kubelet-client", "kube-apiserver-kubelet-client", MASTERS)
    proxy_certificate, proxy_key = front.issue("front-proxy-client", "front-proxy-client")
    public, private = pki.key_pair(plan.certificates, "service-accounts")
    client = access.Client(plan.kubeconfig)
    return process.Daemon(
        name="kube-apiserver",
        argv=(
            str(binaries.path("kube-apiserver")),
            f"--etcd-servers=http://127.0.0.1:{plan.etcd_port}",
            f"--bind-address={plan.address}",
            f"--advertise-address={plan.address}",
            f"--secure-port={plan.port}",
            f"--service-cluster-ip-range={plan.service_range}",
            "--service-node-port-range=31000-32767",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={authority.certificate}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--kubelet-certificate-authority={authority.certificate}",
            f"--kubelet-client-certificate={kubelet_certificate}",
            f"--kubelet-client-key={kubelet_key}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--enable-aggregator-routing=true",
            f"--requestheader-client-ca-file={front.certificate}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={proxy_certificate}",
            f"--proxy-client-key-file={proxy_key}",
            "--profiling=false",
            *audit(plan),
            *plan.apiserver_args,
        ),
        env={"GOGC": str(plan.apiserver_gogc)},
        ready=lambda: client.status("/readyz") == 200,
    )


def controller_manager(plan: Plan) -> process.Daemon:
    """The controllers, each with its own service account; autoscaling looks every five seconds."""
    _, private = pki.key_pair(plan.certificates, "service-accounts")
    authority = plan.authority()
    config = plan.kubeconfig_of("kube-controller-manager", "system:kube-controller-manager")
    client = access.Client(plan.kubeconfig)
    return process.Daemon(
        name="kube-controller-manager",
        argv=(
            str(binaries.path("kube-controller-manager")),
            f"--kubeconfig={config}",
            "--leader-elect=false",
            "--secure-port=0",
            "--use-service-account-credentials=true",
            f"--service-account-private-key-file={private}",
            f"--root-ca-file={authority.certificate}",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            "--horizontal-pod-autoscaler-sync-period=5s",
            "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
            # there is one node, and it lives: a late heartbeat on a busy machine, or while the apiserver was away,
            # would take the addresses of all pods out of every Service
            "--node-monitor-grace-period=5m",
            "--profiling=false",
            *plan.controller_manager_args,
        ),
        ready=lambda: client.status("/api/v1/namespaces/default/serviceaccounts/default") == 200,
    )
