"""Polls the kill switch, and reads it again before a write."""

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
"""Two polls and a slow answer fit into two seconds."""


class KillSwitch:
    """The last state that was read."""

    def __init__(self, cluster: Cluster | None, namespace: str = "", name: str = "") -> None:
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._subscribers: list[Callable[[KillSwitchState], object]] = []
        self.state = OFF

    def subscribe(self, on_change: Callable[[KillSwitchState], object]) -> None:
        """Call `on_change` with every new state."""
        self._subscribers.append(on_change)

    async def refresh(self) -> KillSwitchState:
        """Read the switch from the API server and return its state.

        Raises:
            ClusterError: it could not be read; the switch must not be assumed to be off.

        """
        if self._cluster is None:
            return OFF
        try:
            config_map = await self._cluster.get(CONFIG_MAPS, self._namespace, self._name)
        except NotFoundError:
            config_map = None
        self._set(parse_kill_switch(config_map))
        return self.state

    def _set(self, state: KillSwitchState) -> None:
        if state == self.state:
            return
        self.state = state
        _log.warning("kill_switch_changed", on=state.on, in_flight=state.in_flight)
        for on_change in self._subscribers:
            on_change(state)


async def watch_kill_switch(switch: KillSwitch, clock: Clock) -> None:
    """Poll the switch forever; while it cannot be read, the last state holds."""
    while True:
        try:
            await switch.refresh()
        except ClusterError as error:
            _log.info("kill_switch_unreadable", error=one_line(error))
        except Exception:  # noqa: BLE001 - a poll must not be the last one
            _log.exception("kill_switch_poll_failed")
        await clock.sleep(POLL_SECONDS)
