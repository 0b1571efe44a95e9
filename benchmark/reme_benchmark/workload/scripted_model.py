"""An OpenAI-compatible server that says what it was told to say.

It stands in for the model where a test or a timing needs a given answer. POST /script replaces
the script: a list of answers, given in turn, the last one for ever. An answer is an object with
one of `content` (the message), `body` (the raw HTTP body), `padding_bytes` (a message of that
size), `hang_seconds` (no answer until then), and optionally `status` and `delay_seconds`. One with
`when` is given for ever, and first of all, to each question whose last message holds that text.
GET /requests returns what was asked, newest last.
"""

import json
import os
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "scripted"


class Script:
    """The answers to come and the questions that were asked."""

    def __init__(self, answers: list[dict[str, Any]]) -> None:
        self._lock = threading.Lock()
        self.requests: deque[dict[str, Any]] = deque(maxlen=100)
        self.replace(answers)

    def replace(self, answers: list[dict[str, Any]]) -> None:
        """Forget what was left and begin this script."""
        with self._lock:
            self._answers = deque(a for a in answers if "when" not in a)
            self._standing = [a for a in answers if "when" in a]
            self._last: dict[str, Any] = {"content": '{"abstain":"nothing scripted"}'}
            self.requests.clear()

    def next(self, request: dict[str, Any]) -> dict[str, Any]:
        """Record the question and return the answer that is due."""
        with self._lock:
            self.requests.append(request)
            prompt = str((request.get("messages") or [{}])[-1].get("content", ""))
            for answer in self._standing:
                if answer["when"] in prompt:
                    return answer
            if self._answers:
                self._last = self._answers.popleft()
            return self._last


def completion(content: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a chat completion that holds this content."""
    prompt = sum(len(str(m.get("content", ""))) for m in request.get("messages", []))
    return {
        "id": "scripted-0",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt // 4,
            "completion_tokens": len(content) // 4,
            "total_tokens": (prompt + len(content)) // 4,
        },
    }


class Handler(BaseHTTPRequestHandler):
    """The few paths of the OpenAI API that reme uses, and two of its own."""

    script: Script
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer the model list, the health check and the record."""
        if self.path == "/v1/models":
            names = (MODEL, f"{MODEL}@sha256-000000000000")
            self._reply(
                200, {"object": "list", "data": [{"id": n, "object": "model"} for n in names]}
            )
        elif self.path == "/requests":
            self._reply(200, list(self.script.requests))
        elif self.path == "/health":
            self._reply(200, {})
        else:
            self._reply(404, {"error": {"message": "not found"}})

    def do_POST(self) -> None:
        """Take a script, or answer a chat completion from it."""
        try:
            body = json.loads(self._body())
        except ValueError:
            self._reply(400, {"error": {"message": "not JSON"}})
            return
        if self.path == "/script":
            self.script.replace(body)
            self._reply(200, {"answers": len(body)})
        elif self.path == "/v1/chat/completions":
            self._answer(self.script.next(body), body)
        else:
            self._reply(404, {"error": {"message": "not found"}})

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        # The API server's proxy sends no length.
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _answer(self, answer: dict[str, Any], request: dict[str, Any]) -> None:
        time.sleep(answer.get("delay_seconds", 0))
        if "hang_seconds" in answer:
            time.sleep(answer["hang_seconds"])
            self.close_connection = True
            return
        status = answer.get("status", 200)
        if "body" in answer:
            self._send(status, answer["body"].encode())
            return
        content = answer.get("content", "")
        if not isinstance(content, str):
            content = json.dumps(content, separators=(",", ":"))
        content += "x" * answer.get("padding_bytes", 0)
        if status >= 400:
            self._reply(status, {"error": {"message": content or "scripted"}})
        elif request.get("stream"):
            self._stream(content, request)
        else:
            self._reply(status, completion(content, request))

    def _stream(self, content: str, request: dict[str, Any]) -> None:
        whole = completion(content, request)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        base = {k: whole[k] for k in ("id", "created", "model")} | {
            "object": "chat.completion.chunk"
        }
        for start in range(0, len(content), 4096):
            piece = {"role": "assistant", "content": content[start : start + 4096]}
            self._event(base | {"choices": [{"index": 0, "delta": piece, "finish_reason": None}]})
        self._event(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._event(base | {"choices": [], "usage": whole["usage"]})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, data: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")

    def _reply(self, status: int, body: Any) -> None:
        self._send(status, json.dumps(body).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Say nothing: GET /requests is the record."""


def main() -> None:
    """Serve until the process is ended."""
    Handler.script = Script(json.loads(os.environ.get("SCRIPT", "[]")))
    port = int(os.environ.get("PORT", "8000"))
    ThreadingHTTPServer(("", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
