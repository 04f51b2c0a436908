"""Signing in and out: a plain form beside the pages, because a Streamlit script can't set a cookie."""

from collections.abc import Callable
from html import escape
from urllib.parse import urlsplit

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.wiring import Services
from shopbot.accounts import SESSION_HOURS
from shopbot.errors import SignInRefused

COOKIE = "shopbot_session"
SIGN_IN, SIGN_OUT = "/signin", "/signout"
_FORM = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · {shop}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0; display: grid; min-height: 100vh; place-items: center;
         background: #f6f4ef; color: #23312b; }}
  main {{ width: min(22rem, calc(100vw - 3rem)); }}
  h1 {{ font-size: 1.4rem; }}
  label {{ display: block; margin-top: 1rem; }}
  input {{ width: 100%; box-sizing: border-box; font: inherit; padding: .6rem; border: 1px solid #8a978f;
          border-radius: .4rem; background: #fff; }}
  button {{ font: inherit; margin-top: 1.5rem; padding: .6rem 1.2rem; border: 0; border-radius: .4rem;
           background: #2f5d50; color: #fff; cursor: pointer; }}
  :focus-visible {{ outline: 3px solid #d98e2b; outline-offset: 2px; }}
  .error {{ color: #9b1c1c; }}
</style>
<main>
  <h1>Sign in to {shop}</h1>
  {note}
  <form method="post" action="{action}">
    <input type="hidden" name="next" value="{next}">
    <label>E-mail <input name="email" type="email" autocomplete="username" required autofocus value="{email}"></label>
    <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
    <button>Sign in</button>
  </form>
  {demo}
  <p><a href="{next}">Back without signing in</a></p>
</main>
</html>"""


def sign_in_routes(services: Callable[[], Services]) -> list[Route]:
    """GET and POST /signin, GET /signout; `services` is called per request."""

    async def sign_in(request: Request) -> Response:
        running = services()
        if request.method != "POST":  # a HEAD is no try without a password
            return _page(running, _local(request.query_params.get("next")))
        form = await request.form(max_files=0)  # what anybody may send would lie on this disk
        email, password, target = str(form.get("email", "")), str(form.get("password", "")), _local(form.get("next"))
        try:
            token = await to_thread.run_sync(running.accounts.sign_in, email, password)
        except SignInRefused as error:
            return _page(running, target, email, str(error), status=403)
        response = RedirectResponse(target, status_code=303)
        response.set_cookie(
            COOKIE, token, max_age=SESSION_HOURS * 3600, httponly=True, samesite="lax",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    async def sign_out(request: Request) -> Response:
        response = RedirectResponse(_local(request.query_params.get("next")), status_code=303)
        response.delete_cookie(COOKIE)
        return response

    return [Route(SIGN_IN, sign_in, methods=["GET", "POST"]), Route(SIGN_OUT, sign_out, methods=["GET"])]


def _local(target: object) -> str:
    """Where to go afterwards: a path of this server, whatever the link says."""
    try:
        parts = urlsplit(target if isinstance(target, str) else "")
    except ValueError:  # no URL at all, like "//["
        return "/"
    path = parts.path
    # The path of "////host" is "//host", which a browser takes for another server.
    if parts.scheme or parts.netloc or not path.startswith("/") or path.startswith("//") or "\\" in path:
        return "/"
    return f"{path}?{parts.query}" if parts.query else path


def _page(running: Services, target: str, email: str = "", problem: str = "", status: int = 200) -> Response:
    demo = (
        f"<p>Demo accounts: {', '.join(escape(address) for address in running.demo.emails)}; "
        f"the password is <code>{escape(running.demo.password)}</code>.</p>"
        if running.demo
        else ""
    )
    text = _FORM.format(
        shop=escape(running.store.shop.config.name), action=SIGN_IN, next=escape(target, quote=True),
        email=escape(email, quote=True), demo=demo,
        note=f'<p class="error" role="alert">{escape(problem)}</p>' if problem else "",
    )  # fmt: skip
    return HTMLResponse(text, status_code=status)
