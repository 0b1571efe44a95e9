"""An API server in this process: small, but honest about what the operator relies on.

resourceVersion and 409, generation, the status subresource, finalizers, pages of a list, watches
with history, merge and JSON patches, label and field selectors, UID preconditions. No schema, no
RBAC, no admission: those are the real cluster's to test. `faults` lets a test answer a request in
the API server's place.
"""

import asyncio
import contextlib
import copy
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.doubles.api_rules import (
    KINDS,
    Json,
    changed_by,
    discovery,
    in_namespace,
    is_selected,
    merge_patched,
    split_path,
    unsupported_field,
    watch_event,
)

Fault = Callable[[str, str, Json | None], web.Response | None]
Hook = Callable[[str, Json], None]


@dataclass(frozen=True)
class Call:
    """One request that changed something, or tried to."""

    verb: str
    path: str
    status: int


@dataclass
class FakeApi:
    """The server; to be used as a context."""

    faults: list[Fault] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    lists: Counter[str] = field(default_factory=Counter)  # LIST requests of each resource
    watches: Counter[str] = field(default_factory=Counter)
    unwatchable: set[str] = field(default_factory=set)
    silent: bool = False  # watches stay open and send nothing
    compacted: int = 0  # watches from an older version are told "410 Gone"
    logs: dict[tuple[str, str, bool], str] = field(default_factory=dict)  # pod, container, previous
    url: str = ""
    fenced: bool = True  # a run that writes what its grant does not include is refused
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    new_uid: Callable[[], str] = field(default=lambda: str(uuid.uuid4()))
    _store: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    _version: int = 100
    _history: list[tuple[int, str, str, Json]] = field(default_factory=list)
    _watch_round: int = 0
    _watch_wakeups: dict[int, asyncio.Event] = field(default_factory=dict)
    _pages: dict[str, tuple[list[Json], str]] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FakeApi"]:
        """Serve on a free port of loopback until the end of the block."""
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await self._runner.cleanup()

    # for tests --------------------------------------------------------------------------------

    def put(self, plural: str, obj: Json) -> Json:
        """Create or replace an object, as somebody else would."""
        meta = obj.setdefault("metadata", {})
        key = (plural, meta.get("namespace", ""), meta["name"])
        before = self._store.get(key)
        return self._save(key, copy.deepcopy(obj), before)

    def get(self, plural: str, namespace: str, name: str) -> Json | None:
        """Return an object as it is now."""
        obj = self._store.get((plural, namespace, name))
        return copy.deepcopy(obj) if obj else None

    def all(self, plural: str, namespace: str = "") -> list[Json]:
        """Return all objects of a kind."""
        return [
            copy.deepcopy(o)
            for (p, n, _), o in sorted(self._store.items())
            if p == plural and (not namespace or n == namespace)
        ]

    def edit(self, plural: str, namespace: str, name: str, patch: Json) -> Json:
        """Merge a patch into an object, as somebody else would."""
        key = (plural, namespace, name)
        before = self._store[key]
        return self._save(key, merge_patched(before, patch), before)

    def remove(self, plural: str, namespace: str, name: str) -> None:
        """Delete an object, as somebody else would."""
        self._delete((plural, namespace, name))

    def writes(self, fragment: str, verb: str = "POST") -> list[Call]:
        """Return the calls of that verb to paths with that fragment that were carried out."""
        return [c for c in self.calls if c.verb == verb and fragment in c.path and c.status < 300]

    # storage ----------------------------------------------------------------------------------

    def _save(self, key: tuple[str, str, str], obj: Json, before: Json | None) -> Json:
        self._version += 1
        meta = obj["metadata"]
        meta.setdefault("uid", before["metadata"]["uid"] if before else self.new_uid())
        meta.setdefault("creationTimestamp", self.now().isoformat(timespec="seconds"))
        meta["resourceVersion"] = str(self._version)
        generation = before["metadata"].get("generation", 1) if before else 0
        changed = before is None or before.get("spec") != obj.get("spec")
        meta["generation"] = generation + 1 if changed else generation
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            self._store.pop(key, None)
            self._publish(key[0], "DELETED", obj)
        else:
            self._store[key] = obj
            self._publish(key[0], "MODIFIED" if before else "ADDED", obj)
        return copy.deepcopy(obj)

    def _delete(self, key: tuple[str, str, str]) -> Json:
        obj = copy.deepcopy(self._store[key])
        if obj["metadata"].get("finalizers"):
            if not obj["metadata"].get("deletionTimestamp"):
                obj["metadata"]["deletionTimestamp"] = self.now().isoformat()
                self._save(key, obj, self._store[key])
            return obj
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        del self._store[key]
        self._publish(key[0], "DELETED", obj)
        return obj

    def _publish(self, plural: str, kind: str, obj: Json) -> None:
        self._history.append((self._version, plural, kind, copy.deepcopy(obj)))
        for event in self._watch_wakeups.values():
            event.set()
        for hook in self.hooks:
            # Not a task: an operator that ends cancels every task of its loop.
            asyncio.get_running_loop().call_soon(hook, f"{kind} {plural}", copy.deepcopy(obj))

    # HTTP -------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body: Any = None
        if request.can_read_body:
            body = json.loads(await request.read())
        for fault in list(self.faults):
            refused = fault(request.method, request.path, body)
            if refused is not None:
                self.calls.append(Call(request.method, request.path, refused.status))
                return refused
        response = await self._answer(request, body)
        if request.method != "GET":
            self.calls.append(Call(request.method, request.path, response.status))
        return response

    async def _answer(self, request: web.Request, body: Any) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        if (result := discovery(parts)) is not None:
            return web.json_response(result)
        group, version, rest = split_path(parts)
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name = rest[0], rest[1] if len(rest) > 1 else ""
        sub = rest[2] if len(rest) > 2 else ""
        kind = dict(KINDS.get((group, version), [])).get(plural)
        if kind is None:
            return _status(404, "NotFound", f"{request.path} is not served")
        head = {"apiVersion": f"{group}/{version}" if group else version, "kind": kind}
        if not name:
            if request.method == "POST":
                return self._create(plural, namespace, head, body)
            if field_name := unsupported_field(request, plural):
                return _status(400, "BadRequest", f"field label not supported: {field_name}")
            if request.query.get("watch"):
                self.watches[plural] += 1
                if plural in self.unwatchable:
                    return _status(403, "Forbidden", f"cannot watch {plural}")
                return await self._watch(request, plural, namespace)
            self.lists[plural] += 1
            return self._list(request, plural, namespace, head)
        if (plural, sub) == ("pods", "log"):
            return self._log(request, name)
        return self._one(request, (plural, namespace, name), sub, body)

    def _create(self, plural: str, namespace: str, head: Json, body: Json) -> web.Response:
        body["metadata"]["namespace"] = namespace
        key = (plural, namespace, body["metadata"]["name"])
        if key in self._store:
            return _status(409, "AlreadyExists", f"{key} already exists")
        if plural in {p for p, _ in KINDS[("reme.dev", "v1alpha1")]}:
            body.pop("status", None)
        return web.json_response(self._save(key, head | body, None), status=201)

    def _list(self, request: web.Request, plural: str, namespace: str, head: Json) -> web.Response:
        if token := request.query.get("continue"):
            if token not in self._pages:
                return _status(410, "Expired", "the continue token is too old")
            items, version = self._pages[token]
        else:
            items = [o for o in self.all(plural, namespace) if is_selected(request, o)]
            version = str(self._version)
        metadata = {"resourceVersion": version}
        limit = int(request.query.get("limit") or 0) or len(items)
        if items[limit:]:
            metadata["continue"] = f"{len(self._pages)}-{version}"
            self._pages[metadata["continue"]] = (items[limit:], version)
        return web.json_response(
            head | {"kind": head["kind"] + "List", "metadata": metadata, "items": items[:limit]}
        )

    def _one(
        self, request: web.Request, key: tuple[str, str, str], sub: str, body: Any
    ) -> web.Response:
        before = self._store.get(key)
        if before is None:
            return _status(404, "NotFound", f"{key} not found")
        if request.method == "GET":
            return web.json_response(before)
        if (request.method, sub) == ("POST", "token"):
            return web.json_response({"status": {"token": f"token of {key[2]}"}}, status=201)
        dry = request.query.get("dryRun") == "All"
        if dry and _is_canary(key, before, body) and self.fenced:
            return _status(403, "Forbidden", "ValidatingAdmissionPolicy 'fence' denied request")
        if request.method == "DELETE":
            return self._removed(key, before, body, dry)
        try:
            after = changed_by(request.method, before, body)
        except LookupError:
            return _status(422, "Invalid", "the test of the patch failed")
        version = (after.get("metadata") or {}).get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            return _status(409, "Conflict", "the object has been modified")
        if sub == "status":
            after = copy.deepcopy(before) | {"status": after.get("status", {})}
        elif "status" in before:
            after["status"] = copy.deepcopy(before["status"])
        if request.method == "PUT" or sub:
            after["metadata"] = before["metadata"] | after["metadata"]
        if dry:
            return web.json_response(after)
        return web.json_response(self._save(key, after, before))

    def _log(self, request: web.Request, pod: str) -> web.Response:
        """Return a log as the kubelet does: the last lines, then cut at the limit of bytes."""
        query = request.query
        text = self.logs.get((pod, query["container"], query["previous"] == "true"))
        if text is None:
            message = f"previous terminated container {query['container']!r} not found"
            return _status(400, "BadRequest", message)
        lines = text.splitlines(keepends=True)
        if since := query.get("sinceTime"):
            lines = [line for line in lines if line[:19] >= since[:19]]
        lines = lines[-int(query.get("tailLines", len(lines))) :]
        content = "".join(lines).encode()[: int(query["limitBytes"])]
        return web.Response(body=content, content_type="text/plain")

    def _removed(
        self, key: tuple[str, str, str], before: Json, body: Any, dry: bool
    ) -> web.Response:
        uid = ((body or {}).get("preconditions") or {}).get("uid")
        if uid and uid != before["metadata"]["uid"]:
            return _status(409, "Conflict", "another object of that name")
        return web.json_response(before if dry else self._delete(key))

    async def _watch(self, request: web.Request, plural: str, namespace: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        known = request.query.get("resourceVersion")
        since, turn = int(known or self._version), self._watch_round
        if known and since < self.compacted:
            await _send(response, "ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
            return response
        shown = self._shown_at(request, plural, namespace, since)
        changed = self._watch_wakeups.setdefault(id(response), asyncio.Event())
        read = 0 if known else len(self._history)
        try:
            if not known:
                for obj in self.all(plural, namespace):
                    if is_selected(request, obj):
                        await _send(response, "ADDED", obj)
            while not self.watch_ends(turn):
                changed.clear()
                await self.before_events()
                fresh, read = self._history[read:], len(self._history)
                for number, of, kind, obj in fresh:
                    if number <= since or of != plural or not in_namespace(namespace, obj):
                        continue
                    if seen_as := watch_event(request, kind, obj, shown):
                        await _send(response, seen_as, obj)
                await changed.wait()
        except ConnectionError:
            pass
        finally:
            self._watch_wakeups.pop(id(response), None)
        return response

    def watch_ends(self, turn: int) -> bool:
        """Return whether a watch of that turn ends now."""
        return turn != self._watch_round

    async def before_events(self) -> None:
        """Wait before a watch sends events: for ever while watches are to be silent."""
        if self.silent:
            await asyncio.Event().wait()

    def end_watches(self, *, gone: bool = False) -> None:
        """End every watch; those that go on from an old version are refused if `gone`."""
        if gone:
            self.compacted = self._version
        self._watch_round += 1
        for event in self._watch_wakeups.values():
            event.set()

    @property
    def open_watches(self) -> int:
        """The number of watches now."""
        return len(self._watch_wakeups)

    def _shown_at(
        self, request: web.Request, plural: str, namespace: str, version: int
    ) -> set[str]:
        """Return the UIDs of the objects that a watch from that version begins with."""
        shown: set[str] = set()
        for number, of, kind, obj in self._history:
            if number <= version and of == plural and in_namespace(namespace, obj):
                watch_event(request, kind, obj, shown)
        return shown


async def _send(response: web.StreamResponse, kind: str, obj: Json) -> None:
    await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")


def _is_canary(key: tuple[str, str, str], before: Json, body: Any) -> bool:
    """Return whether a run tries to write a field of its result that no grant includes."""
    plural, _, name = key
    written = set((body or {}).get("data") or {}) if isinstance(body, dict) else set()
    return (
        plural == "configmaps" and name.endswith("-result") and not written <= set(before["data"])
    )


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {
        "kind": "Status",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }
    return web.json_response(body, status=code)


def refusal(
    code: int, reason: str = "", times: int = 1, *, verb: str = "", path: str = ""
) -> Fault:
    """Return a fault that refuses the first so many matching requests."""
    items = [times]

    def fault(method: str, where: str, body: Json | None) -> web.Response | None:
        if items[0] <= 0 or (verb and method != verb) or path not in where:
            return None
        items[0] -= 1
        return _status(code, reason or "Injected", "injected by a test")

    return fault
