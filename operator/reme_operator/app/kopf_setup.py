"""Settings and handlers of kopf: what it watches and writes, and how it notices a dead watch."""

import logging
from collections.abc import Iterable
from typing import Any

import kopf

from reme_operator.handlers import remediations, reports
from reme_operator.handlers.context import OperatorContext
from reme_operator.names import FINALIZER

SERVER_TIMEOUT_SECONDS = 240
"""The API server ends every watch after this time, so that none stays dead unnoticed for longer."""

INACTIVITY_SECONDS = 75
"""A watch without a single bookmark for so long is dead: the server sends one every minute."""


class NoDiffStorage(kopf.DiffBaseStorage):
    """Keeps kopf from writing the last seen state into annotations: no handler works on diffs."""

    def build(
        self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None
    ) -> kopf.BodyEssence:
        """Return the essence of the object as it is."""
        return super().build(body=body, extra_fields=extra_fields)

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Return the same essence, so that there never is a difference."""
        return self.build(body=body)

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


def kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings."""
    # Two lines per event that say that a handler was called: our own logs say what it did.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = FINALIZER
    settings.persistence.diffbase_storage = NoDiffStorage()
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(
        v1=False, prefix="reme.dev"
    )
    settings.posting.enabled = False  # the reconciler posts the Events, each with its reason
    settings.peering.standalone = True  # the lease decides which process acts
    settings.scanning.disabled = True  # needs no permission to list CRDs or namespaces
    settings.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    settings.watching.client_timeout = SERVER_TIMEOUT_SECONDS + 30
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = INACTIVITY_SECONDS
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = (0.2, 0.5, 1, 2, 5)
    settings.background.instant_exit_timeout = 5.0
    settings.background.cancellation_polling = 1.0
    settings.queueing.exit_timeout = 1.0  # an idle worker waits for the whole of it
    return settings


def login(settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo | None:
    """Return how kopf logs in: as the pod's service account, or with a kubeconfig."""
    return kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(
        settings=settings
    )


def build_registry(context: OperatorContext, *, log_in: Any = login) -> kopf.OperatorRegistry:
    """Return a registry with every handler, each bound to this context."""
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(log_in)
    reports.register(registry, context)
    remediations.register(registry, context)
    return registry
