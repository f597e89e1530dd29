"""A Cloudflare account in process: the v4 REST interface, as far as all services share it.

It checks the token and the account, hands `/accounts/{id}/<service>/…` to the service registered
under that name, and writes down what was asked. Faults can be put in its way, before or after the
service has done its work.

Source: https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/ and
https://developers.cloudflare.com/fundamentals/api/reference/limits/ (2026-11).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio.lowlevel
import httpx

from dome_mcp.backends.cloudflare.http import Account

ACCOUNT_ID = "0123456789abcdef0123456789abcdef"
TOKEN = "test-token-never-to-be-seen"  # noqa: S105 - of no account
BASE_URL = "https://cloudflare.test/client/v4"

NOT_AUTHENTICATED = 10000
NO_ROUTE = 7003


class Service(Protocol):
    """One service's simulator; `path` is what follows its name: `/database/{id}/raw`."""

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response: ...


def succeeded(
    result: Any = None, *, result_info: Mapping[str, Any] | None = None
) -> httpx.Response:
    """The envelope of a result."""
    envelope = {"success": True, "errors": [], "messages": [], "result": result}
    if result_info is not None:
        envelope["result_info"] = result_info
    return httpx.Response(200, json=envelope)


def failed(status: int, code: int, message: str) -> httpx.Response:
    """The envelope of an error."""
    return httpx.Response(status, json=failure(code, message))


def failure(code: int, message: str) -> dict[str, Any]:
    return {
        "success": False,
        "errors": [{"code": code, "message": message}],
        "messages": [],
        "result": None,
    }


@dataclass(slots=True)
class _Fault:
    match: str
    response: Callable[[], httpx.Response]
    times: int
    is_after_the_work: bool


@dataclass(slots=True)
class SimulatedAccount:
    """The account, as the handler of an `httpx.MockTransport`.

    `calls` are the requests in the order they came, those refused included.
    """

    account_id: str = ACCOUNT_ID
    token: str = TOKEN
    base_url: str = BASE_URL
    calls: list[httpx.Request] = field(default_factory=list)
    rate_limit: str | None = None
    """The `Ratelimit` header of every answer from now on, for example `"default";r=50;t=30`."""
    _services: dict[str, Service] = field(default_factory=dict)
    _faults: list[_Fault] = field(default_factory=list)

    @property
    def account(self) -> Account:
        """What a client needs to be let in."""
        return Account(self.account_id, self.token, self.base_url)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    @property
    def asked(self) -> Sequence[str]:
        """The calls as `POST /d1/database/…`, their paths from the service on."""
        return [f"{call.method} {self._path(call)}" for call in self.calls]

    def register(self, name: str, service: Service) -> None:
        """Lets `service` answer what is under `/accounts/{id}/{name}`."""
        self._services[name] = service

    def fail_next(
        self,
        match: str,
        status: int,
        body: Mapping[str, Any] | str = "",
        times: int = 1,
        *,
        headers: Mapping[str, str] | None = None,
        is_after_the_work: bool = False,
    ) -> None:
        """Answers the next `times` calls that have `match` in `POST /d1/…` with a failure.

        `body` is JSON where it is a mapping, else HTML as the edge gives it. The service does not
        see the call, unless `is_after_the_work`: then it does its work, and the answer is lost.
        """

        def response() -> httpx.Response:
            if isinstance(body, str):
                return httpx.Response(status, html=body, headers=headers)
            return httpx.Response(status, json=body, headers=headers)

        self._faults.append(_Fault(match, response, times, is_after_the_work))

    def break_next(
        self, match: str, error: Exception, times: int = 1, *, is_after_the_work: bool = False
    ) -> None:
        """Raises `error` (of httpx) instead of an answer; the rest is as for `fail_next`."""

        def response() -> httpx.Response:
            raise error

        self._faults.append(_Fault(match, response, times, is_after_the_work))

    def work_again(self) -> None:
        """Takes away every fault that is still in the way."""
        self._faults.clear()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        await anyio.lowlevel.checkpoint()  # a network lets others run, before and after
        response = await self._answered(request, self._next_fault(request))
        await anyio.lowlevel.checkpoint()
        if self.rate_limit is not None:
            response.headers["Ratelimit"] = self.rate_limit
        return response

    async def _answered(self, request: httpx.Request, fault: _Fault | None) -> httpx.Response:
        if fault is None:
            return await self._answer(request)
        if fault.is_after_the_work:
            await self._answer(request)
        return fault.response()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return failed(401, NOT_AUTHENTICATED, "Authentication error")
        name, slash, rest = self._path(request).lstrip("/").partition("/")
        service = self._services.get(name)
        if service is None or not request.url.path.startswith(self._root()):
            return failed(404, NO_ROUTE, f"Could not route to {request.url.path}")
        return await service.answer(request, slash + rest)

    def _root(self) -> str:
        return f"{httpx.URL(self.base_url).path}/accounts/{self.account_id}/"

    def _path(self, request: httpx.Request) -> str:
        return request.url.path.removeprefix(self._root().rstrip("/"))

    def _next_fault(self, request: httpx.Request) -> _Fault | None:
        asked = f"{request.method} {self._path(request)}"
        for fault in self._faults:
            if fault.times > 0 and fault.match in asked:
                fault.times -= 1
                return fault
        return None
