"""Keeps an eye on the kill switch, and asks it afresh before anything is written."""

from collections.abc import Callable

import structlog

from reme_kube.clock import Clock
from reme_kube.errors import ClusterError, NotFoundError
from reme_kube.protocols import Cluster
from reme_kube.resources import CONFIG_MAPS
from reme_operator.errors import one_line
from reme_operator.kill_switch.state import OFF, KillSwitchState, parse_kill_switch

_log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
"""Between two looks at it: two of them and a slow answer still fit into two seconds."""


class KillSwitch:
    """The switch as it was last seen."""

    def __init__(self, cluster: Cluster | None, namespace: str = "", name: str = "") -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._watchers: list[Callable[[KillSwitchState], object]] = []
        self.state = OFF

    def watch(self, changed: Callable[[KillSwitchState], object]) -> None:
        """Have that called with every new state."""
        self._watchers.append(changed)

    async def refresh(self) -> KillSwitchState:
        """Ask the API server and return what it says now.

        Raises:
            ClusterError: it could not be asked. Then nobody may assume that the switch is off.

        """
        if self._cluster is None:
            return OFF
        try:
            found = await self._cluster.get(CONFIG_MAPS, self._namespace, self._name)
        except NotFoundError:
            found = None
        self._note(parse_kill_switch(found))
        return self.state

    def _note(self, state: KillSwitchState) -> None:
        if state == self.state:
            return
        self.state = state
        _log.warning("switch.changed", on=state.on, in_flight=state.in_flight)
        for changed in self._watchers:
            changed(state)


async def watch_kill_switch(switch: KillSwitch, clock: Clock) -> None:
    """Look at the switch for ever; while it cannot be read, what was seen last holds."""
    while True:
        try:
            await switch.refresh()
        except ClusterError as error:
            _log.info("switch.unreadable", error=one_line(error))
        except Exception:  # noqa: BLE001 - the next look may be better
            _log.exception("switch.failed")
        await clock.sleep(POLL_SECONDS)
