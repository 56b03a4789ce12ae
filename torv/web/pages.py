"""The pages: sign in, sign out, and the overview of who provides what."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from torv.base import clock
from torv.base.access import Demand
from torv.base.errors import NotIdentified, TokenExpired, TooManyFailures, TorvError, WrongPassword
from torv.base.http import Answer, Call, Routes, refuse_cross_site, session_cookie
from torv.base.pages import LARGEST_SIZE
from torv.ecosystem.gateway import PageMoved, page_start
from torv.ecosystem.modules import list_bindings
from torv.ecosystem.moves import MoveState, MoveView, last_move
from torv.kernel.identity import UserLocked, open_session, sign_out
from torv.web import static_files
from torv.web.capabilities import titles_for
from torv.web.forms import go_to, read_form
from torv.web.rendering import HEADERS, language_of, render

routes = Routes("", "modules")

#: the states of a move that succeeds; one that takes another back leaves some out
PATH: Final[tuple[MoveState, ...]] = tuple(
    state for state in MoveState if state not in (MoveState.ROLLED_BACK, MoveState.ABORTED)
)
FOR_PROGRAMS: Final = ("/api/", "/c/")  #: where a browser too is answered as a program is
LEFT_OUT_GOING_BACK: Final[tuple[MoveState, ...]] = (MoveState.SHADOWING, MoveState.WATCHING)


@routes.reads("/", "read", "module", include_in_schema=False)
async def show_overview(call: Call) -> Answer:
    """Who provides each capability, and the last move."""
    demand = Demand(service="moves", operation="read", category="move")
    permit = call.engine.decider.decide(call.access.caller, demand, call.request_id)
    bindings = await list_bindings(call.tx, call.access, wanted=call.page(LARGEST_SIZE, None))
    move = await last_move(call.tx, permit)
    return render(
        call.request, "overview.html", reader=call.access.caller.name, bindings=bindings, move=move,
        remaining=remaining_states(move) if move else [], titles=await titles_for(call), now=clock.now(),
    )  # fmt: skip


def remaining_states(move: MoveView) -> list[MoveState]:
    """The states a move has before it, if it goes well; none when it has ended."""
    path = [state for state in PATH if move.reverses is None or state not in LEFT_OUT_GOING_BACK]
    return path[path.index(move.state) + 1 :] if move.state in path else []


@routes.open("/login", include_in_schema=False)
async def show_login(call: Call) -> Answer:
    """The page where people sign in."""
    return render(call.request, "login.html", login="", problem=None)


@routes.open("/login", method="POST", include_in_schema=False)
async def log_in(call: Call) -> Answer:
    """Begin a session and go to the overview; or show the page again and say what was wrong."""
    refuse_cross_site(call.request, call.engine.settings.issuer)
    form = await read_form(call.request)
    login = form.get("login", "").strip()
    try:
        token = await open_session(call, login, form.get("password", ""))
    except (WrongPassword, TooManyFailures, UserLocked) as error:
        sentence = error.message(language_of(call.request))
        return render(call.request, "login.html", status=error.status, login=login, problem=sentence)
    return go_to("/", {session_cookie(call.engine.settings): token})


@routes.open("/logout", method="POST", include_in_schema=False)
async def log_out(call: Call) -> Answer:
    """End the session, here and on the server."""
    refuse_cross_site(call.request, call.engine.settings.issuer)
    cookie = session_cookie(call.engine.settings)
    async with call.writing() as tx:
        await sign_out(tx, call.request.cookies.get(cookie, ""))
    return go_to("/login", {cookie: ""})


@routes.open("/static/{edition}/{path:path}", include_in_schema=False)
async def serve_file(call: Call, edition: str, path: str) -> Answer:
    """A stylesheet, an icon or a font."""
    return static_files.answer(edition, path)


def page_for(error: TorvError, request: Request) -> Response | None:
    """What a person at a browser gets instead of a problem document; None for everybody else.

    The way to the login page, or a page that says what is wrong. Who sends a form is told so too where a module's page
    was asked for; our own pages' forms say it on the page itself.
    """
    is_of_module = request.url.path.startswith("/m/")
    wants_page = (request.method == "GET" or is_of_module) and "text/html" in request.headers.get("accept", "")
    if not wants_page or request.url.path.startswith(FOR_PROGRAMS):
        return None
    if isinstance(error, NotIdentified | TokenExpired):
        return RedirectResponse("/login", 303, headers={**HEADERS, "cache-control": "no-store"})
    return _page_of_problem(error, request, is_of_module=is_of_module)


def _page_of_problem(error: TorvError, request: Request, *, is_of_module: bool) -> Response:
    """Why a page is not shown. A page of a supplier that has gone gets a banner and the way to the new one."""
    shown = render(
        request, "problem.html", status=error.status, problem=error.message(language_of(request)),
        fault=error.facts.get("fault_title", ""), is_moved=isinstance(error, PageMoved), is_of_module=is_of_module,
        again=page_start(request).address if is_of_module else "/",
    )  # fmt: skip
    return Response(
        shown.body, shown.status, {**shown.headers, "cache-control": "no-store"}, media_type=shown.media_type
    )
