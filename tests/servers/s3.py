"""An S3 server for the tests: Ceph's RADOS Gateway on a monitor and a storage daemon that stores data in memory.

It checks signatures, payload hashes and conditional writes. Its daemons run in the foreground as child processes.
They take seconds to end on SIGTERM and have nothing to save, so they are killed.
"""

import shutil
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.processes import Processes, StartError, free_port, started, tail, wait_until

if TYPE_CHECKING:
    import subprocess

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")

_CONF = """\
[global]
fsid = {fsid}
mon_host = [v1:127.0.0.1:{mon_port}]
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
run_dir = {folder}
admin_socket = {folder}/$name.asok
log_file = {folder}/$name.log
pid_file = {folder}/$name.pid
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr2 = false
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
osd_crush_chooseleaf_type = 0
mon_data_avail_crit = 1
mon_data_avail_warn = 2
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
[mon.a]
mon_data = {folder}/mon.a
[osd]
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_data = {folder}/osd.0
[client]
rgw_frontends = beast endpoint=127.0.0.1:{port}
rgw_s3_auth_order = local
rgw_run_sync_thread = false
rgw_thread_pool_size = 32
"""


@dataclass(frozen=True, slots=True)
class S3Server:
    """The address of an S3 server, and a key that may create buckets."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


def start_s3(folder: Path, processes: Processes) -> S3Server:
    """Start a server; this takes one or two seconds."""
    if any(shutil.which(program) is None for program in PROGRAMS):
        raise StartError("Ceph's radosgw is not installed. Run `python -m tests.servers.install`.")
    port = started(lambda fresh: _Cluster(fresh, processes).start(), folder)
    return S3Server(f"http://127.0.0.1:{port}", "testaccess", "testsecret")


class _Cluster:
    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder
        self._processes = processes
        self._log = folder / "log"
        self._fsid = str(uuid.uuid4())
        self._port, self._mon_port = free_port(), free_port()

    def start(self) -> int:
        """Start the daemons one after the other; return the gateway's port."""
        conf = _CONF.format(fsid=self._fsid, folder=self._folder, port=self._port, mon_port=self._mon_port)
        (self._folder / "ceph.conf").write_text(conf)
        self._start_monitor()
        self._start_storage()
        user = ["user", "create", "--uid=t", "--display-name=t", "--access-key=testaccess", "--secret=testsecret"]
        self._run("radosgw-admin", *user)
        gateway = self._start("radosgw", "-n", "client.rgw")
        wait_until(lambda: _listens(self._port), gateway, self._folder / "client.rgw.log")
        return self._port

    def _start_monitor(self) -> None:
        (self._folder / "mon.a").mkdir()
        monmap = f"{self._folder}/monmap"
        address = f"[v1:127.0.0.1:{self._mon_port}]"
        self._processes.run(["monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", address, monmap], self._log)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        monitor = self._start("ceph-mon", "-i", "a")
        wait_until(lambda: _listens(self._mon_port), monitor, self._folder / "mon.a.log")

    def _start_storage(self) -> None:
        (self._folder / "osd.0").mkdir()
        name = str(uuid.uuid4())
        self._run("ceph", "--connect-timeout", "10", "osd", "new", name)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", name)
        # without authentication it may read its first monitor map too early ("wrong fsid") and end: start it again
        log = self._folder / "osd.0.log"
        for _ in range(20):
            storage = self._start("ceph-osd", "-i", "0")
            with suppress(StartError):
                wait_until(lambda: "done with init" in log.read_text(errors="replace"), storage, log)
                return
        raise StartError(f"ceph-osd does not start\n{tail(log)}")

    def _run(self, program: str, *arguments: str) -> None:
        self._processes.run([program, "-c", f"{self._folder}/ceph.conf", *arguments], self._log)

    def _start(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        return self._processes.start([program, "-c", f"{self._folder}/ceph.conf", "-f", *arguments], self._log)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True
