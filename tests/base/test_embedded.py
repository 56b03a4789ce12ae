"""The embedded PostgreSQL: starting, sharing, dying and starting again."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import execute
from torv.base import embedded
from torv.base.embedded import Cluster, EmbeddedError


@pytest.fixture(scope="module")
def module_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    place = embedded.place(tmp_path_factory.mktemp("own"))
    yield place
    embedded.remove(place)
    shutil.rmtree(place.home)


@pytest.fixture
def cluster(module_cluster: Cluster) -> Iterator[Cluster]:
    """A cluster that stands still; whatever the test did to it, it still starts."""
    yield module_cluster
    embedded.start(module_cluster, durable=False).stop()


@pytest.fixture
def new_state(tmp_path: Path) -> Iterator[Path]:
    """A place where no cluster has been made yet."""
    yield tmp_path / "state"
    place = embedded.place(tmp_path / "state")
    embedded.remove(place)
    shutil.rmtree(place.home)


def eventually(happens: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def postmaster(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().split()[0])


def kill_postmaster(cluster: Cluster) -> None:
    pid = postmaster(cluster)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_alive(pid))


def run_a_parent(cluster: Cluster, then: str = "") -> subprocess.Popen[str]:
    """Another process that starts the cluster, says the number of the server (or "guest"), goes on with `then`."""
    program = f"""
