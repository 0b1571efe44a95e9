"""Loads images into the containerd of every node, except those that it has."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reme_cluster import image_archive, local_images, progress
from reme_cluster.files import read_json, write_json
from reme_cluster.host import containerd
from reme_cluster.host.layout import Layout, Node


def load(layout: Layout, images: Sequence[str]) -> None:
    """Import images into every node.

    Args:
        layout: the cluster.
        images: files (docker-archive or OCI archive), or names in buildah's or Docker's store.

    Raises:
        ClusterError: an image does not exist, or containerd refuses it.
    """
    for leftover in layout.state_dir.glob(".load-*"):  # of an interrupted load
        shutil.rmtree(leftover)
    for image in images:
        source = local_images.find(image)
        nodes = [n for n in layout.nodes if not _has_image(n, source.name, source.image_id)]
        if not nodes:
            progress.say(f"  = {image} is loaded already")
            continue
        with tempfile.TemporaryDirectory(dir=layout.state_dir, prefix=".load-") as scratch:
            with progress.step(f"save {image}"):
                archive = source.save(Path(scratch))
            for node in nodes:
                with progress.step(f"load {image} into {node.name}"):
                    import_archive(node, archive, source.name, source.image_id)


def import_archive(node: Node, archive: Path, key: str, image_id: str) -> None:
    """Import an archive and record its images.

    Raises:
        CommandError: containerd refused it.
    """
    before = _image_digests(node)
    output = containerd.ctr(node, "images", "import", archive, timeout_seconds=1800)
    after = _image_digests(node)
    names = [name for name in after if f"unpacking {name} " in output]
    names = names or [name for name in after if before.get(name) != after[name]]
    records = read_json(_records(node)) or {}
    records[key] = {"id": image_id, "names": {name: after[name] for name in names}}
    write_json(_records(node), records)


def _has_image(node: Node, key: str, image_id: str) -> bool:
    """Return whether the image was recorded with this id and is still in containerd."""
    record = (read_json(_records(node)) or {}).get(key)
    if not record or record["id"] != image_id:
        return False
    digests = _image_digests(node)
    return all(digests.get(name) == digest for name, digest in record["names"].items())


def ensure_program_image(node: Node, name: str, program: Path) -> None:
    """Make an image of one static program and import it, unless the node has it."""
    record = (read_json(_records(node)) or {}).get(name)
    built_from = str(program)
    if record and record.get("built_from") == built_from and _has_image(node, name, record["id"]):
        return
    # Stored next to the program for other clusters.
    archive = program.with_name(f"{program.name}-image.tar")
    if not archive.exists():
        image_archive.write_image(
            archive, name=name, files={program.name: program}, entrypoint=[f"/{program.name}"]
        )
    import_archive(node, archive, name, image_archive.image_id(archive) or "")
    records = read_json(_records(node))
    records[name]["built_from"] = built_from
    write_json(_records(node), records)


def _image_digests(node: Node) -> dict[str, str]:
    """Return the digest of each image name in a node's containerd."""
    lines = containerd.ctr(node, "images", "list").splitlines()[1:]
    return {words[0]: words[2] for words in map(str.split, lines) if len(words) > 2}


def _records(node: Node) -> Path:
    return node.dir / "images.json"
