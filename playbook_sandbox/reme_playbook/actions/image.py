"""SetImage: sets the image of a container to an earlier one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from reme_api.actions import ActionName
from reme_api.policy import ActionRule
from reme_playbook.actions.base import Draft, PatchPart, Shorten
from reme_playbook.actions.container import ContainerAction
from reme_playbook.actions.string_types import Image
from reme_playbook.errors import RejectedPlaybookError, RejectionRule
from reme_playbook.snapshot import earlier_values
from reme_playbook.snapshot.field_path import FieldValue, Path, Write, container_path
from reme_playbook.snapshot.snapshot import ClusterSnapshot
from reme_playbook.snapshot.views import ContainerView

MAX_EARLIER = 3


class SetImage(ContainerAction):
    """Sets the image of one container."""

    NAME = ActionName.SET_IMAGE
    BOUNDS = "an image that the container had in an earlier revision"
    RESTORES = "the earlier value"
    EXAMPLE: ClassVar[Draft] = {"container": "server", "image": "registry.example/cart:1"}

    action: Literal["SetImage"] = "SetImage"
    image: Image

    def summary(self) -> str:
        return f"Set the image of container {self.container} of {self.target}"

    def writes(self, run_id: str = "now") -> tuple[Write, ...]:
        return (Write(container_path(self.container, "image"), self.image),)

    @classmethod
    def from_container_patch(cls, path: Path, value: Any) -> PatchPart | None:
        return PatchPart(path, {"image": value}) if path == ("image",) else None

    def choice(self, shorten: Shorten) -> tuple[str, str]:
        return f"set image of {self.container} to", shorten(self.image, 100)

    def field_names(self) -> tuple[str, ...]:
        return ("image",)

    def check_container(
        self, rules: Sequence[ActionRule], snapshot: ClusterSnapshot, container: ContainerView
    ) -> None:
        """Reject an image that the container never had before."""
        if self.image == container.image:
            raise RejectedPlaybookError(
                RejectionRule.NO_CHANGE, f"container {container.name} already has this image"
            )
        if self.image not in earlier_values.images(snapshot, container.name):
            raise RejectedPlaybookError(
                RejectionRule.UNKNOWN_VALUE,
                f"container {container.name} had this image {earlier_values.in_none(snapshot)}",
            )

    @classmethod
    def candidates(cls, snapshot: ClusterSnapshot) -> Iterable[Draft]:
        """Yield the earlier images of each container."""
        for container in snapshot.containers:
            for image in earlier_values.images(snapshot, container.name)[:MAX_EARLIER]:
                yield {"action": "SetImage", "container": container.name, "image": image}

    def inverse(self, before: Mapping[Path, FieldValue]) -> Sequence[Draft]:
        (image,) = before.values()
        return ({"action": "SetImage", "container": self.container, "image": image},)