import sys, time
from pathlib import Path, PosixPath
from torv.base.embedded import Cluster, start
server = start({cluster!r}, durable=False)
print(server.process.pid if server.owned else "guest", flush=True)
{then}
"""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True)


def test_a_new_cluster_has_a_role_and_a_database_for_torv(fast_cluster: embedded.Server) -> None:
    assert execute(fast_cluster, "select current_user, current_database(), upper('æøå')") == "torv|torv|ÆØÅ"
    assert execute(fast_cluster, "select rolsuper from pg_roles where rolname = current_user") == "f"


def test_it_listens_on_no_network_address(fast_cluster: embedded.Server) -> None:
    assert execute(fast_cluster, "show listen_addresses") == ""


@pytest.mark.parametrize("extension", ["btree_gist", "ltree", "pg_trgm"])
def test_the_extensions_torv_needs_can_be_made_by_its_own_role(dsn_of_empty_database: str, extension: str) -> None:
    ask = [str(embedded.place().binaries / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", dsn_of_empty_database, "-c"]
    subprocess.run([*ask, f"create extension {extension}"], check=True)
    found = subprocess.run([*ask, "select extname from pg_extension"], check=True, capture_output=True, text=True)
    assert extension in found.stdout.split()


def test_the_true_cluster_waits_for_the_disk_and_the_fast_one_does_not(
    true_cluster: embedded.Server, fast_cluster: embedded.Server
) -> None:
    for setting in embedded.SAFETY_SETTINGS:
        assert execute(true_cluster, f"show {setting}") == "on"
        assert execute(fast_cluster, f"show {setting}") == "off"


def test_a_second_start_attaches_and_only_the_owner_stops_it(cluster: Cluster) -> None:
    owner = embedded.start(cluster, durable=False)
    guest = embedded.start(cluster, durable=False)
    assert (owner.owned, guest.owned) == (True, False)
    guest.stop()
    assert execute(owner, "select 1") == "1"
    owner.stop()
    with pytest.raises(subprocess.CalledProcessError):
        execute(owner, "select 1")


def test_starting_at_the_same_moment_makes_one_server(new_state: Path) -> None:
    racers = [run_a_parent(embedded.place(new_state), "sys.stdin.read(); server.stop()") for _ in range(3)]
    said = [racer.stdout.readline().strip() for racer in racers if racer.stdout]
    for racer in racers:
        racer.communicate("")
    assert said.count("guest") == 2


def test_data_survives_a_restart(cluster: Cluster) -> None:
    first = embedded.start(cluster)
    execute(first, "create table restarted as select 42 as answer")
    first.stop()
    second = embedded.start(cluster)
    assert execute(second, "select answer from restarted") == "42"
    second.stop()


def test_a_killed_server_starts_again_with_what_was_committed(cluster: Cluster) -> None:
    first = embedded.start(cluster)
    execute(first, "create table killed as select 42 as answer")
    kill_postmaster(cluster)
    second = embedded.start(cluster)
    assert second.owned
    assert execute(second, "select answer from killed") == "42"
    second.stop()
    first.stop()


def test_a_stale_pid_file_that_names_another_program_is_no_obstacle(cluster: Cluster) -> None:
    first = embedded.start(cluster, durable=False)
    pid_file = cluster.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    kill_postmaster(cluster)
    first.stop()
    other = subprocess.Popen(["sleep", "60"], user=cluster.user if os.geteuid() == 0 else None)
    pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
    second = embedded.start(cluster, durable=False)
    assert second.owned
    second.stop()
    assert other.poll() is None
    other.kill()
    other.wait()


def test_postgres_ends_with_the_process_that_started_it(cluster: Cluster) -> None:
    with run_a_parent(cluster, "time.sleep(60)") as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    eventually(lambda: not is_alive(pid))


def test_postgres_ends_with_a_process_that_forgets_to_stop_it(cluster: Cluster) -> None:
    with run_a_parent(cluster) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
    eventually(lambda: not is_alive(pid))


def test_postgres_outlives_the_thread_that_started_it(cluster: Cluster) -> None:
    servers: list[embedded.Server] = []
    thread = threading.Thread(target=lambda: servers.append(embedded.start(cluster, durable=False)))
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert execute(servers[0], "select 1") == "1"
    servers[0].stop()


def test_control_c_in_the_terminal_reaches_the_parent_alone(cluster: Cluster) -> None:
    server = embedded.start(cluster, durable=False)
    assert os.getsid(postmaster(cluster)) != os.getsid(0)
    server.stop()


def test_killed_while_making_the_cluster_leaves_nothing_half(new_state: Path) -> None:
    cluster = embedded.place(new_state)
    with run_a_parent(cluster) as parent:
        eventually(lambda: any(cluster.home.glob("scrap-*/global")))
        parent.kill()
    assert not cluster.data.exists()
    server = embedded.start(cluster, durable=False)
    assert execute(server, "select 1") == "1"
    assert not list(cluster.home.glob("scrap-*"))
    server.stop()


def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    deep = embedded.place(tmp_path / ("long" * 20) / ("path" * 20))
    server = embedded.start(deep, durable=False)
    assert execute(server, "select 1") == "1"
    server.stop()
    embedded.remove(deep)
    assert not deep.socket_dir.exists()
    shutil.rmtree(deep.home)


def test_a_socket_folder_that_others_may_enter_is_refused(cluster: Cluster) -> None:
    embedded.start(cluster, durable=False).stop()
    cluster.socket_dir.chmod(0o755)
    with pytest.raises(EmbeddedError, match="not a private folder"):
        embedded.start(cluster, durable=False)
    cluster.socket_dir.chmod(0o700)


def test_no_folder_above_is_opened_to_others(new_state: Path, tmp_path: Path) -> None:
    cluster, wheel = embedded.place(new_state), Path(sys.executable).parents[1]
    watched = [*tmp_path.parents, *cluster.home.parents, wheel, *wheel.parents, Path.home()]
    tmp_path.chmod(0o700)
    before = [(path, path.stat().st_mode) for path in watched if path.exists()]
    embedded.start(cluster, durable=False).stop()
    assert [(path, path.stat().st_mode) for path, _ in before] == before
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_the_data_and_the_log_are_private(cluster: Cluster) -> None:
    server = embedded.start(cluster, durable=False)
    assert [path.stat().st_mode & 0o077 for path in (cluster.data, cluster.socket_dir, cluster.log)] == [0, 0, 0]
    server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs the system user")
def test_as_root_the_server_runs_as_the_system_user(fast_cluster: embedded.Server) -> None:
    runner = Path(f"/proc/{postmaster(fast_cluster.cluster)}").stat().st_uid
    assert pwd.getpwuid(runner).pw_name == "torv"


def test_a_running_cluster_is_not_removed(fast_cluster: embedded.Server) -> None:
    with pytest.raises(EmbeddedError, match="is running"):
        embedded.remove(fast_cluster.cluster)


def test_a_setting_postgres_refuses_is_one_clear_sentence(cluster: Cluster) -> None:
    with pytest.raises(EmbeddedError, match=r"PostgreSQL did not start .*max_connections"):
        embedded.start(cluster, durable=False, settings={"max_connections": "none"})


def test_errors_in_the_servers_log_do_not_quote_rows(cluster: Cluster) -> None:
    server = embedded.start(cluster, durable=False)
    execute(server, "create table person (cpr text primary key)")
    execute(server, "insert into person values ('0101010001')")
    with pytest.raises(subprocess.CalledProcessError):
        execute(server, "insert into person values ('0101010001')")
    server.stop()
    log = cluster.log.read_text()
    assert "duplicate key" in log
    assert "0101010001" not in log
