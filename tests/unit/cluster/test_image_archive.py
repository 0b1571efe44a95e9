import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from reme_cluster import image_archive


def write(directory: Path, name: str = "a.tar") -> tuple[Path, str]:
    program = directory / "program"
    program.write_bytes(b"\x7fELF")
    archive = directory / name
    identity = image_archive.write_image(
        archive,
        name="localhost/demo:1",
        files={"bin/deep/program": program},
        entrypoint=["/bin/deep/program"],
    )
    return archive, identity


def test_the_archive_is_an_image(tmp_path: Path) -> None:
    archive, identity = write(tmp_path)

    with tarfile.open(archive) as outer:

        def read(name: str) -> bytes:
            stream = outer.extractfile(name)
            assert stream
            return stream.read()

        (manifest,) = json.loads(read("manifest.json"))
        config = read(manifest["Config"])
        layer = read(manifest["Layers"][0])
    assert manifest["RepoTags"] == ["localhost/demo:1"]
    assert identity == f"sha256:{hashlib.sha256(config).hexdigest()}"
    digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    assert json.loads(config)["rootfs"]["diff_ids"] == [digest]
    assert json.loads(config)["config"]["Entrypoint"] == ["/bin/deep/program"]


def test_the_layer_holds_the_file_and_its_parents(tmp_path: Path) -> None:
    archive, _ = write(tmp_path)
    with tarfile.open(archive) as outer:
        (name,) = [entry for entry in outer.getnames() if entry.endswith("layer.tar")]
        with tarfile.open(fileobj=outer.extractfile(name)) as layer:
            entries = {entry.name: entry for entry in layer}

    assert list(entries) == ["bin", "bin/deep", "bin/deep/program"]
    assert entries["bin"].isdir()
    assert entries["bin/deep/program"].mode == 0o755


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first, one = write(tmp_path, "first.tar")
    second, two = write(tmp_path, "second.tar")

    assert one == two
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "first.tar",
        "program",
        "second.tar",
    ]


def test_the_id_is_read_from_an_archive(tmp_path: Path) -> None:
    archive, identity = write(tmp_path)

    assert image_archive.image_id(archive) == identity


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_other_files_have_no_id(tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other"
    other.write_bytes(content)

    assert image_archive.image_id(other) is None


def test_the_id_of_an_oci_archive_is_the_digest_of_its_manifest(tmp_path: Path) -> None:
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"manifests": [{"digest": "sha256:abc"}]}))
    archive = tmp_path / "oci.tar"
    with tarfile.open(archive, "w") as output:
        output.add(index, "index.json")

    assert image_archive.image_id(archive) == "sha256:abc"
