"""certs/examples: YAML that hangs together, and a fence that holds."""

import shutil
import socket
import subprocess

import pytest
import yaml

from support.leash import ROOT
from support.sandbox import Sandbox, needs_root
from support.world import World

EXAMPLES = ROOT / "certs" / "examples"
KUBERNETES = ["kubernetes.yaml", "kubernetes-sidecar.yaml"]


def documents(name):
    return [each for each in yaml.safe_load_all((EXAMPLES / name).read_text()) if each]


def pods(name):
    """(labels, spec) of each pod that the file makes."""
    for each in documents(name):
        if each["kind"] == "Pod":
            yield each["metadata"]["labels"], each["spec"]
        if each["kind"] == "Deployment":
            assert each["spec"]["selector"]["matchLabels"].items() <= each["spec"]["template"]["metadata"]["labels"].items()
            yield each["spec"]["template"]["metadata"]["labels"], each["spec"]["template"]["spec"]


@pytest.mark.parametrize("name", KUBERNETES)
def test_kubernetes_example_hangs_together(name):
    known = {(each["kind"], each["metadata"]["name"]) for file in KUBERNETES for each in documents(file)}
    for each in documents(name):
        assert {"apiVersion", "kind", "metadata"} <= set(each)
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "agents"
    for labels, spec in pods(name):
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in known
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in known
        for container in spec.get("initContainers", []) + spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes), container["name"]
            confined = container["securityContext"]
            assert confined["capabilities"]["drop"] == ["ALL"] and confined["allowPrivilegeEscalation"] is False
        # Each pod is under a policy, and what may leave is written down.
        selected = [policy["spec"] for policy in documents(name) if policy["kind"] == "NetworkPolicy"
                    and policy["spec"]["podSelector"].get("matchLabels", {}).items() <= labels.items()]
        assert any("Egress" in policy["policyTypes"] for policy in selected)


def test_kubernetes_agent_reaches_leash_and_nothing_else():
    [policy] = [each["spec"] for each in documents("kubernetes.yaml") if each["metadata"]["name"] == "agent-to-leash"]
    assert policy["egress"] == [{"to": [{"podSelector": {"matchLabels": {"app": "leash"}}}], "ports": [{"protocol": "TCP", "port": 8080}]}]


def test_cloud_init_example_is_yaml_with_a_certificate():
    text = (EXAMPLES / "cloud-init.yaml").read_text()
    assert text.startswith("#cloud-config\n")
    made = yaml.safe_load(text)
    assert "BEGIN CERTIFICATE" in made["ca_certs"]["trusted"][0]
    names = dict(line.split("=", 1) for line in made["write_files"][0]["content"].splitlines())
    known = dict(line.split("=", 1) for line in (ROOT / "certs" / "leash.env").read_text().splitlines() if line[:1] not in ("#", ""))
    assert names.items() <= known.items()


def test_shell_scripts_are_posix():
    if shutil.which("dash") is None:
        pytest.skip("dash is not here")
    for script in [*ROOT.glob("certs/*.sh"), *EXAMPLES.glob("*.sh")]:
        subprocess.run(["dash", "-n", str(script)], check=True)


@needs_root
@pytest.mark.skipif(shutil.which("nft") is None, reason="nftables is not here")
def test_the_fence_of_the_sidecar_lets_leash_out_and_nobody_else():
    rules = next(each for each in documents("kubernetes-sidecar.yaml") if each["metadata"]["name"] == "leash-fence")["data"]["fence.nft"]
    pod, outside = Sandbox(network=True), Sandbox(network=True)
    try:
        pod.check("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(outside.keeper.pid))
        for box, last in ((pod, 1), (outside, 2)):
            box.check("ip", "address", "add", f"10.201.0.{last}/24", "dev", "eth0")
            box.check("ip", "address", "add", f"2001:db8:1::{last}/64", "dev", "eth0", "nodad")
            box.check("ip", "link", "set", "eth0", "up")

        def listen():
            return [socket.create_server(("10.201.0.2", 443)), socket.create_server(("2001:db8:1::2", 443), family=socket.AF_INET6)]

        listeners = outside.thread(listen) + pod.thread(lambda: [socket.create_server(("127.0.0.1", port)) for port in (8080, 8081)])
        file = pod.directory / "fence.nft"
        file.write_text(rules)
        pod.check("nft", "-f", str(file))
        connect = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))"

        def reaches(user, address, port, seconds=0.5):
            return pod.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "/usr/bin/python3", "-c", connect, address,
                            port, seconds]).returncode == 0

        assert reaches(10001, "10.201.0.2", 443, 20) and reaches(10001, "2001:db8:1::2", 443, 20)
        for user in (10002, 0):
            assert not reaches(user, "10.201.0.2", 443) and not reaches(user, "2001:db8:1::2", 443)
            assert reaches(user, "127.0.0.1", 8080, 20) and not reaches(user, "127.0.0.1", 8081)
        for each in listeners:
            each.close()
    finally:
        pod.close()
        outside.close()


def link_config_map(directory, name, files):
    """As Kubernetes mounts a ConfigMap: links to a folder, which a rename of one link changes for all files at once."""
    folder = directory / name
    folder.mkdir()
    for file, text in files.items():
        (folder / file).write_text(text)
        if not (directory / file).is_symlink():
            (directory / file).unlink(missing_ok=True)
            (directory / file).symlink_to(f"..data/{file}")
    (directory / "..data_tmp").symlink_to(name)
    (directory / "..data_tmp").rename(directory / "..data")


def test_policy_in_a_config_map_counts_and_so_does_its_change(make_leash, pki):
    world = World(pki)
    leash = make_leash(starts=False, hosts=world.hosts)
    allow = yaml.safe_dump({"allow": world.allow})
    files = {"mode": "enforce\n", "enforce.yaml": allow, "blocklist.yaml": "block: []\n"}
    link_config_map(leash.policy, "..one", files)
    leash.start()

    def status():
        with leash.connect() as conn:
            return conn.get(f"http://{world.plain_authority}/", world.plain_authority).status

    assert status() == 200
    link_config_map(leash.policy, "..two", dict(files, **{"enforce.yaml": "allow: []\n"}))
    assert status() == 403
    world.close()
