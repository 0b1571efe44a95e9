"""The etcd, API server, controller manager and scheduler on node 0."""

from pathlib import Path

from reme_cluster.files import write_json
from reme_cluster.host.layout import API_PORT, Layout
from reme_cluster.host.processes import Component

_ETCD = "https://127.0.0.1:2379"


class ControlPlane:
    """Makes the components of the control plane."""

    def __init__(self, layout: Layout, programs: dict[str, Path], holder: int | None) -> None:
        self._layout = layout
        self._programs = programs
        self._holder = holder

    def _component(self, name: str, *arguments: str) -> Component:
        node = self._layout.nodes[0]
        return Component(
            name=name,
            node=node.name,
            argv=(str(self._programs[name]), *arguments),
            cgroup=f"{node.cgroup}/system/{name}",
            record=node.dir / "pids" / f"{name}.json",
            log=self._layout.logs / node.name / f"{name}.log",
            namespaces_of=self._holder,
        )

    def etcd(self) -> Component:
        """Return etcd, which does not wait for the disk: a power cut may destroy the cluster."""
        pki = self._layout.pki / "etcd"
        return self._component(
            "etcd",
            f"--data-dir={self._layout.nodes[0].dir / 'etcd'}",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=4294967296",
            "--auto-compaction-retention=5m",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            f"--cert-file={pki / 'server.crt'}",
            f"--key-file={pki / 'server.key'}",
            f"--trusted-ca-file={pki / 'ca.crt'}",
            "--client-cert-auth",
            "--listen-peer-urls=https://127.0.0.1:2380",
            "--initial-advertise-peer-urls=https://127.0.0.1:2380",
            "--initial-cluster=default=https://127.0.0.1:2380",
            f"--peer-cert-file={pki / 'peer.crt'}",
            f"--peer-key-file={pki / 'peer.key'}",
            f"--peer-trusted-ca-file={pki / 'ca.crt'}",
            "--peer-client-cert-auth",
        )

    def api_server(self) -> Component:
        """Return the API server, with an audit log if the layout has one."""
        layout, pki = self._layout, self._layout.pki
        audit: tuple[str, ...] = ()
        if layout.audit_log:
            policy = pki / "audit-policy.yaml"
            rules = [
                {"level": "None", "verbs": ["get", "list", "watch"]},
                {"level": "None", "resources": [{"group": "coordination.k8s.io"}]},
                {"level": "Metadata", "omitStages": ["RequestReceived"]},
            ]
            write_json(policy, {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules})
            log = layout.logs / layout.nodes[0].name / "audit.log"
            audit = (f"--audit-policy-file={policy}", f"--audit-log-path={log}")
            audit += ("--audit-log-maxsize=64", "--audit-log-maxbackup=2")
        return self._component(
            "kube-apiserver",
            f"--advertise-address={layout.nodes[0].address}",
            f"--secure-port={API_PORT}",
            f"--etcd-servers={_ETCD}",
            f"--etcd-cafile={pki / 'etcd/ca.crt'}",
            f"--etcd-certfile={pki / 'apiserver-etcd-client.crt'}",
            f"--etcd-keyfile={pki / 'apiserver-etcd-client.key'}",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--tls-cert-file={pki / 'apiserver.crt'}",
            f"--tls-private-key-file={pki / 'apiserver.key'}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki / 'sa.pub'}",
            f"--service-account-signing-key-file={pki / 'sa.key'}",
            f"--service-cluster-ip-range={layout.network.services}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
            f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
            f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
            f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            *audit,
        )

    def controller_manager(self) -> Component:
        """Return the controller manager, which needs an API server that has set up its roles."""
        layout, pki = self._layout, self._layout.pki
        return self._component(
            "kube-controller-manager",
            *_access(pki / "controller-manager.conf"),
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--service-account-private-key-file={pki / 'sa.key'}",
            f"--cluster-signing-cert-file={pki / 'ca.crt'}",
            f"--cluster-signing-key-file={pki / 'ca.key'}",
            f"--service-cluster-ip-range={layout.network.services}",
            "--use-service-account-credentials",
            # With the default of 20 its forty controllers take five seconds to start.
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            "--leader-elect=false",
        )

    def scheduler(self) -> Component:
        """Return the scheduler."""
        return self._component(
            "kube-scheduler", *_access(self._layout.pki / "scheduler.conf"), "--leader-elect=false"
        )


def _access(kubeconfig: Path) -> tuple[str, str, str]:
    return (
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
    )
